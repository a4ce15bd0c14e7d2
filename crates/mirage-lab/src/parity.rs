//! Compares a model's forward pass on a backend, with sets of passes, with the reference interpreter or
//! another backend.

use mirage_backend::{Backend, CompileOptions};
use mirage_capture::Captured;
use mirage_ir::interp::Tensor;
use mirage_model::{ModelConfig, Size, build};
use mirage_pass::{Manager, PipelineSpec, Plan, Registry, plan};
use mirage_stream::{
    Named, bound, by_definition, capture_forward, difference, parity_inputs, prepare,
};
use serde::Serialize;

use crate::{LabError, Result, infer::on_backend};

/// The dtype of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As captured.
    F32,
    /// By the pass `fp16`.
    Fp16,
    /// By the pass `bf16`.
    Bf16,
}

impl Precision {
    /// All dtypes.
    pub const ALL: [Precision; 3] = [Precision::F32, Precision::Fp16, Precision::Bf16];

    /// Returns `f32`, or the name of the pass that lowers precision.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Fp16 => "fp16",
            Precision::Bf16 => "bf16",
        }
    }

    /// Returns the set with the pass that lowers precision.
    fn with(self, set: &str) -> String {
        match (self, set) {
            (Precision::F32, set) => set.to_owned(),
            (lower, "") => lower.name().to_owned(),
            (lower, set) => format!("{},{set}", lower.name()),
        }
    }
}

/// One comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The model.
    pub model: String,
    /// Width and height.
    pub size: [usize; 2],
    /// The backend.
    pub backend: &'static str,
    /// The set of passes, without the one that lowers precision.
    pub passes: String,
    /// The dtype.
    pub dtype: &'static str,
    /// The largest absolute difference of any output.
    pub max_abs: Option<f64>,
    /// The largest difference divided by the output's largest element.
    pub max_rel: Option<f64>,
    /// The norm of the differences divided by that of the output.
    pub rel_l2: Option<f64>,
    /// The bound on `max_rel`.
    pub bound: f64,
    /// Whether `max_rel` is within the bound.
    pub within: bool,
    /// Why there is no result.
    pub error: Option<String>,
    /// Notes of the backend, such as fallbacks.
    pub notes: Vec<String>,
}

/// A set of passes in a precision, planned.
pub struct Set {
    passes: String,
    precision: Precision,
    plan: Plan,
}

impl Set {
    /// Plans a set of passes, such as `sdpa,fuse`, in a precision.
    ///
    /// # Errors
    /// If a pass is unknown or the passes cannot be combined.
    pub fn new(registry: &Registry, passes: &str, precision: Precision) -> Result<Self> {
        let whole = precision.with(passes);
        let spec: PipelineSpec = whole
            .parse()
            .map_err(|e| LabError::Request(format!("--passes {whole}: {e}")))?;
        let plan = plan(registry, &spec)
            .map_err(|e| LabError::Request(format!("--passes {whole}: {e}")))?;
        Ok(Set {
            passes: passes.to_owned(),
            precision,
            plan,
        })
    }
}

/// The reference of a comparison.
pub enum Reference {
    /// The reference interpreter in f64.
    Definition,
    /// A backend in f32 without passes.
    Backend(&'static dyn Backend),
}

/// A model's forward pass with its inputs and expected outputs.
pub struct Case {
    model: String,
    size: [usize; 2],
    captured: Captured,
    inputs: Vec<Named>,
    reference: Vec<Tensor>,
}

impl Case {
    /// Builds a model with seeded weights and computes its reference on seeded inputs.
    ///
    /// # Errors
    /// If the model cannot be captured or the reference cannot be computed.
    pub fn new(
        config: &ModelConfig,
        size: Size,
        seed: u64,
        reference: &Reference,
        registry: &Registry,
    ) -> Result<Self> {
        let model = build(config, &burn::tensor::Device::flex(), seed)?;
        let inputs = parity_inputs(&model, 1, [size.height, size.width], seed)?;
        let captured = capture_forward(&model, 1, size)?;
        let reference = match reference {
            Reference::Definition => by_definition(&captured, &inputs)?,
            Reference::Backend(backend) => {
                let none = plan(registry, &PipelineSpec::empty())?;
                execute(&captured, &inputs, *backend, &none)?.0
            }
        };
        Ok(Case {
            model: config.name.clone(),
            size: [size.width, size.height],
            captured,
            inputs,
            reference,
        })
    }
}

/// Returns the outputs and notes of one execution.
fn execute(
    captured: &Captured,
    inputs: &[Named],
    backend: &dyn Backend,
    plan: &Plan,
) -> Result<(Vec<Tensor>, Vec<String>)> {
    let options = CompileOptions::default();
    let prepared = prepare(captured, plan, &mut Manager::new(), backend, &options)?;
    let forward = on_backend(prepared, backend, inputs)?;
    let outputs = forward.outputs.iter();
    let outputs = outputs
        .map(|(_, data)| Tensor::from_data(data))
        .collect::<Result<_, _>>()?;
    Ok((outputs, forward.notes))
}

/// Runs a set on a backend and compares. A failure is a row with its error.
pub fn compare(case: &Case, backend: &'static dyn Backend, set: &Set) -> Row {
    let bound = bound(&set.plan, backend);
    let compared = execute(&case.captured, &case.inputs, backend, &set.plan)
        .and_then(|(outputs, notes)| Ok((difference(&outputs, &case.reference)?, notes)));
    let (found, error, notes) = match compared {
        Ok((difference, notes)) => (Some(difference), None, notes),
        Err(error) => (None, Some(error.to_string()), Vec::new()),
    };
    Row {
        model: case.model.clone(),
        size: case.size,
        backend: backend.info().name,
        passes: set.passes.clone(),
        dtype: set.precision.name(),
        max_abs: found.map(|d| d.max_abs),
        max_rel: found.map(|d| d.max_rel),
        rel_l2: found.map(|d| d.rel_l2),
        bound,
        within: found.is_some_and(|d| d.max_rel <= bound),
        error,
        notes,
    }
}
