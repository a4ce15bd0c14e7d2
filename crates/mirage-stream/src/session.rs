//! Frames through an executable.

mod elements;
mod ports;

use std::time::{Duration, Instant};

use mirage_backend::{Executable, NodeClock, NodeTime};
use mirage_ir::TensorData;
use mirage_video::{Filter, Frame, Resizer};

use self::ports::Inputs;
use crate::{FrameTrace, Noise, NoisePolicy, StreamError, trace::Lap};

/// A stream that runs: an executable of a frame program, its noise, and the way from frames to
/// tensors and back.
pub struct Session {
    executable: Box<dyn Executable>,
    inputs: Inputs,
    noise: Noise,
    channels: usize,
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
    /// A stream at its start, with the noise of a seed. The executable must be of a program by
    /// [`capture_frame`](crate::capture_frame).
    ///
    /// # Errors
    /// An executable without the inputs of a frame program.
    pub fn new(
        executable: Box<dyn Executable>,
        seed: u64,
        policy: NoisePolicy,
    ) -> Result<Self, StreamError> {
        let inputs = Inputs::new(&*executable)?;
        let [_, channels, height, width] = inputs.frame_type().shape[..] else {
            return Err(StreamError::Setting(format!(
                "the program's frame is {}: a session takes frames [1, C, H, W]",
                inputs.frame_type()
            )));
        };
        Ok(Session {
            noise: Noise::new(seed, policy, inputs.noise_len()),
            inputs,
            channels,
            width: width as u32,
            height: height as u32,
            resizer: Resizer::new(Filter::Lanczos3),
            frames: 0,
            executable,
        })
    }

    /// Sets a conditioning input of the model. It stays on the device, as it is, for every frame from
    /// the next on until it is set again; [`Self::restart`] leaves it.
    ///
    /// # Errors
    /// A name that is not a conditioning input of the model; another shape or dtype than it declares;
    /// what the backend says.
    pub fn set_input(&mut self, name: &str, data: &TensorData) -> Result<(), StreamError> {
        self.inputs.set(&*self.executable, name, data)
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

    /// The next frame of a stream of latents, `[C,H,W]` in row-major sequence; gives the output,
    /// likewise.
    ///
    /// # Errors
    /// Latents of another size; what the backend says; an output that is not finite.
    pub fn next_latents(&mut self, index: u64, latents: &[f32]) -> Result<Vec<f32>, StreamError> {
        self.load_floats(latents)?;
        let outputs = self.executable.execute(&self.inputs.buffers)?;
        let output = elements::to_f32(&self.executable.download(&outputs[0])?);
        mirage_video::check_finite(index, &output).map_err(StreamError::NotFinite)?;
        self.frames += 1;
        Ok(output)
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
        self.load(frame)?;
        self.executable.synchronize()?;
        let start = Instant::now();
        self.executable.execute(&self.inputs.buffers)?;
        self.executable.synchronize()?;
        let time = start.elapsed();
        self.frames += 1;
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
        self.load(frame)?;
        self.executable.synchronize()?;
        let start = Instant::now();
        let (_, nodes) = self.executable.profile(&self.inputs.buffers)?;
        let time = start.elapsed();
        self.frames += 1;
        Ok((time, nodes))
    }

    /// As [`Self::next_at_size`]: the picture, and when each part of making it ran.
    ///
    /// # Errors
    /// As [`Self::next_at_size`].
    pub fn trace_at_size(&mut self, frame: &Frame) -> Result<(Frame, FrameTrace), StreamError> {
        let (loaded, upload) = Lap::of("upload", || self.load(frame));
        loaded?;
        let (profiled, execute) =
            Lap::of("execute", || self.executable.profile(&self.inputs.buffers));
        let (outputs, nodes) = profiled?;
        let (data, download) = Lap::of("download", || self.executable.download(&outputs[0]));
        let planar = elements::to_f32(&data?);
        self.frames += 1;
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
        self.load(frame)?;
        let outputs = self.executable.execute(&self.inputs.buffers)?;
        Ok(elements::to_f32(&self.executable.download(&outputs[0])?))
    }

    /// Puts a picture and its noise on the device.
    fn load(&mut self, frame: &Frame) -> Result<(), StreamError> {
        if self.channels != 3 {
            return Err(StreamError::Setting(format!(
                "the model's frames have {} channels, a picture has 3: call `next_latents`",
                self.channels
            )));
        }
        let mut planar = vec![0.0; self.inputs.frame_type().numel()];
        frame.to_planar(&mut planar)?;
        self.load_floats(&planar)
    }

    fn load_floats(&mut self, frame: &[f32]) -> Result<(), StreamError> {
        self.inputs.check_set(&*self.executable)?;
        self.inputs.set_frame(&*self.executable, frame)?;
        if self.frames == 0 || !self.noise.is_fixed() {
            let noise = self.noise.frame(self.frames);
            self.inputs.set_noise(&*self.executable, &noise)?;
        }
        Ok(())
    }
}
