//! Runs a graph in f64.

use std::borrow::Cow;

use super::Tensor;
use crate::{
    Graph, GraphError, Node, NodeId, OpError, Params, Source, ValueId, analysis::Liveness,
    callees::callee, op_bail,
};

/// The results of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The outputs, in the graph's sequence.
    pub outputs: Vec<Tensor>,
    /// The new contents of the states in the graph's sequence, to be given to the next execution.
    pub states: Vec<Tensor>,
}

/// Executes a graph in f64.
///
/// `inputs` has one tensor for each input. `states` has one for each state in the graph's sequence, or is
/// empty, which means zeros.
///
/// # Errors
/// If an input, a state or a parameter does not match the graph, or a node fails; the error names it.
pub fn run(
    graph: &Graph,
    params: &Params,
    inputs: &[Tensor],
    states: &[Tensor],
) -> Result<Run, GraphError> {
    run_values(graph, params, inputs, states, |_, _| {})
}

/// Like [`run`], and calls `observe` with the outputs of each node as soon as they are computed.
pub fn run_values(
    graph: &Graph,
    params: &Params,
    inputs: &[Tensor],
    states: &[Tensor],
    mut observe: impl FnMut(NodeId, &[&Tensor]),
) -> Result<Run, GraphError> {
    params.check(graph)?;
    let mut memory = Memory {
        graph,
        params,
        slots: vec![None; graph.values().len()],
    };
    memory.fill_inputs(&inputs.iter().collect::<Vec<_>>())?;
    memory.fill_states(states)?;
    memory.execute(&mut observe)?;
    Ok(Run {
        outputs: memory.results(graph.outputs().iter().map(|p| p.value))?,
        states: memory.results(graph.states().iter().map(|s| s.output))?,
    })
}

/// Evaluates a body (no states) on its inputs in order.
pub(crate) fn eval_body(
    body: &Graph,
    params: &Params,
    inputs: &[&Tensor],
) -> Result<Vec<Tensor>, OpError> {
    let in_body = |e: GraphError| OpError::new(format!("in the body: {e}"));
    let mut memory = Memory {
        graph: body,
        params,
        slots: vec![None; body.values().len()],
    };
    memory.fill_inputs(inputs).map_err(in_body)?;
    memory.execute(&mut |_, _| {}).map_err(in_body)?;
    memory
        .results(body.outputs().iter().map(|p| p.value))
        .map_err(in_body)
}

/// The live values of an execution. A parameter is converted to f64 when it is first used, so that not
/// all of them are held at once.
struct Memory<'a> {
    graph: &'a Graph,
    params: &'a Params,
    slots: Vec<Option<Cow<'a, Tensor>>>,
}

