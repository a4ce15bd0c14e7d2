//! The frame program whose steps are calls of one body.
//!
//! The sampler stands in code once. What is captured here is a *skeleton*: a frame where each step
//! gives an input instead of computing, and what the step is given is an output. Then the step is
//! captured alone, and a call of it takes the place of each such input.

use std::sync::Arc;

use mirage_capture::{CaptureError, Captured, Outputs, Spec, capture};
use mirage_ir::{
    DType, Graph, GraphBuilder, GraphError, Node, Params, Source, ValueId, analysis::Uses,
    ops::Call,
};
use mirage_model::{StepInput, StepOutput, StreamModel};

use super::{Declared, FRAME, FrameProgram, PREVIOUS, dtype};
use crate::StreamError;

/// The name of the body.
const STEP: &str = "step";
/// The body's inputs that are not the program's too.
pub(super) const SAMPLE: &str = "sample";
pub(super) const TIMESTEP: &str = "timestep";
/// The body's outputs.
const PICTURE: &str = "picture";
const FEATURES: &str = "features";

/// The name in the skeleton of what step `i` is given or gives.
fn of_step(i: usize, what: &str) -> String {
    format!("{STEP}.{i}.{what}")
}

impl<M: StreamModel> FrameProgram<'_, M> {
    /// With a call for every step.
    pub(super) fn called(&self) -> Result<Captured, StreamError> {
        let step = self.step(true)?;
        let skeleton = self.skeleton(&step.graph)?;
        let step = match uses_features(&skeleton.graph) {
            true => step,
            false => self.step(false)?,
        };
        Ok(Join::new(&skeleton, step)
            .finish()
            .map_err(CaptureError::from)?)
    }

    /// A step alone: what the model gives for a sample, with or without what only the state's update
    /// reads.
    fn step(&self, with_features: bool) -> Result<Captured, StreamError> {
        let mut specs = vec![
            Spec::input(SAMPLE, DType::F32, self.picture),
            Spec::input(FRAME, DType::F32, self.picture),
            Spec::input(PREVIOUS, DType::F32, self.picture),
            Spec::input(TIMESTEP, DType::I64, [1]),
        ];
        let Declared { states, conditions } = &self.declared;
        for given in states.iter().chain(conditions) {
            specs.push(Spec::input(&given.name, dtype(given), given.shape.clone()));
        }
        Ok(capture(STEP, self.model, &specs, |model, x| {
            let step = model.denoise(StepInput {
                sample: x.float(SAMPLE),
                frame: x.float(FRAME),
                previous: x.float(PREVIOUS),
                timestep: x.int(TIMESTEP),
                state: Declared::tensors(states, x),
                conditions: Declared::tensors(conditions, x),
            });
            let outputs = Outputs::new().output(PICTURE, step.picture);
            match with_features {
                true => outputs.output(FEATURES, step.features),
                false => outputs,
            }
        })?)
    }

    /// The frame around steps that give what `step` does.
    fn skeleton(&self, step: &Graph) -> Result<Captured, StreamError> {
        let mut specs = self.specs();
        for i in 0..self.trajectory.steps.len() {
            for port in step.outputs() {
                let ty = step.ty(port.value);
                specs.push(Spec::input(
                    of_step(i, &port.name),
                    ty.dtype,
                    ty.shape.clone(),
                ));
            }
        }
        Ok(capture(
            self.model.name(),
            self.model,
            &specs,
            |model, x| {
                let mut given = Vec::new();
                let frame = self.frame(model, x, |step| {
                    let i = given.len();
                    given.push((step.sample, step.frame, step.timestep));
                    StepOutput {
                        picture: x.float(&of_step(i, PICTURE)),
                        features: x.float(&of_step(i, FEATURES)),
                    }
                });
                let given = given.into_iter().enumerate();
                given.fold(frame, |outputs, (i, (sample, frame, timestep))| {
                    outputs
                        .output(of_step(i, FRAME), frame)
                        .output(of_step(i, SAMPLE), sample)
                        .output(of_step(i, TIMESTEP), timestep)
                })
            },
        )?)
    }
}

/// Whether a frame reads any step's features.
fn uses_features(skeleton: &Graph) -> bool {
    let uses = Uses::of(skeleton);
    let is_read = |v: ValueId| !uses.users(v).is_empty() || skeleton.results().any(|r| r == v);
    let steps = skeleton
        .inputs()
        .iter()
        .filter(|p| given_by(&p.name).is_some());
    steps
        .filter(|p| p.name.ends_with(FEATURES))
        .any(|p| is_read(p.value))
}

/// The skeleton as it is made anew, with calls.
struct Join<'s> {
    skeleton: &'s Graph,
    step: Arc<Graph>,
    builder: GraphBuilder,
    /// The new values of those of the skeleton.
    values: Vec<Option<ValueId>>,
    params: Params,
}

