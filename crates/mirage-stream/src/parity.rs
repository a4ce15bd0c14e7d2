//! Compares one forward pass on a backend with a reference.

use mirage_backend::{Backend, BackendError, Executable};
use mirage_capture::Captured;
use mirage_ir::{
    Graph, TensorData,
    interp::{self, Difference, Tensor},
};
use mirage_model::AnyModel;
use mirage_pass::Plan;

use crate::{Noise, NoisePolicy, StreamError};

/// A tensor by its name.
pub type Named = (String, TensorData);

/// Inputs of a forward pass under which every parameter matters: content everywhere, a timestep in
/// the schedule's first half, a memory that has frames in it.
///
/// # Errors
/// A size that the model cannot run at.
pub fn parity_inputs(
    model: &AnyModel,
    batch: usize,
    [height, width]: [usize; 2],
    seed: u64,
) -> Result<Vec<Named>, StreamError> {
    let specs = model.input_specs(batch, height, width)?;
    let timestep = model.config().schedule.train_timesteps as i64 * 2 / 5;
    let one = |(i, spec): (usize, &mirage_model::TensorSpec)| {
        let count = spec.shape.iter().product();
        let whole = |value| TensorData::from_i64(spec.shape.clone(), &vec![value; count]);
        let data = match spec.name.as_str() {
            "timestep" => whole(timestep),
            "frames" => whole(3),
            _ => {
                let noise =
                    Noise::new(seed.wrapping_add(i as u64), NoisePolicy::Fixed).frame(0, count);
                TensorData::from_f32(spec.shape.clone(), &noise)
            }
        };
        let data = data.map_err(|e| StreamError::Setting(format!("input `{}`: {e}", spec.name)))?;
        Ok((spec.name.clone(), data))
    };
    specs.iter().enumerate().map(one).collect()
}

/// The outputs of a captured forward pass by its definition, in f64.
///
/// # Errors
/// If an input is missing or the interpreter fails.
pub fn by_definition(captured: &Captured, inputs: &[Named]) -> Result<Vec<Tensor>, StreamError> {
    let values = in_order(&captured.graph, inputs)?;
    let run = interp::run(&captured.graph, &captured.params, &values, &[]);
    Ok(run.map_err(BackendError::from)?.outputs)
}

/// The inputs of a graph in its order, for the interpreter.
pub(crate) fn in_order(graph: &Graph, inputs: &[Named]) -> Result<Vec<Tensor>, StreamError> {
    let setting = |e: mirage_ir::OpError| StreamError::Setting(e.to_string());
    let ports = graph.inputs().iter();
    ports
        .map(|p| Tensor::from_data(find(inputs, &p.name)?).map_err(setting))
        .collect()
}

/// The outputs of one execution.
///
/// # Errors
/// If an input is missing or the backend fails.
pub fn by_execution(
    executable: &mut dyn Executable,
    inputs: &[Named],
) -> Result<Vec<Tensor>, StreamError> {
    let ports = executable.inputs().iter();
    let buffers: Result<Vec<_>, StreamError> = ports
        .map(|p| Ok(executable.upload(find(inputs, &p.name)?, &p.ty)?))
        .collect();
    let outputs = executable.execute(&buffers?)?;
    let tensor = |buffer| {
        let data = executable.download(buffer)?;
        Tensor::from_data(&data).map_err(|e| StreamError::Setting(e.to_string()))
    };
    outputs.iter().map(tensor).collect()
}

/// The largest difference of any output, by each measure.
///
/// # Errors
/// Outputs of other shapes, or not as many.
pub fn difference(candidate: &[Tensor], reference: &[Tensor]) -> Result<Difference, StreamError> {
    if candidate.len() != reference.len() {
        return Err(StreamError::Setting(format!(
            "got {} outputs, but the reference has {}",
            candidate.len(),
            reference.len()
        )));
    }
    let mut largest = Difference::default();
    for (c, r) in candidate.iter().zip(reference) {
        let d = Difference::between(c, r).map_err(|e| StreamError::Setting(e.to_string()))?;
        largest.max_abs = largest.max_abs.max(d.max_abs);
        largest.max_rel = largest.max_rel.max(d.max_rel);
        largest.rel_l2 = largest.rel_l2.max(d.rel_l2);
    }
    Ok(largest)
}

/// What a plan's result on a backend may differ by, in units of the output's largest element: what
/// the backend promises of f32, or the loosest of the plan's passes where that is more.
pub fn bound(plan: &Plan, backend: &dyn Backend) -> f64 {
    plan.backend_bound(backend.tolerance())
}

/// What a frame of this many steps may differ by from the same without passes, as a share of the picture's
/// norm: each step may add [`bound`]. `None` where a pass computes another function, which a metric judges.
pub fn frame_bound(plan: &Plan, backend: &dyn Backend, steps: usize) -> Option<f64> {
    let lossy = |step: &mirage_pass::PlannedPass| {
        matches!(step.info().numerics, mirage_pass::Numerics::Lossy { .. })
    };
    match plan.steps.iter().any(lossy) {
        true => None,
        false => Some(bound(plan, backend) * steps.max(1) as f64),
    }
}

fn find<'a>(tensors: &'a [Named], name: &str) -> Result<&'a TensorData, StreamError> {
    let found = tensors.iter().find(|(n, _)| n == name);
    let (_, data) =
        found.ok_or_else(|| StreamError::Setting(format!("input `{name}` is missing")))?;
    Ok(data)
}
