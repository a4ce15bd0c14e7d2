//! The wire form of graphs, exchanged with plugins, other processes and other releases.
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
//! A graph with calls has version 2, with a third object between those two, the distinct bodies:
//! `[graph]`, each after those that it calls. A call has no `body` but a `callee`, the index of its body.
//!
//! Values are numbers, each defined once, `0..` the count of all values: a graph keeps its numbers,
//! unlike in [`text`](crate::text) form. A type is its text, `f16[1,8,4,4]@[0,2,3,1]`. Attributes are
//! maps of bools, 64-bit integers, 64-bit floats, strings, arrays and maps. A reader keeps operations that
//! it does not know and skips unknown fields. [`SCHEMA_VERSION`] counts incompatible changes; a graph is
//! written in the oldest version that can represent it.

mod schema;

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use self::schema::{
    Attributes, Definition, GraphForm, Header, NodeForm, PortForm, ResultForm, StateForm,
};
use crate::{
    Graph, GraphError, Node, NodeId, Port, Source, State, TensorType, Value, ValueId,
    callees::callee,
    text::{MAX_DEPTH, decode_op},
};

/// The newest version of the form. This build reads it and all before it.
pub const SCHEMA_VERSION: u32 = 2;

/// The version of graphs without calls.
const WITHOUT_CALLS: u32 = 1;

const FORMAT: &str = "mirage-graph";

/// The maximum nesting of maps and arrays: enough for bodies and attributes
/// [`MAX_DEPTH`](crate::text::MAX_DEPTH) levels deep.
const MAX_NESTING: usize = 192;

/// Returns the version of the form that [`encode`] writes for a graph.
pub fn version(graph: &Graph) -> u32 {
    fn has_calls(graph: &Graph) -> bool {
        let calls = |node: &Node| callee(&node.op).is_some();
        let nodes = graph.nodes();
        nodes
            .iter()
            .any(|n| calls(n) || n.op.body().is_some_and(|body| has_calls(body)))
    }
    if has_calls(graph) {
        SCHEMA_VERSION
    } else {
        WITHOUT_CALLS
    }
}

/// Returns the wire form of a valid graph.
pub fn encode(graph: &Graph) -> Vec<u8> {
    let mut bodies = Bodies::default();
    let form = bodies.graph(graph);
    let has_calls = !bodies.forms.is_empty();
    let header = Header {
        format: FORMAT.into(),
        version: version(graph),
    };
    let mut bytes = Vec::new();
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    header
        .serialize(&mut serializer)
        .and_then(|()| {
            if has_calls {
                bodies.forms.serialize(&mut serializer)
            } else {
                Ok(())
            }
        })
        .and_then(|()| form.serialize(&mut serializer))
        .expect("memory takes every write, and every part of a graph has a form");
    bytes
}

/// Decodes and verifies a graph. Memory use is proportional to the number of bytes.
///
/// # Errors
/// [`GraphError::Wire`] for bytes that are not in the form or in a newer version of it, or the verifier's
/// error.
pub fn decode(bytes: &[u8]) -> Result<Graph, GraphError> {
    let mut deserializer = rmp_serde::Deserializer::new(bytes);
    deserializer.set_max_depth(MAX_NESTING);
    let header = Header::deserialize(&mut deserializer)
        .map_err(|_| error("not a graph in wire form, or truncated in its header".to_owned()))?;
    if header.format != FORMAT {
        let message = format!(
            "expected the format `{FORMAT}`, found `{}`",
            header.format.escape_debug()
        );
        return Err(error(message));
    }
    if !(WITHOUT_CALLS..=SCHEMA_VERSION).contains(&header.version) {
        return Err(error(format!(
            "the graph is in version {} of the wire form, this build reads up to version {SCHEMA_VERSION}: \
             make it anew with the same release",
            header.version
        )));
    }
    let forms: Vec<GraphForm> = match header.version {
        WITHOUT_CALLS => Vec::new(),
        _ => read(&mut deserializer, bytes)?,
    };
    let form: GraphForm = read(&mut deserializer, bytes)?;
    match deserializer.get_ref().len() {
        0 => {}
        rest => return Err(error(format!("{rest} bytes follow the graph in wire form"))),
    }
    let mut callees = Vec::with_capacity(forms.len());
    for form in forms {
        let (body, height) = graph(form, &callees)?;
        callees.push((Arc::new(body), height));
    }
    let (graph, _) = graph(form, &callees)?;
    crate::verify(&graph)?;
    Ok(graph)
}

type Deserializer<'b> = rmp_serde::Deserializer<rmp_serde::decode::ReadReader<&'b [u8]>>;

/// The next object.
fn read<T: DeserializeOwned>(
    deserializer: &mut Deserializer<'_>,
    bytes: &[u8],
) -> Result<T, GraphError> {
    T::deserialize(&mut *deserializer).map_err(|e| {
        let at = bytes.len() - deserializer.get_ref().len();
        error(format!(
            "the wire form is broken at byte {at} of {}: {e}",
            bytes.len()
        ))
    })
}

fn error(message: String) -> GraphError {
    GraphError::Wire(message)
}

