//! The buffers of a session, by what they are to a frame program.

use mirage_backend::{Buffer, Executable, PortInfo};
use mirage_ir::{DType, TensorData, TensorType};
use mirage_model::FrameFormat;

use crate::{
    StreamError,
    program::{FRAME, MEAN, NOISE, OUTPUT},
    session::elements,
};

/// Every input, on the device.
pub(super) struct Inputs {
    pub(super) buffers: Vec<Buffer>,
    frame: usize,
    noise: usize,
    /// Conditioning inputs that were never set.
    unset: Vec<usize>,
    /// Floats and their bytes, on their way.
    floats: Vec<f32>,
    bytes: Vec<u8>,
}

impl Inputs {
    /// Zeros everywhere.
    pub(super) fn new(executable: &dyn Executable) -> Result<Self, StreamError> {
        let ports = executable.inputs();
        let (frame, noise) = (find(ports, "input", FRAME)?, find(ports, "input", NOISE)?);
        let is_own = |&i: &usize| i != frame && i != noise;
        Ok(Inputs {
            buffers: zeros(executable, ports)?,
            frame,
            noise,
            unset: (0..ports.len()).filter(is_own).collect(),
            floats: Vec::new(),
            bytes: Vec::new(),
        })
    }

    /// The type of the frame.
    pub(super) fn frame_type(&self) -> &TensorType {
        self.buffers[self.frame].ty()
    }

    /// What the frame's type says of frames, and their height and width.
    pub(super) fn format(&self) -> Result<(FrameFormat, [usize; 2]), StreamError> {
        let ty = self.frame_type();
        match (ty.dtype, &ty.shape[..]) {
            (DType::U8, &[1, height, width, channels]) => {
                Ok((FrameFormat::Picture { channels }, [height, width]))
            }
            (dtype, &[1, channels, height, width]) if dtype.is_float() => {
                Ok((FrameFormat::Latents { channels }, [height, width]))
            }
            _ => Err(StreamError::Setting(format!(
                "the program's frame is {ty}, but a session requires u8[1,H,W,C] or floats [1,C,H,W]"
            ))),
        }
    }

    pub(super) fn set_picture(
        &mut self,
        executable: &dyn Executable,
        bytes: &[u8],
    ) -> Result<(), StreamError> {
        Ok(executable.upload_into(bytes, &mut self.buffers[self.frame])?)
    }

    pub(super) fn set_latents(
        &mut self,
        executable: &dyn Executable,
        values: &[f32],
    ) -> Result<(), StreamError> {
        let buffer = &mut self.buffers[self.frame];
        set_floats(executable, values, buffer, &mut self.bytes)
    }

    /// Sets the noise to what `fill` writes.
    pub(super) fn set_noise(
        &mut self,
        executable: &dyn Executable,
        fill: impl FnOnce(&mut [f32]),
    ) -> Result<(), StreamError> {
        let buffer = &mut self.buffers[self.noise];
        self.floats.resize(buffer.ty().numel(), 0.0);
        fill(&mut self.floats);
        set_floats(executable, &self.floats, buffer, &mut self.bytes)
    }

    /// Sets a conditioning input. Where the program takes halves, f32 is rounded to them.
    pub(super) fn set(
        &mut self,
        executable: &dyn Executable,
        name: &str,
        data: &TensorData,
    ) -> Result<(), StreamError> {
        let ports = executable.inputs();
        let is_own = |i: &usize| *i != self.frame && *i != self.noise;
        let at = (0..ports.len())
            .filter(is_own)
            .find(|&i| &*ports[i].name == name);
        let Some(at) = at else {
            let names = (0..ports.len()).filter(is_own);
            let names: Vec<String> = names.map(|i| format!("`{}`", ports[i].name)).collect();
            let known = match names.is_empty() {
                true => "the model has no conditioning inputs".to_owned(),
                false => format!("available: {}", names.join(", ")),
            };
            return Err(refused(
                name,
                format!("is not a conditioning input of the model; {known}"),
            ));
        };
        let ty = &ports[at].ty;
        let is_rounded = data.dtype == DType::F32 && elements::is_half(ty.dtype);
        if data.shape != ty.shape || (data.dtype != ty.dtype && !is_rounded) {
            return Err(refused(
                name,
                format!(
                    "is {}{:?}, but the model expects {}{:?}",
                    data.dtype, data.shape, ty.dtype, ty.shape
                ),
            ));
        }
        let buffer = &mut self.buffers[at];
        if is_rounded {
            let values = elements::to_f32(data);
            set_floats(executable, &values, buffer, &mut self.bytes)?;
        } else {
            executable.upload_into(data.bytes(), buffer)?;
        }
        self.unset.retain(|&i| i != at);
        Ok(())
    }

