//! Reads graphs from files and runs them.

use std::{path::Path, time::Duration};

use mirage_backend::Backend;
use mirage_bench::stats::median;
use mirage_capture::Captured;
use mirage_ir::{
    Graph, Params, TensorData, TensorType,
    interp::{self, Difference, Tensor},
    text, wire,
};
use mirage_pass::{Manager, PipelineReport, PipelineSpec, Plan, Reproducer};
use mirage_stream::{bound, difference, prepare};

use crate::{
    LabError, Result,
    infer::{Forward, on_backend},
    sweep::Values,
};

/// A graph from a file.
pub struct GraphFile {
    /// The graph, verified.
    pub graph: Graph,
    /// The passes of a reproducer.
    pub passes: Option<PipelineSpec>,
}

impl GraphFile {
    /// Reads a graph in text or wire form (`mirage graph dump`), or the one of a reproducer (`mirage run
    /// --reproducers`).
    ///
    /// # Errors
    /// If the file cannot be read or has none of these forms.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let bytes = std::fs::read(path).map_err(|e| {
            LabError::Failed(format!(
                "cannot read {name}: {e}; expected a graph written by `mirage graph dump --output`"
            ))
        })?;
        let fail = |why: &dyn std::fmt::Display| LabError::Failed(format!("{name}: {why}"));
        let Ok(text) = std::str::from_utf8(&bytes) else {
            let graph = wire::decode(&bytes).map_err(|e| {
                fail(&format_args!(
                    "{e}; expected a graph written by `mirage graph dump --output`"
                ))
            })?;
            return Ok(GraphFile {
                graph,
                passes: None,
            });
        };
        if let Ok(reproducer) = Reproducer::from_toml(text) {
            let graph = reproducer.parse_graph().map_err(|e| fail(&e))?;
            return Ok(GraphFile {
                graph,
                passes: Some(reproducer.passes),
            });
        }
        let graph = text::parse(text).map_err(|e| fail(&e))?;
        Ok(GraphFile {
            graph,
            passes: None,
        })
    }
}

/// How a graph is run.
pub struct GraphRun<'a> {
    /// The passes.
    pub plan: &'a Plan,
    /// The backend.
    pub backend: &'a dyn Backend,
    /// The index of the backend's device.
    pub device: usize,
    /// Inputs and parameters by name. Missing ones get random elements.
    pub given: Vec<(String, TensorData)>,
    /// The seed of random elements.
    pub seed: u64,
    /// Executions after the first, which are timed.
    pub repeat: u32,
    /// Whether to compare the outputs with the reference interpreter on the graph before the passes.
    pub check: bool,
}

/// The error of a graph's outputs against the reference interpreter.
pub struct Check {
    /// The largest difference of any output, by each measure.
    pub difference: Difference,
    /// The bound on [`Difference::max_rel`]: the backend's tolerance in f32, or the loosest numerics class of
    /// the passes.
    pub bound: f64,
}

/// The result of running a graph.
pub struct GraphResult {
    /// The first execution, with states of zero.
    pub forward: Forward,
    /// What every pass did.
    pub pipeline: PipelineReport,
    /// The median time of the executions after the first; `None` without any.
    pub median: Option<Duration>,
    /// The comparison with the reference interpreter, if requested.
    pub check: Option<Check>,
}

impl GraphRun<'_> {
    /// Runs the passes, compiles and executes.
    ///
    /// # Errors
    /// If a given tensor is not in the graph or has another shape or dtype, if a pass fails, or if the
    /// backend fails.
    pub fn run(self, graph: Graph) -> Result<GraphResult> {
        let mut params = Params::new();
        let mut inputs = Vec::new();
        let mut given = self.given;
        let mut seed = self.seed;
        let mut take = |name: &str, ty: &TensorType, values: Values| -> Result<TensorData> {
            seed = seed.wrapping_add(1);
            let Some(at) = given.iter().position(|(n, _)| n == name) else {
                return Ok(values.data(ty, seed)?);
            };
            let (_, data) = given.swap_remove(at);
            match data.dtype == ty.dtype && data.shape == ty.shape {
                true => Ok(data),
                false => Err(LabError::Request(format!(
                    "`{name}` is {}{:?}, but the graph expects {ty}",
                    data.dtype, data.shape
                ))),
            }
        };
        for (name, ty) in graph.all_params() {
            params.insert(name, take(name, ty, Values::Positive)?);
        }
        for port in graph.inputs() {
            let data = take(&port.name, graph.ty(port.value), Values::Centred)?;
            inputs.push((port.name.to_string(), data));
        }
        if let Some((name, _)) = given.first() {
            return Err(LabError::Request(format!(
                "`{name}` is not an input or a parameter of the graph"
            )));
        }
        let captured = Captured { graph, params };
        let defined = self.check.then(|| defined(&captured, &inputs));
        let defined = defined.transpose()?;
        let options = mirage_backend::CompileOptions {
            device: self.device,
        };
        let mut manager = Manager::new();
        let prepared = prepare(&captured, self.plan, &mut manager, self.backend, &options)?;
        drop(captured);
        let pipeline = prepared.pipeline.clone();
        let mut forward = on_backend(prepared, self.backend, &inputs)?;
        let bound = bound(self.plan, self.backend);
        let check = |defined: Vec<Tensor>| -> Result<Check> {
            let outputs = forward.outputs.iter();
            let tensors = outputs.map(|(_, data)| Tensor::from_data(data));
            let difference = difference(
                &tensors.collect::<std::result::Result<Vec<_>, _>>()?,
                &defined,
            )?;
            Ok(Check { difference, bound })
        };
        let check = defined.map(check).transpose()?;
        let mut times = Vec::new();
        if let Some(again) = &mut forward.again {
            for _ in 0..self.repeat {
                times.push(again.run()?.as_secs_f64());
            }
        }
        Ok(GraphResult {
            forward,
            pipeline,
            median: median(&times).map(Duration::from_secs_f64),
            check,
        })
    }
}

/// Returns the outputs of the first execution by the reference interpreter, with states of zero.
fn defined(captured: &Captured, inputs: &[(String, TensorData)]) -> Result<Vec<Tensor>> {
    let graph = &captured.graph;
    let inputs = inputs.iter().map(|(_, data)| Tensor::from_data(data));
    let inputs = inputs.collect::<std::result::Result<Vec<_>, _>>()?;
    let states = graph.states().iter();
    let states: Vec<Tensor> = states.map(|s| Tensor::zeros(graph.ty(s.input))).collect();
    Ok(interp::run(graph, &captured.params, &inputs, &states)?.outputs)
}
