//! Wire form: how a graph crosses a process's, a plugin's or a release's border.
//!
//! MessagePack, two objects one after the other, maps by name:
//!
//! ```text
//! {format: "mirage-graph", version: 1}
//! {name, attrs: {…},
//!  inputs:  [{name, value, type}],
//!  params:  [{name, value, type}],
//!  states:  [{name, value, type, becomes}],
//!  nodes:   [{op, attrs: {…}, inputs: [value], outputs: [{value, type}], path, body: graph or nil}],
//!  outputs: [{name, value}]}
//! ```
//!
//! Values are numbers, each defined once, `0..` the count of all values: a graph keeps its numbers,
//! unlike in [`text`](crate::text) form. A type is its text, `f16[1,8,4,4]@[0,2,3,1]`. Attributes are
//! maps of bools, 64-bit integers, 64-bit floats, strings, arrays and maps. An operation that the
//! reader does not know stays as it is. Fields that a reader does not know are skipped;
//! [`SCHEMA_VERSION`] counts the changes that an older reader would get wrong.

mod schema;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::schema::{
    Attributes, Definition, GraphForm, Header, NodeForm, PortForm, ResultForm, StateForm,
};
use crate::{
    Graph, GraphError, Node, NodeId, Port, Source, State, TensorType, Value, ValueId,
    text::decode_op,
};

/// The version of the form that this build writes and reads.
pub const SCHEMA_VERSION: u32 = 1;

const FORMAT: &str = "mirage-graph";

/// The nesting of maps and arrays that a reader follows: enough for bodies and attributes
/// [`MAX_DEPTH`](crate::text::MAX_DEPTH) levels deep.
const MAX_NESTING: usize = 192;

/// The wire form of a sound graph.
pub fn encode(graph: &Graph) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    let header = Header {
        format: FORMAT.into(),
        version: SCHEMA_VERSION,
    };
    header
        .serialize(&mut serializer)
        .and_then(|()| GraphForm::from(graph).serialize(&mut serializer))
        .expect("memory takes every write, and every part of a graph has a form");
    bytes
}

/// Reads the wire form of a graph and verifies the graph.
///
/// Bytes that are not in the form, or are in another version of it, give [`GraphError::Wire`]; a
/// graph that is not sound gives the verifier's error. Memory taken is in proportion to the bytes.
pub fn decode(bytes: &[u8]) -> Result<Graph, GraphError> {
    let mut deserializer = rmp_serde::Deserializer::new(bytes);
    deserializer.set_max_depth(MAX_NESTING);
    let header = Header::deserialize(&mut deserializer)
        .map_err(|e| error(format!("this is no graph in wire form: {e}")))?;
    if header.format != FORMAT {
        let message = format!(
            "expected the format `{FORMAT}`, found `{}`",
            header.format.escape_debug()
        );
        return Err(error(message));
    }
    if header.version != SCHEMA_VERSION {
        return Err(error(format!(
            "the graph is in version {} of the wire form, this build reads version {SCHEMA_VERSION}: \
             make it anew with the same release",
            header.version
        )));
    }
    let form = GraphForm::deserialize(&mut deserializer).map_err(|e| {
        let at = bytes.len() - deserializer.get_ref().len();
        error(format!(
            "the wire form is broken at byte {at} of {}: {e}",
            bytes.len()
        ))
    })?;
    match deserializer.get_ref().len() {
        0 => {}
        rest => return Err(error(format!("{rest} bytes follow the graph in wire form"))),
    }
    let graph = Graph::try_from(form)?;
    crate::verify(&graph)?;
    Ok(graph)
}

fn error(message: String) -> GraphError {
    GraphError::Wire(message)
}

impl From<&Graph> for GraphForm {
    fn from(graph: &Graph) -> Self {
        let port = |p: &Port| PortForm {
            name: p.name.clone(),
            value: p.value.0,
            ty: type_of(graph, p.value),
        };
        let node = |n: &Node| NodeForm {
            op: n.op.name().into_owned(),
            attrs: Attributes(n.op.attrs()),
            inputs: n.inputs.iter().map(|v| v.0).collect(),
            outputs: n
                .outputs
                .iter()
                .map(|&v| Definition {
                    value: v.0,
                    ty: type_of(graph, v),
                })
                .collect(),
            path: n.path.clone(),
            body: n.op.body().map(|body| Box::new(GraphForm::from(&**body))),
        };
        let state = |s: &State| StateForm {
            name: s.name.clone(),
            value: s.input.0,
            ty: type_of(graph, s.input),
            becomes: s.output.0,
        };
        GraphForm {
            name: graph.name.clone(),
            attrs: Attributes(graph.attrs.clone()),
            inputs: graph.inputs.iter().map(port).collect(),
            params: graph.params.iter().map(port).collect(),
            states: graph.states.iter().map(state).collect(),
            nodes: graph.nodes.iter().map(node).collect(),
            outputs: graph
                .outputs
                .iter()
                .map(|p| ResultForm {
                    name: p.name.clone(),
                    value: p.value.0,
                })
                .collect(),
        }
    }
}