    /// Checks that every conditioning input was set.
    pub(super) fn check_set(&self, executable: &dyn Executable) -> Result<(), StreamError> {
        match self.unset.first() {
            None => Ok(()),
            Some(&i) => Err(refused(
                &executable.inputs()[i].name,
                "is not set; call `set_input` before the first frame",
            )),
        }
    }
}

/// Every output, on the device.
pub(super) struct Outputs {
    pub(super) buffers: Vec<Buffer>,
    output: usize,
    mean: usize,
    /// Bytes on their way.
    bytes: Vec<u8>,
}

impl Outputs {
    /// Zeros everywhere.
    pub(super) fn new(executable: &dyn Executable) -> Result<Self, StreamError> {
        let ports = executable.outputs();
        Ok(Outputs {
            buffers: zeros(executable, ports)?,
            output: find(ports, "output", OUTPUT)?,
            mean: find(ports, "output", MEAN)?,
            bytes: Vec::new(),
        })
    }

    pub(super) fn picture(
        &self,
        executable: &dyn Executable,
        bytes: &mut [u8],
    ) -> Result<(), StreamError> {
        Ok(executable.download_into(&self.buffers[self.output], bytes)?)
    }

    pub(super) fn latents(
        &mut self,
        executable: &dyn Executable,
        values: &mut [f32],
    ) -> Result<(), StreamError> {
        self.floats(executable, self.output, values)
    }

    /// The mean of the output before quantisation.
    pub(super) fn mean(&mut self, executable: &dyn Executable) -> Result<f32, StreamError> {
        let mut mean = [0.0];
        self.floats(executable, self.mean, &mut mean)?;
        Ok(mean[0])
    }

    fn floats(
        &mut self,
        executable: &dyn Executable,
        at: usize,
        values: &mut [f32],
    ) -> Result<(), StreamError> {
        let buffer = &self.buffers[at];
        let dtype = buffer.ty().dtype;
        self.bytes.resize(buffer.ty().bytes(), 0);
        executable.download_into(buffer, &mut self.bytes)?;
        elements::read(&self.bytes, dtype, values);
        Ok(())
    }
}

/// Overwrites a buffer of a dtype of floats.
fn set_floats(
    executable: &dyn Executable,
    values: &[f32],
    buffer: &mut Buffer,
    bytes: &mut Vec<u8>,
) -> Result<(), StreamError> {
    let ty = buffer.ty();
    bytes.resize(ty.bytes(), 0);
    elements::write(values, ty.dtype, bytes);
    Ok(executable.upload_into(bytes, buffer)?)
}

fn find(ports: &[PortInfo], kind: &str, name: &str) -> Result<usize, StreamError> {
    let at = ports.iter().position(|p| &*p.name == name);
    at.ok_or_else(|| {
        StreamError::Setting(format!(
            "the program has no {kind} `{name}`; create it with `capture_frame`"
        ))
    })
}

fn zeros(executable: &dyn Executable, ports: &[PortInfo]) -> Result<Vec<Buffer>, StreamError> {
    let zeros = |p: &PortInfo| {
        let data = TensorData::new(p.ty.dtype, p.ty.shape.clone(), vec![0; p.ty.bytes()]);
        Ok(executable.upload(&data.map_err(|e| refused(&p.name, e))?, &p.ty)?)
    };
    ports.iter().map(zeros).collect()
}

fn refused(name: &str, reason: impl Into<String>) -> StreamError {
    StreamError::Input {
        name: name.to_owned(),
        reason: reason.into(),
    }
}
