//! Programs captured from a model: a whole frame of a stream, or one forward pass.

mod calls;
mod declared;
mod forward;
#[cfg(test)]
mod tests;

use burn::tensor::{FloatDType, Int, IntDType, Tensor, TensorData};
use mirage_capture::{Captured, Inputs, Outputs, Spec, capture};
use mirage_ir::DType;
use mirage_model::{FrameFormat, Size, StepInput, StepOutput, StreamModel};

use self::declared::{Becomes, Declared, add, dtype};
pub use self::forward::capture_forward;
use crate::{StreamError, Trajectory};

/// The input with the frame: u8 `[1,H,W,C]` of a picture, f32 `[1,C,H,W]` of latents
/// ([`FrameFormat`]). The program maps a byte x to x / 127.5 - 1.
pub const FRAME: &str = "frame";
/// The input with standard normal noise, f32 `[draws,C,H,W]`.
pub const NOISE: &str = "noise";
/// The state with the last output as the model gives it, f32 `[1,C,H,W]`; a picture is in about
/// [-1, 1].
pub const PREVIOUS: &str = "previous";
/// The output, of the type of [`FRAME`]. A picture is quantised: y becomes (y + 1) · 127.5, limited to
/// 0 to 255 and rounded to the nearest integer, halves to even. Latents are what [`PREVIOUS`] becomes.
pub const OUTPUT: &str = "output";
/// The output with the mean of what [`PREVIOUS`] becomes, f32 `[1]`: it is finite if and only if every
/// element is (an element that is NaN or infinite cannot be seen in a quantised picture).
pub const MEAN: &str = "mean";

/// The most steps of a frame that stand in its program one after the other. So passes see across
/// steps, and what depends on a step's timestep alone is computed once at compile. With more, the
/// time of passes and compile, and what is kept for each step, would grow with the steps: a step is a
/// body then, and the program calls it for each.
pub const MAX_INLINED_STEPS: usize = 8;

/// The frame program: noise the frame, denoise in the trajectory's steps, blend with the previous
/// output, update the model's state. One graph and one execution a frame; up to
/// [`MAX_INLINED_STEPS`] steps are in the graph itself, more are calls of one body.
///
/// Inputs are [`FRAME`], [`NOISE`] and the model's conditioning inputs; states are [`PREVIOUS`] and
/// the model's own.
///
/// # Errors
/// A size that the model cannot run at; a state or a conditioning input that a program has no room
/// for; a model that cannot be captured.
pub fn capture_frame<M: StreamModel>(
    model: &M,
    size: Size,
    trajectory: &Trajectory,
) -> Result<Captured, StreamError> {
    let program = FrameProgram::new(model, size, trajectory)?;
    match trajectory.steps.len() <= MAX_INLINED_STEPS {
        true => program.inlined(),
        false => program.called(),
    }
}

/// What a frame program is made of.
struct FrameProgram<'a, M> {
    model: &'a M,
    trajectory: &'a Trajectory,
    format: FrameFormat,
    /// The shape of a frame as the model sees it.
    picture: [usize; 4],
    declared: Declared,
}

impl<'a, M: StreamModel> FrameProgram<'a, M> {
    fn new(model: &'a M, size: Size, trajectory: &'a Trajectory) -> Result<Self, StreamError> {
        model.check_size(size)?;
        let format = model.frame_format();
        let channels = format.channels();
        if channels == 0 {
            let name = model.name();
            return Err(StreamError::Setting(format!(
                "model `{name}`: frames must have at least 1 channel"
            )));
        }
        Ok(FrameProgram {
            model,
            trajectory,
            format,
            picture: [1, channels, size.height, size.width],
            declared: Declared::of(model)?,
        })
    }

    /// With every step in the graph.
    fn inlined(&self) -> Result<Captured, StreamError> {
        let name = self.model.name();
        Ok(capture(name, self.model, &self.specs(), |model, x| {
            self.frame(model, x, |step| model.denoise(step))
        })?)
    }