fn type_of(graph: &Graph, value: ValueId) -> TensorType {
    graph.ty(value).clone()
}

impl TryFrom<GraphForm> for Graph {
    type Error = GraphError;

    fn try_from(form: GraphForm) -> Result<Self, GraphError> {
        let mut values = Values::new(&form);
        let inputs = ports(form.inputs, &mut values, Source::Input)?;
        let params = ports(form.params, &mut values, Source::Param)?;
        let states = states(form.states, &mut values)?;
        let nodes = form.nodes.into_iter().enumerate();
        let nodes = nodes
            .map(|(i, n)| node(i, n, &mut values))
            .collect::<Result<_, _>>()?;
        let outputs = form.outputs.into_iter();
        let outputs = outputs
            .map(|p| Port {
                name: p.name,
                value: ValueId(p.value),
            })
            .collect();
        let values = values.finish();
        Ok(Graph {
            name: form.name,
            attrs: form.attrs.0,
            values,
            inputs,
            params,
            states,
            nodes,
            outputs,
        })
    }
}

/// The table of values, filled in any sequence.
struct Values(Vec<Option<Value>>);

impl Values {
    fn new(form: &GraphForm) -> Self {
        let outputs: usize = form.nodes.iter().map(|n| n.outputs.len()).sum();
        let count = form.inputs.len() + form.params.len() + form.states.len() + outputs;
        Values(vec![None; count])
    }

    fn define(&mut self, id: u32, ty: TensorType, source: Source) -> Result<ValueId, GraphError> {
        let count = self.0.len();
        match self.0.get_mut(id as usize) {
            Some(slot @ None) => {
                *slot = Some(Value { ty, source });
                Ok(ValueId(id))
            }
            Some(_) => Err(error(format!("value {id} is defined twice"))),
            None => Err(error(format!(
                "value {id} is out of range: the graph has {count} values"
            ))),
        }
    }

    /// As many definitions as values, none twice: every slot is filled.
    fn finish(self) -> Vec<Value> {
        self.0.into_iter().flatten().collect()
    }
}

fn ports(
    forms: Vec<PortForm>,
    values: &mut Values,
    source: fn(usize) -> Source,
) -> Result<Vec<Port>, GraphError> {
    let port = |(i, p): (usize, PortForm)| {
        Ok(Port {
            name: p.name,
            value: values.define(p.value, p.ty, source(i))?,
        })
    };
    forms.into_iter().enumerate().map(port).collect()
}

fn states(forms: Vec<StateForm>, values: &mut Values) -> Result<Vec<State>, GraphError> {
    let state = |(i, s): (usize, StateForm)| {
        let input = values.define(s.value, s.ty, Source::State(i))?;
        Ok(State {
            name: s.name,
            input,
            output: ValueId(s.becomes),
        })
    };
    forms.into_iter().enumerate().map(state).collect()
}

fn node(index: usize, form: NodeForm, values: &mut Values) -> Result<Node, GraphError> {
    let id = NodeId::from_index(index);
    let types: Vec<TensorType> = form.outputs.iter().map(|d| d.ty.clone()).collect();
    let body = form
        .body
        .map(|b| Graph::try_from(*b).map(Arc::new))
        .transpose()?;
    let op = decode_op(&form.op, form.attrs.0, body, &types)
        .map_err(|e| error(format!("node {index} ({}): {e}", form.op)))?;
    let define = |(output, d): (usize, Definition)| {
        values.define(d.value, d.ty, Source::Node { node: id, output })
    };
    let outputs = form
        .outputs
        .into_iter()
        .enumerate()
        .map(define)
        .collect::<Result<_, _>>()?;
    let inputs = form.inputs.into_iter().map(ValueId).collect();
    Ok(Node {
        op,
        inputs,
        outputs,
        path: form.path,
    })
}
