//! Frames through an executable.

use std::time::{Duration, Instant};

use mirage_backend::{Buffer, Executable, NodeClock, NodeTime};
use mirage_ir::{DType, TensorData, interp::Tensor};
use mirage_video::{Filter, Frame, Resizer};

use crate::{
    FrameTrace, Noise, StreamError,
    program::{FRAME, NOISE},
    trace::Lap,
};

/// A stream that runs: an executable of a frame program, its noise, and the way from frames to
/// tensors and back.
pub struct Session {
    executable: Box<dyn Executable>,
    noise: Noise,
    /// The noise on the device, while it stays the same.
    fixed_noise: Option<Buffer>,
    width: u32,
    height: u32,
    resizer: Resizer,
    frames: u64,
}

/// A frame that a session made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The picture, in the size that went in.
    pub frame: Frame,
    /// From the picture in the model's size on the host to the result there: upload, execution,
    /// download.
    pub time: Duration,
}

impl Session {
    /// A stream at its start. The executable must be of a program by
    /// [`capture_frame`](crate::capture_frame).
    ///
    /// # Errors
    /// An executable without the inputs of a frame program.
    pub fn new(executable: Box<dyn Executable>, noise: Noise) -> Result<Self, StreamError> {
        let missing = |name| StreamError::Setting(format!("the program has no input `{name}`"));
        let find = |name| executable.inputs().iter().find(|p| &*p.name == name);
        let frame = find(FRAME).ok_or_else(|| missing(FRAME))?;
        find(NOISE).ok_or_else(|| missing(NOISE))?;
        let (height, width) = (frame.ty.shape[2] as u32, frame.ty.shape[3] as u32);
        Ok(Session {
            noise,
            fixed_noise: None,
            width,
            height,
            resizer: Resizer::new(Filter::Lanczos3),
            frames: 0,
            executable,
        })
    }

    /// Width and height that the model runs at.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The executable.
    pub fn executable(&self) -> &dyn Executable {
        &*self.executable
    }

    /// Back to the start of a stream: states zero, noise from frame 0.
    ///
    /// # Errors
    /// What the backend says.
    pub fn restart(&mut self) -> Result<(), StreamError> {
        self.frames = 0;
        Ok(self.executable.reset_states()?)
    }

    /// The next frame of the stream, resized to the model's size and back.
    ///
    /// # Errors
    /// What the backend says; an output that is no picture.
    pub fn next(&mut self, frame: &Frame) -> Result<Made, StreamError> {
        let small = self.resizer.resize(frame, self.width, self.height)?;
        let Made { frame: made, time } = self.next_at_size(&small)?;
        let frame = self.resizer.resize(&made, frame.width(), frame.height())?;
        Ok(Made { frame, time })
    }

    /// As [`Self::next`] for a frame that has the model's size already.
    ///
    /// # Errors
    /// As [`Self::next`], and a frame of another size.
    pub fn next_at_size(&mut self, frame: &Frame) -> Result<Made, StreamError> {
        let start = Instant::now();
        let planar = self.execute(frame)?;
        let time = start.elapsed();
        mirage_video::check_finite(frame.index, &planar).map_err(StreamError::NotFinite)?;
        self.frames += 1;
        let frame = Frame::from_planar(self.width, self.height, frame.index, &planar)?;
        Ok(Made { frame, time })
    }

    /// As [`Self::next_at_size`]: the output as it is, f32 `[3,H,W]` in about [-1, 1].
    ///
    /// # Errors
    /// As [`Self::next_at_size`].
    pub fn planar_at_size(&mut self, frame: &Frame) -> Result<Vec<f32>, StreamError> {
        let planar = self.execute(frame)?;
        self.frames += 1;
        Ok(planar)
    }

    /// One execution for a frame of the model's size, without the way of the picture to the device
    /// and back: how long it took. The states move on.
    ///
    /// # Errors
    /// As [`Self::next_at_size`].
    pub fn execute_at_size(&mut self, frame: &Frame) -> Result<Duration, StreamError> {
        let inputs = self.inputs(frame)?;
        self.executable.synchronize()?;
        let start = Instant::now();
        self.executable.execute(&inputs)?;
        self.executable.synchronize()?;
        let time = start.elapsed();
        self.executed(inputs);
        Ok(time)
    }

    /// Whose clock times nodes.
    pub fn node_clock(&self) -> NodeClock {
        self.executable.node_clock()
    }

