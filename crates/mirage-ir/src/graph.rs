//! Graphs: values, nodes in topological order, inputs, parameters, states and outputs.

use std::{fmt, sync::Arc};

use crate::{Attrs, GraphBuilder, Op, TensorType};

/// The id of a value. Only meaningful with the graph that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) u32);

/// The id of a node: its position in topological order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

macro_rules! id {
    ($t:ident) => {
        impl $t {
            /// Returns the position in the graph's table.
            pub fn index(self) -> usize {
                self.0 as usize
            }

            /// Returns the id at a position in the graph's table.
            pub fn from_index(index: usize) -> Self {
                $t(index as u32)
            }
        }
    };
}
id!(ValueId);
id!(NodeId);

impl fmt::Display for ValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

/// What defines a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An input, given anew at each execution.
    Input(usize),
    /// A named parameter, given once at compile.
    Param(usize),
    /// The current content of a state.
    State(usize),
    /// An output of a node.
    Node {
        /// The node.
        node: NodeId,
        /// The index of the node's output.
        output: usize,
    },
}

/// A value: its type and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Its type.
    pub ty: TensorType,
    /// What defines it.
    pub source: Source,
}

/// A named input, parameter or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The name, unique among the ports of its kind.
    pub name: Arc<str>,
    /// The value.
    pub value: ValueId,
}

/// A declared state: a buffer that the executable owns. Each execution reads `input` and leaves
/// `output` for the next one. Both have the same type. The first content is zeros unless the
/// executable is given another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The name, unique among the graph's states.
    pub name: Arc<str>,
    /// The content before the execution.
    pub input: ValueId,
    /// The content after it.
    pub output: ValueId,
}

/// One operation on values.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The operation.
    pub op: Op,
    /// Its operands.
    pub inputs: Vec<ValueId>,
    /// The values it defines.
    pub outputs: Vec<ValueId>,
    /// The module path that it came from, such as `down.0.block.1.conv1`; may be empty.
    pub path: Arc<str>,
}

impl Node {
    /// Returns the first output, which is the only one of most operations.
    pub fn output(&self) -> ValueId {
        self.outputs[0]
    }
}

/// A program on tensors in static single assignment: inputs, named parameters, states, nodes in
/// topological order, and named outputs.
///
/// A graph is built and rebuilt by a [`GraphBuilder`], never changed in place; a consumer may hold
/// tables indexed by [`ValueId`] and [`NodeId`].
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    pub(crate) name: String,
    pub(crate) attrs: Attrs,
    pub(crate) values: Vec<Value>,
    pub(crate) inputs: Vec<Port>,
    pub(crate) params: Vec<Port>,
    pub(crate) states: Vec<State>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) outputs: Vec<Port>,
}

impl Graph {
    /// A builder of a graph of this name.
    pub fn builder(name: impl Into<String>) -> GraphBuilder {
        GraphBuilder::new(name)
    }

    /// The graph's name: the model's or the region kind's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Attributes of the whole graph, such as `static_plan`.
    pub fn attrs(&self) -> &Attrs {
        &self.attrs
    }

    /// Sets an attribute of the whole graph.
    pub fn set_attr(&mut self, name: impl Into<String>, value: impl Into<toml::Value>) {
        self.attrs.insert(name.into(), value.into());
    }

    /// The inputs, in the order of execution's arguments.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The named parameters.
    pub fn params(&self) -> &[Port] {
        &self.params
    }

    /// The declared states.
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// The outputs, in the order of execution's results.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// The nodes in topological order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The nodes in topological order, with their ids.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes
            .iter()
            .enumerate()
            .map(|(i, n)| (NodeId(i as u32), n))
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// Every value, by id.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// A value.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.index()]
    }

    /// A value's type.
    pub fn ty(&self, id: ValueId) -> &TensorType {
        &self.values[id.index()].ty
    }

    /// The node that defines a value, if a node does.
    pub fn producer(&self, id: ValueId) -> Option<(NodeId, &Node)> {
        match self.value(id).source {
            Source::Node { node, .. } => Some((node, self.node(node))),
            _ => None,
        }
    }

    /// The node that defines a value and its operation, if the operation is of kind `T`.
    pub fn producer_of<T: crate::Operation>(&self, id: ValueId) -> Option<(&Node, &T)> {
        let (_, node) = self.producer(id)?;
        Some((node, node.op.get::<T>()?))
    }

    /// The types of a node's inputs.
    pub fn input_types(&self, node: &Node) -> Vec<&TensorType> {
        node.inputs.iter().map(|&v| self.ty(v)).collect()
    }

    /// The types of a node's outputs.
    pub fn output_types(&self, node: &Node) -> Vec<TensorType> {
        node.outputs.iter().map(|&v| self.ty(v).clone()).collect()
    }

    /// Values that leave the graph: outputs, then states' new contents.
    pub fn results(&self) -> impl Iterator<Item = ValueId> + '_ {
        self.outputs
            .iter()
            .map(|p| p.value)
            .chain(self.states.iter().map(|s| s.output))
    }
}
