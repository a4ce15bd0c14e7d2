//! Runs frames through an executable.

mod elements;
mod ports;

use std::time::{Duration, Instant};

use mirage_backend::{Buffer, Executable, NodeClock, PortInfo};
use mirage_ir::TensorData;
use mirage_model::FrameFormat;
use mirage_video::Frame;

use self::ports::{Inputs, Outputs};
use crate::{
    FrameTrace, Named, Noise, NoisePolicy, NotFinite, StreamError, program::PREVIOUS, trace::Lap,
};

/// A stream that runs: an executable of a frame program, its noise, and the buffers of what enters and
/// leaves it.
///
/// With an executable that allocates nothing (a static plan), [`Self::run`] and [`Self::run_latents`]
/// allocate nothing after the first frame.
pub struct Session {
    executable: Box<dyn Executable>,
    inputs: Inputs,
    outputs: Outputs,
    noise: Noise,
    format: FrameFormat,
    width: u32,
    height: u32,
    frames: u64,
}

impl Session {
    /// A stream at its start, with the noise of a seed. The executable must be of a program by
    /// [`capture_frame`](crate::capture_frame).
    ///
    /// # Errors
    /// An executable without the inputs and outputs of a frame program.
    pub fn new(
        executable: Box<dyn Executable>,
        seed: u64,
        policy: NoisePolicy,
    ) -> Result<Self, StreamError> {
        let inputs = Inputs::new(&*executable)?;
        let outputs = Outputs::new(&*executable)?;
        let (format, [height, width]) = inputs.format()?;
        Ok(Session {
            noise: Noise::new(seed, policy),
            inputs,
            outputs,
            format,
            width: width as u32,
            height: height as u32,
            frames: 0,
            executable,
        })
    }

    /// Returns width and height of the model's frames.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// What the model's frames are.
    pub fn format(&self) -> FrameFormat {
        self.format
    }

    /// Returns the executable.
    pub fn executable(&self) -> &dyn Executable {
        &*self.executable
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

    /// Restarts the stream: resets states to zero and noise to frame 0.
    ///
    /// # Errors
    /// If the backend fails.
    pub fn restart(&mut self) -> Result<(), StreamError> {
        self.frames = 0;
        Ok(self.executable.reset_states()?)
    }

    /// Replaces the next picture of the stream, which has the model's size, by the model's output. Gives
    /// the time from the picture on the host to the output there: upload, execution, download.
    ///
    /// # Errors
    /// A picture of another size; a conditioning input that is not set; what the backend says; an
    /// output that is not finite. The picture is as it was then.
    pub fn run(&mut self, frame: &mut Frame) -> Result<Duration, StreamError> {
        let start = Instant::now();
        self.load_picture(frame)?;
        self.execute(frame.index)?;
        self.outputs.picture(&*self.executable, frame.rgb_mut())?;
        Ok(start.elapsed())
    }

    /// As [`Self::run`] for a stream of latents, `[C,H,W]` in row-major sequence; `index` is the frame's
    /// number in messages.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_latents(
        &mut self,
        index: u64,
        latents: &mut [f32],
    ) -> Result<Duration, StreamError> {
        let start = Instant::now();
        self.load_latents(latents)?;
        self.execute(index)?;
        self.outputs.latents(&*self.executable, latents)?;
        Ok(start.elapsed())
    }

    /// The last output before quantisation: what the next frame has as `previous`, f32 `[C,H,W]`.
    ///
    /// # Errors
    /// What the backend says.
    pub fn previous(&self) -> Result<Vec<f32>, StreamError> {
        Ok(elements::to_f32(&self.executable.export_state(PREVIOUS)?))
    }

    /// The inputs of the last execution by name, downloaded.
    ///
    /// # Errors
    /// What the backend says.
    pub fn last_inputs(&self) -> Result<Vec<Named>, StreamError> {
        let ports = self.executable.inputs().iter().zip(&self.inputs.buffers);
        let download = |(port, buffer): (&PortInfo, &Buffer)| {
            Ok((port.name.to_string(), self.executable.download(buffer)?))
        };
        ports.map(download).collect()
    }