    /// As [`Self::execute_at_size`], and how long each node took.
    ///
    /// # Errors
    /// As [`Self::next_at_size`].
    pub fn profile_at_size(
        &mut self,
        frame: &Frame,
    ) -> Result<(Duration, Vec<NodeTime>), StreamError> {
        let inputs = self.inputs(frame)?;
        self.executable.synchronize()?;
        let start = Instant::now();
        let (_, nodes) = self.executable.profile(&inputs)?;
        let time = start.elapsed();
        self.executed(inputs);
        Ok((time, nodes))
    }

    /// As [`Self::next_at_size`]: the picture, and when each part of making it ran.
    ///
    /// # Errors
    /// As [`Self::next_at_size`].
    pub fn trace_at_size(&mut self, frame: &Frame) -> Result<(Frame, FrameTrace), StreamError> {
        let (inputs, upload) = Lap::of("upload", || self.inputs(frame));
        let inputs = inputs?;
        let (profiled, execute) = Lap::of("execute", || self.executable.profile(&inputs));
        let (outputs, nodes) = profiled?;
        let (data, download) = Lap::of("download", || self.executable.download(&outputs[0]));
        let planar = to_f32(&data?);
        self.executed(inputs);
        mirage_video::check_finite(frame.index, &planar).map_err(StreamError::NotFinite)?;
        let picture = Frame::from_planar(self.width, self.height, frame.index, &planar)?;
        let trace = FrameTrace {
            frame: frame.index,
            execution: execute.start,
            laps: vec![upload, execute, download],
            nodes,
        };
        Ok((picture, trace))
    }

    fn execute(&mut self, frame: &Frame) -> Result<Vec<f32>, StreamError> {
        let inputs = self.inputs(frame)?;
        let outputs = self.executable.execute(&inputs)?;
        let data = self.executable.download(&outputs[0])?;
        self.keep_noise(inputs);
        Ok(to_f32(&data))
    }

    /// The inputs of the next execution, on the device.
    fn inputs(&mut self, frame: &Frame) -> Result<Vec<Buffer>, StreamError> {
        let mut planar = vec![0.0; 3 * self.width as usize * self.height as usize];
        frame.to_planar(&mut planar)?;
        let mut inputs = Vec::with_capacity(2);
        for port in self.executable.inputs() {
            inputs.push(match &*port.name {
                FRAME => upload(&*self.executable, FRAME, &planar)?,
                _ => match self.fixed_noise.take() {
                    Some(noise) => noise,
                    None => upload(&*self.executable, NOISE, &self.noise.frame(self.frames))?,
                },
            });
        }
        Ok(inputs)
    }

    fn executed(&mut self, inputs: Vec<Buffer>) {
        self.frames += 1;
        self.keep_noise(inputs);
    }

    /// Keeps the noise on the device while it stays the same.
    fn keep_noise(&mut self, mut inputs: Vec<Buffer>) {
        if self.noise.is_fixed() {
            let mut ports = self.executable.inputs().iter();
            let at = ports.position(|p| &*p.name == NOISE);
            self.fixed_noise = at.map(|at| inputs.swap_remove(at));
        }
    }
}

/// Puts f32 elements on the device as the executable's input of this name, in its dtype.
fn upload(executable: &dyn Executable, name: &str, values: &[f32]) -> Result<Buffer, StreamError> {
    let port = executable
        .inputs()
        .iter()
        .find(|p| &*p.name == name)
        .ok_or_else(|| StreamError::Setting(format!("the program has no input `{name}`")))?;
    let setting = |e: String| StreamError::Setting(format!("input `{name}`: {e}"));
    let mut data = TensorData::from_f32(port.ty.shape.clone(), values).map_err(setting)?;
    if port.ty.dtype != DType::F32 {
        let wide = Tensor::from_data(&data).map_err(|e| setting(e.to_string()))?;
        data = wide
            .to_data(port.ty.dtype)
            .map_err(|e| setting(e.to_string()))?;
    }
    Ok(executable.upload(&data, &port.ty)?)
}

fn to_f32(data: &TensorData) -> Vec<f32> {
    match data.dtype {
        DType::F16 => data
            .bytes()
            .chunks_exact(2)
            .map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32())
            .collect(),
        DType::BF16 => data
            .bytes()
            .chunks_exact(2)
            .map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32())
            .collect(),
        _ => data
            .bytes()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect(),
    }
}