impl<'s> Join<'s> {
    fn new(skeleton: &'s Captured, step: Captured) -> Self {
        let graph = &skeleton.graph;
        let mut join = Join {
            skeleton: graph,
            step: Arc::new(step.graph),
            builder: Graph::builder(graph.name()),
            values: vec![None; graph.values().len()],
            params: step.params,
        };
        join.builder.set_attrs(graph.attrs().clone());
        for port in graph
            .inputs()
            .iter()
            .filter(|p| given_by(&p.name).is_none())
        {
            let value = join
                .builder
                .input(port.name.clone(), graph.ty(port.value).clone());
            join.values[port.value.index()] = Some(value);
        }
        for port in graph.params() {
            let name = join.parameter(&port.name, &skeleton.params);
            let value = join.builder.param(name, graph.ty(port.value).clone());
            join.values[port.value.index()] = Some(value);
        }
        for state in graph.states() {
            let value = join
                .builder
                .state(state.name.clone(), graph.ty(state.input).clone());
            join.values[state.input.index()] = Some(value);
        }
        join
    }

    /// Takes over a parameter of the skeleton; gives its name in the program. Parameters of the model
    /// are the step's of the same name; constants that capture has numbered need not be.
    fn parameter(&mut self, name: &str, params: &Params) -> String {
        let Some(data) = params.get(name) else {
            return name.to_owned();
        };
        let name = match self.params.get(name) {
            Some(known) if known != data => format!("frame.{name}"),
            _ => name.to_owned(),
        };
        self.params.insert(name.clone(), data.clone());
        name
    }

    fn finish(mut self) -> Result<Captured, GraphError> {
        for node in self.skeleton.nodes() {
            self.node(node)?;
        }
        self.builder.set_path("");
        for port in self
            .skeleton
            .outputs()
            .iter()
            .filter(|p| given_by(&p.name).is_none())
        {
            let value = self.value(port.value)?;
            self.builder.output(port.name.clone(), value);
        }
        for state in self.skeleton.states() {
            let (input, output) = (self.value(state.input)?, self.value(state.output)?);
            self.builder.set_state(input, output)?;
        }
        Ok(Captured {
            graph: self.builder.finish()?,
            params: self.params,
        })
    }

    /// The new value of one of the skeleton, made if it is not there yet.
    fn value(&mut self, value: ValueId) -> Result<ValueId, GraphError> {
        if let Some(known) = self.values[value.index()] {
            return Ok(known);
        }
        match self.skeleton.value(value).source {
            Source::Node { node, .. } => self.node(self.skeleton.node(node))?,
            Source::Input(i) => {
                if let Some(step) = given_by(&self.skeleton.inputs()[i].name) {
                    self.call(step)?;
                }
            }
            Source::Param(_) | Source::State(_) => {}
        }
        self.values[value.index()].ok_or_else(|| self.error(format!("{value} is not defined")))
    }

    fn node(&mut self, node: &'s Node) -> Result<(), GraphError> {
        if self.values[node.output().index()].is_some() {
            return Ok(());
        }
        let operands = node.inputs.iter().map(|&v| self.value(v));
        let operands: Vec<ValueId> = operands.collect::<Result<_, _>>()?;
        self.builder.set_path(node.path.clone());
        let outputs = self.builder.push(node.op.clone(), &operands)?;
        for (v, new) in node.outputs.iter().zip(outputs) {
            self.values[v.index()] = Some(new);
        }
        Ok(())
    }

    /// The call of step `i`: its outputs are what the skeleton takes as inputs.
    fn call(&mut self, i: &str) -> Result<(), GraphError> {
        let step = self.step.clone();
        let mut operands = Vec::with_capacity(step.inputs().len());
        for port in step.inputs() {
            let value = self.operand(i, &port.name)?;
            operands.push(self.value(value)?);
        }
        self.builder.set_path("");
        let outputs = self.builder.push(Call::new(step.clone()), &operands)?;
        for (port, new) in step.outputs().iter().zip(outputs) {
            let name = format!("{STEP}.{i}.{}", port.name);
            if let Some(input) = self.skeleton.inputs().iter().find(|p| *p.name == *name) {
                self.values[input.value.index()] = Some(new);
            }
        }
        Ok(())
    }

    /// The skeleton's value for an input of step `i`: one that the sampler makes for the step, or the
    /// program's input or state of the name.
    fn operand(&self, i: &str, name: &str) -> Result<ValueId, GraphError> {
        let given = format!("{STEP}.{i}.{name}");
        let graph = self.skeleton;
        let outputs = graph.outputs().iter().filter(|p| *p.name == *given);
        let inputs = graph.inputs().iter().filter(|p| *p.name == *name);
        let states = graph.states().iter().filter(|s| *s.name == *name);
        let mut found = outputs
            .chain(inputs)
            .map(|p| p.value)
            .chain(states.map(|s| s.input));
        found.next().ok_or_else(|| {
            self.error(format!(
                "a step reads `{name}`, which is not an input or state of the frame"
            ))
        })
    }

    fn error(&self, message: String) -> GraphError {
        GraphError::Graph {
            graph: self.skeleton.name().to_owned(),
            message,
        }
    }
}

/// The number of the step in a name that [`of_step`] made.
pub(super) fn given_by(name: &str) -> Option<&str> {
    let (step, rest) = name.split_once('.')?;
    let (i, _) = rest.split_once('.')?;
    (step == STEP).then_some(i)
}
