//! Programs captured from a model: a whole frame of a stream, or one forward pass.

mod calls;
#[cfg(test)]
mod tests;

use burn::tensor::{Int, Tensor, TensorData};
use mirage_capture::{Captured, Inputs, Outputs, Spec, capture};
use mirage_ir::DType;
use mirage_model::{
    AnyModel, AnyTensor, Size, StateTensors, StepInput, StepOutput, StreamModel, TensorSpec,
};

use crate::{StreamError, Trajectory};

/// The input with the frame, f32 `[1,3,H,W]` in [-1, 1].
pub const FRAME: &str = "frame";
/// The input with standard normal noise, f32 `[draws,3,H,W]`.
pub const NOISE: &str = "noise";
/// The state with the last output, f32 `[1,3,H,W]`.
pub const PREVIOUS: &str = "previous";
/// The output, f32 `[1,3,H,W]` in [-1, 1]; also what [`PREVIOUS`] becomes.
pub const OUTPUT: &str = "output";

/// The most steps of a frame that stand in its program one after the other. So passes see across
/// steps, and what depends on a step's timestep alone is computed once at compile. With more, the
/// time of passes and compile, and what is kept for each step, would grow with the steps: a step is a
/// body then, and the program calls it for each.
pub const MAX_INLINED_STEPS: usize = 8;

/// The frame program: noise the frame, denoise in the trajectory's steps, blend with the previous
/// output, update the model's state. One graph and one execution a frame; up to
/// [`MAX_INLINED_STEPS`] steps are in the graph itself, more are calls of one body.
///
/// # Errors
/// A size that the model cannot run at; a model that cannot be captured.
pub fn capture_frame(
    model: &AnyModel,
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
struct FrameProgram<'a> {
    model: &'a AnyModel,
    trajectory: &'a Trajectory,
    picture: [usize; 4],
    states: Vec<TensorSpec>,
}

impl<'a> FrameProgram<'a> {
    fn new(
        model: &'a AnyModel,
        size: Size,
        trajectory: &'a Trajectory,
    ) -> Result<Self, StreamError> {
        model.config().validate_size(size)?;
        Ok(FrameProgram {
            model,
            trajectory,
            picture: [1, 3, size.height, size.width],
            states: model.state_specs(1),
        })
    }

    /// With every step in the graph.
    fn inlined(&self) -> Result<Captured, StreamError> {
        let name = self.model.config().name.clone();
        Ok(capture(&name, self.model, &self.specs(), |model, x| {
            self.frame(model, x, |step| model.denoise(step))
        })?)
    }

    /// Inputs and states.
    fn specs(&self) -> Vec<Spec> {
        let [_, _, height, width] = self.picture;
        let noise = [self.trajectory.draws(), 3, height, width];
        let mut specs = vec![
            Spec::input(FRAME, DType::F32, self.picture),
            Spec::input(NOISE, DType::F32, noise),
            Spec::state(PREVIOUS, DType::F32, self.picture),
        ];
        for state in &self.states {
            specs.push(Spec::state(&state.name, dtype(state), state.shape.clone()));
        }
        specs
    }

    /// The declared state.
    fn state(&self, x: &Inputs) -> StateTensors {
        let states = self.states.iter();
        StateTensors::new(states.map(|s| (s.name.clone(), tensor(x, s))).collect())
    }

    /// A frame, with `denoise` for the model's step.
    fn frame(
        &self,
        model: &AnyModel,
        x: &Inputs,
        mut denoise: impl FnMut(StepInput) -> StepOutput,
    ) -> Outputs {
        let trajectory = self.trajectory;
        let frame = x.float::<4>(FRAME);
        let previous = x.float::<4>(PREVIOUS);
        let noise = x.float::<4>(NOISE);
        let state = self.state(x);

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
        let mut outputs = Outputs::new()
            .output(OUTPUT, output.clone())
            .state(PREVIOUS, output);
        if let Some(last) = last {
            for (name, tensor) in model.update_state(state, &last).into_inner() {
                outputs = add(outputs, Becomes::State, name, tensor);
            }
        }
        outputs
    }
}

/// One forward pass with the model's own inputs and outputs; its state is among both.
///
/// # Errors
/// A size that the model cannot run at; a model that cannot be captured.
pub fn capture_forward(
    model: &AnyModel,
    batch: usize,
    size: Size,
) -> Result<Captured, StreamError> {
    let inputs = model.input_specs(batch, size.height, size.width)?;
    let specs: Vec<Spec> = inputs
        .iter()
        .map(|s| Spec::input(&s.name, dtype(s), s.shape.clone()))
        .collect();
    let name = model.config().name.clone();
    Ok(capture(&name, model, &specs, |model, x| {
        let values = inputs
            .iter()
            .map(|s| (s.name.clone(), tensor(x, s)))
            .collect();
        // The specs are the model's own, so it has nothing to refuse.
        let outputs = model.forward_named(values).unwrap_or_default();
        outputs
            .into_iter()
            .fold(Outputs::new(), |all, (name, tensor)| {
                add(all, Becomes::Output, name, tensor)
            })
    })?)
}

/// The graph's name of an element type of a model. Models here use no type that the graph lacks.
fn dtype(spec: &TensorSpec) -> DType {
    mirage_capture::ir_dtype(spec.dtype).unwrap_or(DType::F32)
}

/// The captured input behind a model's own declaration.
fn tensor(x: &Inputs, spec: &TensorSpec) -> AnyTensor {
    match (spec.shape.len(), spec.dtype.is_float()) {
        (1, true) => x.float::<1>(&spec.name).into(),
        (2, true) => x.float::<2>(&spec.name).into(),
        (3, true) => x.float::<3>(&spec.name).into(),
        (1, false) => x.int::<1>(&spec.name).into(),
        (2, false) => x.int::<2>(&spec.name).into(),
        _ => x.float::<4>(&spec.name).into(),
    }
}

/// What a tensor that a model gives becomes.
#[derive(Clone, Copy)]
enum Becomes {
    Output,
    State,
}

/// Adds a tensor of any kind and rank to the results.
fn add(outputs: Outputs, role: Becomes, name: String, tensor: AnyTensor) -> Outputs {
    macro_rules! each {
        ($($variant:ident),*) => {
            match (role, tensor) {
                $((Becomes::Output, AnyTensor::$variant(t)) => outputs.output(name, t),
                (Becomes::State, AnyTensor::$variant(t)) => outputs.state(name, t),)*
                _ => outputs,
            }
        };
    }
    each!(Float1, Float2, Float3, Float4, Int1, Int2)
}
