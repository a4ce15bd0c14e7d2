//! What a model declares besides its frames: states and conditioning inputs.

use mirage_capture::{Inputs, Outputs};
use mirage_ir::DType;
use mirage_model::{AnyTensor, NamedTensors, StreamModel, TensorSpec};

use super::{FRAME, MEAN, NOISE, OUTPUT, PREVIOUS, calls};
use crate::StreamError;

/// A model's states and conditioning inputs, checked.
pub(super) struct Declared {
    pub(super) states: Vec<TensorSpec>,
    pub(super) conditions: Vec<TensorSpec>,
}

impl Declared {
    /// # Errors
    /// A name that is taken or used twice; a type that a program has no room for.
    pub(super) fn of<M: StreamModel>(model: &M) -> Result<Self, StreamError> {
        let declared = Declared {
            states: model.state_specs(1),
            conditions: model.condition_specs(),
        };
        let mut names = vec![
            FRAME,
            NOISE,
            PREVIOUS,
            OUTPUT,
            MEAN,
            calls::SAMPLE,
            calls::TIMESTEP,
        ];
        let states = declared.states.iter().map(|s| ("state", s));
        let conditions = declared
            .conditions
            .iter()
            .map(|s| ("conditioning input", s));
        for (what, spec) in states.chain(conditions) {
            let refuse = |reason: String| {
                let (model, name) = (model.name(), &spec.name);
                Err(StreamError::Setting(format!(
                    "model `{model}`: {what} `{name}` {reason}"
                )))
            };
            if spec.name.is_empty() || calls::given_by(&spec.name).is_some() {
                let reason = "has a reserved name; use a plain word";
                return refuse(reason.to_owned());
            }
            if names.contains(&&*spec.name) {
                return refuse("has a name that is already used; choose another".to_owned());
            }
            if spec.shape.contains(&0) {
                return refuse(format!("has no elements: its shape is {:?}", spec.shape));
            }
            let most = match () {
                () if spec.dtype.is_float() => 4,
                () if spec.dtype.is_int() => 2,
                () => 0,
            };
            let fits = (1..=most).contains(&spec.shape.len());
            if !fits || mirage_capture::ir_dtype(spec.dtype).is_none() {
                return refuse(format!(
                    "has the unsupported type {:?} of rank {}: use floats of rank 1 to 4 or integers of rank 1 or 2",
                    spec.dtype,
                    spec.shape.len()
                ));
            }
            names.push(&spec.name);
        }
        Ok(declared)
    }

    /// The captured tensors behind some of these declarations.
    pub(super) fn tensors(specs: &[TensorSpec], x: &Inputs) -> NamedTensors {
        let specs = specs.iter();
        NamedTensors::new(specs.map(|s| (s.name.clone(), tensor(x, s))).collect())
    }
}

/// The graph's name of a declared element type, which was checked.
pub(super) fn dtype(spec: &TensorSpec) -> DType {
    mirage_capture::ir_dtype(spec.dtype).unwrap_or(DType::F32)
}

/// The captured input behind a model's own declaration, which was checked.
pub(super) fn tensor(x: &Inputs, spec: &TensorSpec) -> AnyTensor {
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
pub(super) enum Becomes {
    Output,
    State,
}

/// Adds a tensor of any kind and rank to the results.
pub(super) fn add(outputs: Outputs, role: Becomes, name: String, tensor: AnyTensor) -> Outputs {
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
