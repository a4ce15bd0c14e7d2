//! A session's view of its executable's inputs.

use mirage_backend::{Buffer, Executable, PortInfo};
use mirage_ir::{DType, TensorData, TensorType};

use crate::{
    StreamError,
    program::{FRAME, NOISE},
    session::elements,
};

/// Every input of an executable of a frame program, on the device.
pub(super) struct Inputs {
    pub(super) buffers: Vec<Buffer>,
    frame: usize,
    noise: usize,
    /// Conditioning inputs that were never set.
    unset: Vec<usize>,
}

impl Inputs {
    /// Zeros everywhere.
    pub(super) fn new(executable: &dyn Executable) -> Result<Self, StreamError> {
        let ports = executable.inputs();
        let find = |name: &str| {
            let at = ports.iter().position(|p| &*p.name == name);
            at.ok_or_else(|| {
                StreamError::Setting(format!(
                    "the program has no input `{name}`: a session takes one that `capture_frame` made"
                ))
            })
        };
        let (frame, noise) = (find(FRAME)?, find(NOISE)?);
        let zeros = |p: &PortInfo| {
            let data = TensorData::new(p.ty.dtype, p.ty.shape.clone(), vec![0; p.ty.bytes()]);
            let data = data.map_err(|e| refused(&p.name, e))?;
            Ok(executable.upload(&data, &p.ty)?)
        };
        Ok(Inputs {
            buffers: ports
                .iter()
                .map(zeros)
                .collect::<Result<_, StreamError>>()?,
            frame,
            noise,
            unset: (0..ports.len())
                .filter(|&i| i != frame && i != noise)
                .collect(),
        })
    }

    /// The type of the frame.
    pub(super) fn frame_type(&self) -> &TensorType {
        self.buffers[self.frame].ty()
    }

    /// The elements of a frame's noise.
    pub(super) fn noise_len(&self) -> usize {
        self.buffers[self.noise].ty().numel()
    }

    pub(super) fn set_frame(
        &mut self,
        executable: &dyn Executable,
        values: &[f32],
    ) -> Result<(), StreamError> {
        self.set_floats(executable, self.frame, values)
    }

    pub(super) fn set_noise(
        &mut self,
        executable: &dyn Executable,
        values: &[f32],
    ) -> Result<(), StreamError> {
        self.set_floats(executable, self.noise, values)
    }

    fn set_floats(
        &mut self,
        executable: &dyn Executable,
        at: usize,
        values: &[f32],
    ) -> Result<(), StreamError> {
        let port = &executable.inputs()[at];
        let data = TensorData::from_f32(port.ty.shape.clone(), values)
            .and_then(|data| elements::narrowed(data, port.ty.dtype))
            .map_err(|e| refused(&port.name, e))?;
        self.buffers[at] = executable.upload(&data, &port.ty)?;
        Ok(())
    }

    /// Sets a conditioning input. Where the program takes halves, f32 is rounded to them.
    pub(super) fn set(
        &mut self,
        executable: &dyn Executable,
        name: &str,
        data: &TensorData,
    ) -> Result<(), StreamError> {
        let ports = executable.inputs();
        let is_own = |i: usize| i != self.frame && i != self.noise;
        let at = (0..ports.len()).find(|&i| is_own(i) && &*ports[i].name == name);
        let Some(at) = at else {
            let names = (0..ports.len()).filter(|&i| is_own(i));
            let names: Vec<String> = names.map(|i| format!("`{}`", ports[i].name)).collect();
            let known = match names.is_empty() {
                true => "the model has none".to_owned(),
                false => format!("it has {}", names.join(", ")),
            };
            return Err(refused(
                name,
                format!("is not a conditioning input of the model; {known}"),
            ));
        };
        let port = &ports[at];
        let is_rounded = data.dtype == DType::F32 && elements::is_half(port.ty.dtype);
        if data.shape != port.ty.shape || (data.dtype != port.ty.dtype && !is_rounded) {
            return Err(refused(
                name,
                format!(
                    "is {}{:?}; the model takes {}{:?}",
                    data.dtype, data.shape, port.ty.dtype, port.ty.shape
                ),
            ));
        }
        let data = match is_rounded {
            true => {
                elements::narrowed(data.clone(), port.ty.dtype).map_err(|e| refused(name, e))?
            }
            false => data.clone(),
        };
        self.buffers[at] = executable.upload(&data, &port.ty)?;
        self.unset.retain(|&i| i != at);
        Ok(())
    }

    /// Checks that every conditioning input was set.
    pub(super) fn check_set(&self, executable: &dyn Executable) -> Result<(), StreamError> {
        match self.unset.first() {
            None => Ok(()),
            Some(&i) => Err(refused(
                &executable.inputs()[i].name,
                "is not set: call `set_input` before the first frame",
            )),
        }
    }
}

fn refused(name: &str, reason: impl Into<String>) -> StreamError {
    StreamError::Input {
        name: name.to_owned(),
        reason: reason.into(),
    }
}
