//! Builds graphs node by node and infers their types.

use std::sync::Arc;

use crate::{
    Attrs, Graph, GraphError, Node, NodeId, Op, Port, Source, State, TensorType, Value, ValueId,
    ops::{Call, Reorder},
};

/// Builds a [`Graph`]. Operands must exist before they are used, so the nodes are in topological
/// order by construction.
///
/// ```
/// use mirage_ir::{DType, Graph, TensorType, ops::Unary};
///
/// let mut b = Graph::builder("example");
/// let x = b.input("x", TensorType::new(DType::F32, [1, 8]));
/// let y = b.op(Unary::Silu, &[x])?;
/// b.output("y", y);
/// let graph = b.finish()?;
/// assert_eq!(graph.nodes().len(), 1);
/// # Ok::<(), mirage_ir::GraphError>(())
/// ```
#[derive(Clone, Debug)]
pub struct GraphBuilder {
    graph: Graph,
    path: Arc<str>,
}

impl GraphBuilder {
    /// Returns a builder of an empty graph.
    pub fn new(name: impl Into<String>) -> Self {
        let graph = Graph {
            name: name.into(),
            attrs: Attrs::new(),
            values: Vec::new(),
            inputs: Vec::new(),
            params: Vec::new(),
            states: Vec::new(),
            nodes: Vec::new(),
            outputs: Vec::new(),
        };
        GraphBuilder {
            graph,
            path: "".into(),
        }
    }

    /// Returns the graph so far; outputs and states may be missing.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Returns the type of a value that is already built.
    pub fn ty(&self, value: ValueId) -> &TensorType {
        self.graph.ty(value)
    }

    /// Sets the module path of the nodes that are added next.
    pub fn set_path(&mut self, path: impl Into<Arc<str>>) {
        self.path = path.into();
    }

    /// Sets an attribute of the whole graph.
    pub fn set_attr(&mut self, name: impl Into<String>, value: impl Into<toml::Value>) {
        self.graph.set_attr(name, value);
    }

    /// Sets all attributes of the whole graph.
    pub fn set_attrs(&mut self, attrs: Attrs) {
        self.graph.attrs = attrs;
    }

    fn value(&mut self, ty: TensorType, source: Source) -> ValueId {
        let id = ValueId(self.graph.values.len() as u32);
        self.graph.values.push(Value { ty, source });
        id
    }

    /// Adds an input.
    pub fn input(&mut self, name: impl Into<Arc<str>>, ty: TensorType) -> ValueId {
        let value = self.value(ty, Source::Input(self.graph.inputs.len()));
        self.graph.inputs.push(Port {
            name: name.into(),
            value,
        });
        value
    }

    /// Adds a named parameter.
    pub fn param(&mut self, name: impl Into<Arc<str>>, ty: TensorType) -> ValueId {
        let value = self.value(ty, Source::Param(self.graph.params.len()));
        self.graph.params.push(Port {
            name: name.into(),
            value,
        });
        value
    }

    /// Adds a state and returns its content before the execution. Its new content is set by
    /// [`Self::set_state`]; without it, the content stays the same.
    pub fn state(&mut self, name: impl Into<Arc<str>>, ty: TensorType) -> ValueId {
        let input = self.value(ty, Source::State(self.graph.states.len()));
        self.graph.states.push(State {
            name: name.into(),
            input,
            output: input,
        });
        input
    }

    /// Sets the new content of the state whose content before the execution is `input`.
    pub fn set_state(&mut self, input: ValueId, output: ValueId) -> Result<(), GraphError> {
        match self.graph.states.iter_mut().find(|s| s.input == input) {
            Some(state) => {
                state.output = output;
                Ok(())
            }
            None => Err(self.error(format!("{input} is not a state"))),
        }
    }

    /// Adds a node and returns its outputs. Their types are inferred.
    pub fn push(
        &mut self,
        op: impl Into<Op>,
        inputs: &[ValueId],
    ) -> Result<Vec<ValueId>, GraphError> {
        let op = op.into();
        if let Some(v) = inputs.iter().find(|v| v.index() >= self.graph.values.len()) {
            return Err(self.node_error(&op, format!("operand {v} does not exist")));
        }
        let types: Vec<&TensorType> = inputs.iter().map(|&v| self.graph.ty(v)).collect();
        let outputs = op
            .infer(&types)
            .map_err(|e| self.node_error(&op, e.to_string()))?;
        Ok(self.push_typed(op, inputs, outputs))
    }