    /// Inputs and states.
    fn specs(&self) -> Vec<Spec> {
        let [_, channels, height, width] = self.picture;
        let noise = [self.trajectory.draws(), channels, height, width];
        let frame = match self.format {
            FrameFormat::Picture { .. } => {
                Spec::input(FRAME, DType::U8, [1, height, width, channels])
            }
            FrameFormat::Latents { .. } => Spec::input(FRAME, DType::F32, self.picture),
        };
        let mut specs = vec![frame, Spec::input(NOISE, DType::F32, noise)];
        for input in &self.declared.conditions {
            specs.push(Spec::input(&input.name, dtype(input), input.shape.clone()));
        }
        specs.push(Spec::state(PREVIOUS, DType::F32, self.picture));
        for state in &self.declared.states {
            specs.push(Spec::state(&state.name, dtype(state), state.shape.clone()));
        }
        specs
    }

    /// A frame, with `denoise` for the model's step.
    fn frame(
        &self,
        model: &M,
        x: &Inputs,
        mut denoise: impl FnMut(StepInput) -> StepOutput,
    ) -> Outputs {
        let trajectory = self.trajectory;
        let frame = match self.format {
            FrameFormat::Picture { .. } => to_model(x.int(FRAME)),
            FrameFormat::Latents { .. } => x.float(FRAME),
        };
        let previous = x.float::<4>(PREVIOUS);
        let noise = x.float::<4>(NOISE);
        let state = Declared::tensors(&self.declared.states, x);
        let conditions = Declared::tensors(&self.declared.conditions, x);

        let mut draw = 0;
        let mut fresh = || {
            let picture = noise.clone().narrow(0, draw, 1);
            draw += 1;
            picture
        };
        let mut sample =
            frame.clone().mul_scalar(trajectory.signal) + fresh().mul_scalar(trajectory.noise);
        let mut last = None;
        for step in &trajectory.steps {
            let data = TensorData::from([step.timestep as i64]);
            let timestep =
                Tensor::<1, Int>::from_data(data, (x.device(), burn::tensor::DType::I64));
            let result = denoise(StepInput {
                sample: sample.clone(),
                frame: frame.clone(),
                previous: previous.clone(),
                timestep,
                state: state.clone(),
                conditions: conditions.clone(),
            });
            let clean = result.picture.clone();
            // The last step gives the clean picture as it is: its factors are 0 and 1.
            sample = if step.keep == 0.0 && step.clean == 1.0 {
                clean
            } else {
                sample.mul_scalar(step.keep) + clean.mul_scalar(step.clean)
            };
            if step.noise > 0.0 {
                sample = sample + fresh().mul_scalar(step.noise);
            }
            last = Some(result);
        }
        let output = model.blend(sample, previous, &state);
        let outputs = match self.format {
            FrameFormat::Picture { .. } => {
                Outputs::new().output(OUTPUT, from_model(output.clone()))
            }
            FrameFormat::Latents { .. } => Outputs::new().output(OUTPUT, output.clone()),
        };
        let mut outputs = outputs
            .output(MEAN, output.clone().mean())
            .state(PREVIOUS, output);
        if let Some(last) = last {
            for (name, tensor) in model.update_state(state, &last).into_inner() {
                outputs = add(outputs, Becomes::State, name, tensor);
            }
        }
        outputs
    }
}

/// From bytes `[1,H,W,C]` to f32 `[1,C,H,W]` in [-1, 1].
fn to_model(bytes: Tensor<4, Int>) -> Tensor<4> {
    let values = bytes
        .cast(FloatDType::F32)
        .div_scalar(127.5)
        .sub_scalar(1.0);
    values.permute([0, 3, 1, 2])
}

/// From f32 `[1,C,H,W]` in [-1, 1] to bytes `[1,H,W,C]`.
fn from_model(values: Tensor<4>) -> Tensor<4, Int> {
    let values = values.permute([0, 2, 3, 1]);
    let scaled = values.add_scalar(1.0).mul_scalar(127.5);
    scaled.clamp(0.0, 255.0).round().cast(IntDType::U8)
}