/// The bodies of calls in wire form, in the sequence in which they are found.
#[derive(Default)]
struct Bodies<'g> {
    forms: Vec<GraphForm>,
    /// The body behind each form.
    distinct: Vec<&'g Arc<Graph>>,
    numbers: HashMap<*const Graph, u32>,
}

impl<'g> Bodies<'g> {
    /// Returns the index of a body. Equal bodies have the same index.
    fn number(&mut self, body: &'g Arc<Graph>) -> u32 {
        if let Some(&number) = self.numbers.get(&Arc::as_ptr(body)) {
            return number;
        }
        let number = match self.distinct.iter().position(|known| *known == body) {
            Some(number) => number,
            None => {
                let form = self.graph(body);
                self.forms.push(form);
                self.distinct.push(body);
                self.forms.len() - 1
            }
        } as u32;
        self.numbers.insert(Arc::as_ptr(body), number);
        number
    }

    fn graph(&mut self, graph: &'g Graph) -> GraphForm {
        let port = |p: &Port| PortForm {
            name: p.name.clone(),
            value: p.value.0,
            ty: type_of(graph, p.value),
        };
        let state = |s: &State| StateForm {
            name: s.name.clone(),
            value: s.input.0,
            ty: type_of(graph, s.input),
            becomes: s.output.0,
        };
        let output = |p: &Port| ResultForm {
            name: p.name.clone(),
            value: p.value.0,
        };
        GraphForm {
            name: graph.name.clone(),
            attrs: Attributes(graph.attrs.clone()),
            inputs: graph.inputs.iter().map(port).collect(),
            params: graph.params.iter().map(port).collect(),
            states: graph.states.iter().map(state).collect(),
            nodes: graph.nodes.iter().map(|n| self.node(graph, n)).collect(),
            outputs: graph.outputs.iter().map(output).collect(),
        }
    }

    fn node(&mut self, graph: &'g Graph, node: &'g Node) -> NodeForm {
        let definition = |&v: &ValueId| Definition {
            value: v.0,
            ty: type_of(graph, v),
        };
        let callee = callee(&node.op);
        let inline = node.op.body().filter(|_| callee.is_none());
        NodeForm {
            op: node.op.name().into_owned(),
            attrs: Attributes(node.op.attrs()),
            inputs: node.inputs.iter().map(|v| v.0).collect(),
            outputs: node.outputs.iter().map(definition).collect(),
            path: node.path.clone(),
            body: inline.map(|body| Box::new(self.graph(body))),
            callee: callee.map(|body| self.number(body)),
        }
    }
}

fn type_of(graph: &Graph, value: ValueId) -> TensorType {
    graph.ty(value).clone()
}

/// A graph from its form, and how deep bodies nest in it. `callees` are the bodies that it may call,
/// likewise.
fn graph(form: GraphForm, callees: &[(Arc<Graph>, usize)]) -> Result<(Graph, usize), GraphError> {
    let mut values = Values::new(&form);
    let inputs = ports(form.inputs, &mut values, Source::Input)?;
    let params = ports(form.params, &mut values, Source::Param)?;
    let states = states(form.states, &mut values)?;
    let mut nodes = Vec::with_capacity(form.nodes.len());
    let mut height = 0;
    for (i, form) in form.nodes.into_iter().enumerate() {
        let (node, inner) = node(i, form, &mut values, callees)?;
        nodes.push(node);
        height = height.max(inner);
    }
    let output = |p: ResultForm| Port {
        name: p.name,
        value: ValueId(p.value),
    };
    let graph = Graph {
        name: form.name,
        attrs: form.attrs.0,
        values: values.finish(),
        inputs,
        params,
        states,
        nodes,
        outputs: form.outputs.into_iter().map(output).collect(),
    };
    Ok((graph, height))
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

    /// Fails if a value is not defined.
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

/// A node from its form, and how deep bodies nest at it.
fn node(
    index: usize,
    form: NodeForm,
    values: &mut Values,
    callees: &[(Arc<Graph>, usize)],
) -> Result<(Node, usize), GraphError> {
    let id = NodeId::from_index(index);
    let types: Vec<TensorType> = form.outputs.iter().map(|d| d.ty.clone()).collect();
    let wrong = |message: String| error(format!("node {index} ({}): {message}", form.op));
    let body = match (form.body, form.callee) {
        (None, None) => None,
        (Some(inline), None) => {
            let (body, height) = graph(*inline, callees)?;
            Some((Arc::new(body), height))
        }
        (None, Some(callee)) => match callees.get(callee as usize) {
            Some(known) => Some(known.clone()),
            None => {
                let message = format!("no body before this graph has the number {callee}");
                return Err(wrong(message));
            }
        },
        (Some(_), Some(_)) => return Err(wrong("has a body and a callee".to_owned())),
    };
    let (body, height) = body.map_or((None, 0), |(body, height)| (Some(body), 1 + height));
    // Dropping and verifying a graph recurse into bodies, so nesting is bounded here.
    if height > MAX_DEPTH {
        return Err(wrong(format!("bodies nest deeper than {MAX_DEPTH} levels")));
    }
    let op = decode_op(&form.op, form.attrs.0, body, &types).map_err(|e| wrong(e.to_string()))?;
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
    let node = Node {
        op,
        inputs,
        outputs,
        path: form.path,
    };
    Ok((node, height))
}