    /// How long the execution for a picture takes, without the way to the device and back. The states
    /// move on.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn time(&mut self, frame: &Frame) -> Result<Duration, StreamError> {
        self.load_picture(frame)?;
        self.executable.synchronize()?;
        let start = Instant::now();
        let (inputs, outputs) = (&self.inputs.buffers, &mut self.outputs.buffers);
        self.executable.execute_into(inputs, outputs)?;
        self.executable.synchronize()?;
        let time = start.elapsed();
        self.frames += 1;
        Ok(time)
    }

    /// Whose clock times nodes.
    pub fn node_clock(&self) -> NodeClock {
        self.executable.node_clock()
    }

    /// As [`Self::run`], and when each part of it and each node of the program ran.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn profile(&mut self, frame: &mut Frame) -> Result<FrameTrace, StreamError> {
        let (loaded, upload) = Lap::of("upload", || {
            self.load_picture(frame)?;
            Ok::<_, StreamError>(self.executable.synchronize()?)
        });
        loaded?;
        let inputs = &self.inputs.buffers;
        let (profiled, execute) = Lap::of("execute", || self.executable.profile(inputs));
        let (outputs, nodes) = profiled?;
        self.outputs.buffers = outputs;
        self.executed(frame.index)?;
        let picture = frame.rgb_mut();
        let (loaded, download) = Lap::of("download", || {
            self.outputs.picture(&*self.executable, picture)
        });
        loaded?;
        Ok(FrameTrace {
            frame: frame.index,
            upload,
            execute,
            download,
            nodes,
        })
    }

    fn load_picture(&mut self, frame: &Frame) -> Result<(), StreamError> {
        if self.format != FrameFormat::RGB {
            return Err(StreamError::Setting(format!(
                "the model's frames are {}: call `run` for RGB pictures or `run_latents` for latents",
                self.inputs.frame_type()
            )));
        }
        let (width, height) = (frame.width(), frame.height());
        if (width, height) != self.size() {
            return Err(StreamError::Setting(format!(
                "frame {} is {width}x{height}, but the model runs at {}x{}",
                frame.index, self.width, self.height
            )));
        }
        self.inputs.set_picture(&*self.executable, frame.rgb())?;
        self.load_noise()
    }

    fn load_latents(&mut self, latents: &[f32]) -> Result<(), StreamError> {
        let ty = self.inputs.frame_type();
        let is_latents = matches!(self.format, FrameFormat::Latents { .. });
        if !is_latents || latents.len() != ty.numel() {
            return Err(StreamError::Setting(format!(
                "the model's frames are {ty}, but the given latents have {} elements",
                latents.len()
            )));
        }
        self.inputs.set_latents(&*self.executable, latents)?;
        self.load_noise()
    }

    fn load_noise(&mut self) -> Result<(), StreamError> {
        self.inputs.check_set(&*self.executable)?;
        if self.frames == 0 || !self.noise.is_fixed() {
            let (noise, frame) = (self.noise, self.frames);
            self.inputs
                .set_noise(&*self.executable, |values| noise.fill(frame, values))?;
        }
        Ok(())
    }

    fn execute(&mut self, index: u64) -> Result<(), StreamError> {
        let (inputs, outputs) = (&self.inputs.buffers, &mut self.outputs.buffers);
        self.executable.execute_into(inputs, outputs)?;
        self.executed(index)
    }

    /// Counts a frame that was executed, and refuses an output that is not finite.
    fn executed(&mut self, index: u64) -> Result<(), StreamError> {
        self.frames += 1;
        if self.outputs.mean(&*self.executable)?.is_finite() {
            return Ok(());
        }
        let output = self.previous()?;
        let count = NotFinite::count(output.iter().map(|v| f64::from(*v)));
        if count.any() {
            return Err(StreamError::NotFinite {
                frame: index,
                count,
            });
        }
        Err(StreamError::Setting(format!(
            "frame {index}: the output is finite, but its values are so large that their mean is not"
        )))
    }
}