    /// Adds a node with the given output types, which the verifier compares with the inferred ones later.
    /// For parsers of forms that state types, and for unknown operations.
    pub fn push_typed(
        &mut self,
        op: Op,
        inputs: &[ValueId],
        outputs: Vec<TensorType>,
    ) -> Vec<ValueId> {
        let node = NodeId(self.graph.nodes.len() as u32);
        let outputs: Vec<ValueId> = outputs
            .into_iter()
            .enumerate()
            .map(|(output, ty)| self.value(ty, Source::Node { node, output }))
            .collect();
        self.graph.nodes.push(Node {
            op,
            inputs: inputs.to_vec(),
            outputs: outputs.clone(),
            path: self.path.clone(),
        });
        outputs
    }

    /// Adds a node that has one output and returns that.
    pub fn op(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> Result<ValueId, GraphError> {
        Ok(self.push(op, inputs)?[0])
    }

    /// Inlines a body: adds its nodes and returns its outputs. Its parameters are this graph's parameters of
    /// the same name, which are added if missing. The nodes keep their module paths.
    ///
    /// # Errors
    /// If the operands do not match the body's inputs, or the body has states.
    pub fn inline(
        &mut self,
        body: &Arc<Graph>,
        inputs: &[ValueId],
    ) -> Result<Vec<ValueId>, GraphError> {
        let call = Op::new(Call::new(body.clone()));
        let types: Vec<&TensorType> = inputs.iter().map(|&v| self.graph.ty(v)).collect();
        call.infer(&types)
            .map_err(|e| self.node_error(&call, e.to_string()))?;
        let path = self.path.clone();
        let mut values: Vec<Option<ValueId>> = vec![None; body.values().len()];
        for (port, &operand) in body.inputs().iter().zip(inputs) {
            let want = body.ty(port.value);
            let order = want.order.clone();
            values[port.value.index()] = Some(match self.ty(operand) == want {
                true => operand,
                // The same layout with another spelling of the order.
                false => self.op(Reorder { order }, &[operand])?,
            });
        }
        for port in body.params() {
            let ty = body.ty(port.value);
            let known = self.graph.params.iter().find(|p| p.name == port.name);
            let value = known.map(|p| p.value);
            values[port.value.index()] = match value {
                Some(value) if self.ty(value) != ty => {
                    let (name, is) = (&port.name, self.ty(value));
                    return Err(self.error(format!(
                        "parameter `{name}` is {is} in the graph, but {ty} in the body"
                    )));
                }
                Some(value) => Some(value),
                None => Some(self.param(port.name.clone(), ty.clone())),
            };
        }
        for node in body.nodes() {
            let operands = self.inlined(&values, node.inputs.iter())?;
            self.path = node.path.clone();
            let outputs = self.push(node.op.clone(), &operands)?;
            for (&v, new) in node.outputs.iter().zip(outputs) {
                values[v.index()] = Some(new);
            }
        }
        self.path = path;
        self.inlined(&values, body.outputs().iter().map(|p| &p.value))
    }

    /// The values of this graph for the values of a body.
    fn inlined<'v>(
        &self,
        values: &[Option<ValueId>],
        of: impl Iterator<Item = &'v ValueId>,
    ) -> Result<Vec<ValueId>, GraphError> {
        of.map(|v| {
            values[v.index()].ok_or_else(|| self.error(format!("{v} of the body is not defined")))
        })
        .collect()
    }

    /// Adds an output.
    pub fn output(&mut self, name: impl Into<Arc<str>>, value: ValueId) {
        self.graph.outputs.push(Port {
            name: name.into(),
            value,
        });
    }

    /// Verifies and returns the graph.
    pub fn finish(self) -> Result<Graph, GraphError> {
        crate::verify(&self.graph)?;
        Ok(self.graph)
    }

    /// Returns the graph without verifying it: for tests of the verifier, and for passes, whose results the
    /// manager verifies.
    pub fn finish_unverified(self) -> Graph {
        self.graph
    }

    fn error(&self, message: String) -> GraphError {
        GraphError::Graph {
            graph: self.graph.name.clone(),
            message,
        }
    }

    fn node_error(&self, op: &Op, message: String) -> GraphError {
        GraphError::Node {
            graph: self.graph.name.clone(),
            node: self.graph.nodes.len(),
            op: op.name().into_owned(),
            path: self.path.to_string(),
            message,
        }
    }
}