impl<'a> Memory<'a> {
    fn fill_inputs(&mut self, inputs: &[&'a Tensor]) -> Result<(), GraphError> {
        let ports = self.graph.inputs();
        if inputs.len() != ports.len() {
            return Err(self.error(format!(
                "takes {} inputs, got {}",
                ports.len(),
                inputs.len()
            )));
        }
        for (port, tensor) in ports.iter().zip(inputs) {
            self.fill("input", &port.name, port.value, Cow::Borrowed(tensor))?;
        }
        Ok(())
    }

    fn fill_states(&mut self, states: &'a [Tensor]) -> Result<(), GraphError> {
        let declared = self.graph.states();
        if !states.is_empty() && states.len() != declared.len() {
            return Err(self.error(format!(
                "has {} states, got {}",
                declared.len(),
                states.len()
            )));
        }
        for (i, state) in declared.iter().enumerate() {
            let tensor = match states.get(i) {
                Some(tensor) => Cow::Borrowed(tensor),
                None => Cow::Owned(Tensor::zeros(self.graph.ty(state.input))),
            };
            self.fill("state", &state.name, state.input, tensor)?;
        }
        Ok(())
    }

    fn fill(
        &mut self,
        kind: &str,
        name: &str,
        value: ValueId,
        tensor: Cow<'a, Tensor>,
    ) -> Result<(), GraphError> {
        let ty = self.graph.ty(value);
        if !tensor.fits(ty) {
            let (class, shape) = (tensor.elements().class(), tensor.shape());
            return Err(self.error(format!(
                "{kind} `{name}` is {ty}, got {class} of shape {shape:?}"
            )));
        }
        self.slots[value.index()] = Some(tensor);
        Ok(())
    }

    fn execute(&mut self, observe: &mut dyn FnMut(NodeId, &[&Tensor])) -> Result<(), GraphError> {
        let graph = self.graph;
        let liveness = Liveness::of(graph);
        for (id, node) in graph.iter() {
            let outputs = self
                .evaluate(node)
                .map_err(|e| self.node_error(id, node, &e))?;
            observe(id, &outputs.iter().collect::<Vec<_>>());
            for (&v, tensor) in node.outputs.iter().zip(outputs) {
                if liveness.leaves(v) || liveness.last_use(v).is_some() {
                    self.slots[v.index()] = Some(Cow::Owned(tensor));
                }
            }
            for &v in node
                .inputs
                .iter()
                .filter(|&&v| liveness.last_use(v) == Some(id))
            {
                self.slots[v.index()] = None;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, node: &Node) -> Result<Vec<Tensor>, OpError> {
        for &v in &node.inputs {
            self.load(v)?;
        }
        let operands = node
            .inputs
            .iter()
            .map(|&v| self.get(v))
            .collect::<Result<Vec<_>, _>>()?;
        let types = self.graph.output_types(node);
        // A callee reads the program's parameters, which an operation alone does not know.
        let outputs = match callee(&node.op) {
            Some(body) => eval_body(body, self.params, &operands)?,
            None => node.op.eval(&operands, &types)?,
        };
        if outputs.len() != types.len() {
            op_bail!(
                "its definition returned {} outputs instead of {}",
                outputs.len(),
                types.len()
            );
        }
        if let Some((tensor, ty)) = outputs
            .iter()
            .zip(&types)
            .find(|(tensor, ty)| !tensor.fits(ty))
        {
            let (class, shape) = (tensor.elements().class(), tensor.shape());
            op_bail!("its definition returned {class} of shape {shape:?} instead of {ty}");
        }
        Ok(outputs)
    }

    /// Makes a parameter's elements available.
    fn load(&mut self, value: ValueId) -> Result<(), OpError> {
        if let (None, Source::Param(i)) =
            (&self.slots[value.index()], self.graph.value(value).source)
            && let Some(data) = self.params.get(&self.graph.params()[i].name)
        {
            self.slots[value.index()] = Some(Cow::Owned(Tensor::from_data(data)?));
        }
        Ok(())
    }

    fn get(&self, value: ValueId) -> Result<&Tensor, OpError> {
        match &self.slots[value.index()] {
            Some(tensor) => Ok(tensor),
            None => op_bail!("{value} has no content: verify the graph first"),
        }
    }

    fn results(
        &mut self,
        values: impl Iterator<Item = ValueId>,
    ) -> Result<Vec<Tensor>, GraphError> {
        let mut result = |v| {
            self.load(v)?;
            self.get(v).cloned()
        };
        let tensors: Result<Vec<Tensor>, OpError> = values.map(&mut result).collect();
        tensors.map_err(|e| self.error(e.to_string()))
    }

    fn error(&self, message: String) -> GraphError {
        GraphError::Graph {
            graph: self.graph.name().to_owned(),
            message,
        }
    }

    fn node_error(&self, id: NodeId, node: &Node, e: &OpError) -> GraphError {
        GraphError::Node {
            graph: self.graph.name().to_owned(),
            node: id.index(),
            op: node.op.name().into_owned(),
            path: node.path.to_string(),
            message: e.to_string(),
        }
    }
}
