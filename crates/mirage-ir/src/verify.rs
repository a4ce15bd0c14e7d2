//! The verifier, which checks graphs before and after every pass.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    Graph, GraphError, Node, NodeId, OpError, Source, TensorType, ValueId,
    callees::{by_identity, own_params},
    op_bail, op_ensure,
    ops::{Call, Region},
    regions,
    text::{MAX_DEPTH, PrintOptions, print_with},
};

/// The maximum number of dimensions of a tensor.
const MAX_RANK: usize = 16;

/// The maximum number of nodes of a program with all bodies inlined. Without a limit, a small graph with
/// shared bodies could describe an unlimited amount of work.
const MAX_NODES: usize = 1 << 20;

/// The maximum number of bytes of a tensor: the address space of a 64-bit machine. Sums of sizes do not
/// overflow.
const MAX_BYTES: usize = 1 << 48;

/// Checks a graph:
///
/// 1. every value is defined once, by its [`Source`], and before its uses;
/// 2. every node has an output, and its output types are what its operation infers from its inputs;
/// 3. every type is valid: at most 16 dimensions, an order of the shape's rank, at most 2⁴⁸ bytes;
/// 4. names are unique among inputs, among parameters, among states and among outputs;
/// 5. a state's new content has the state's layout in memory;
/// 6. bodies satisfy all this too and nest at most 32 deep; the body of a known kind of region
///    equals the kind's expansion, and no region's body calls another;
/// 7. parameters of the same name have the same type in the graph and in all bodies that it calls;
/// 8. with all bodies inlined there are at most 2²⁰ nodes;
/// 9. attributes that are [`GraphFlag`](crate::GraphFlag)s are booleans.
///
/// The error names the first invalid node, with its operation and module path. The time is linear in the
/// size of the graph; a shared body is checked once.
pub fn verify(graph: &Graph) -> Result<(), GraphError> {
    Verifier::default().graph(graph, 0)?;
    parameters(graph)
}

#[derive(Default)]
struct Verifier {
    /// Bodies that are valid.
    bodies: HashMap<*const Graph, Facts>,
}

/// Facts about a valid graph.
#[derive(Clone, Copy, Default)]
struct Facts {
    /// How deep bodies nest in it.
    height: usize,
    /// How many nodes it has, those of its bodies counted where they are used.
    nodes: usize,
    /// Whether a node is a call.
    calls: bool,
}

impl Verifier {
    /// Checks a graph that is nested in `depth` others.
    fn graph(&mut self, graph: &Graph, depth: usize) -> Result<Facts, GraphError> {
        if let Some((flag, value)) = graph.damaged_flag() {
            return Err(error(
                graph,
                format!("attribute `{flag}` must be true or false, got {value}"),
            ));
        }
        let mut defined = Defined(vec![false; graph.values.len()]);
        ports(graph, &mut defined)?;
        let mut facts = Facts::default();
        for (id, node) in graph.iter() {
            let inner = self
                .node(graph, id, node, &mut defined, depth)
                .map_err(|e| GraphError::Node {
                    graph: graph.name.clone(),
                    node: id.index(),
                    op: node.op.name().into_owned(),
                    path: node.path.to_string(),
                    message: e.to_string(),
                })?;
            facts.height = facts.height.max(inner.height);
            facts.nodes = facts.nodes.saturating_add(1 + inner.nodes);
            facts.calls |= inner.calls || node.op.is::<Call>();
        }
        if let Some(v) = defined.0.iter().position(|d| !d) {
            return Err(error(
                graph,
                format!("value {} is never defined", ValueId::from_index(v)),
            ));
        }
        outputs(graph, &defined)?;
        states(graph, &defined)?;
        if facts.nodes > MAX_NODES {
            return Err(error(
                graph,
                format!("has more than {MAX_NODES} nodes, with its bodies inlined"),
            ));
        }
        Ok(facts)
    }

    fn node(
        &mut self,
        graph: &Graph,
        id: NodeId,
        node: &Node,
        defined: &mut Defined,
        depth: usize,
    ) -> Result<Facts, OpError> {
        for &v in &node.inputs {
            op_ensure!(defined.has(v), "operand {v} is not defined before its use");
        }
        // The body first: the operation infers its types from it.
        let facts = match node.op.body() {
            Some(body) => self.body(body, depth + 1)?,
            None => Facts::default(),
        };
        let inferred = node.op.infer(&graph.input_types(node))?;
        op_ensure!(!node.outputs.is_empty(), "has no output");
        op_ensure!(
            inferred.len() == node.outputs.len(),
            "has {} outputs instead of {}",
            node.outputs.len(),
            inferred.len()
        );
        for (output, (&v, ty)) in node.outputs.iter().zip(&inferred).enumerate() {
            let value = defined.define(graph, v, Source::Node { node: id, output });
            let Some(stated) = value else {
                op_bail!("output {v} is defined elsewhere")
            };
            op_ensure!(
                stated == ty,
                "output {v} is stated as {stated}, but is {ty}"
            );
            sound(ty)?;
        }
        if let Some(region) = node.op.get::<Region>() {
            op_ensure!(
                !facts.calls,
                "the body of a region has no calls: inline them"
            );
            check_expansion(region, node.op.body())?;
        }
        Ok(facts)
    }

    /// Checks a body; gives what is known of a node that has it.
    fn body(&mut self, body: &Arc<Graph>, depth: usize) -> Result<Facts, OpError> {
        let facts = match self.bodies.get(&Arc::as_ptr(body)) {
            Some(&facts) => facts,
            None if depth > MAX_DEPTH => Facts::default(),
            None => self
                .graph(body, depth)
                .map_err(|e| OpError::new(format!("in the body: {e}")))?,
        };
        op_ensure!(
            depth + facts.height <= MAX_DEPTH,
            "bodies nest deeper than {MAX_DEPTH} levels"
        );
        self.bodies.insert(Arc::as_ptr(body), facts);
        Ok(Facts {
            height: 1 + facts.height,
            ..facts
        })
    }
}

/// Checks that parameters of the same name have the same type in all graphs of a program.
fn parameters(program: &Graph) -> Result<(), GraphError> {
    let mut known: HashMap<&str, (&TensorType, &Graph)> = HashMap::new();
    let callees = by_identity(program).into_iter().map(|body| &**body);
    for graph in std::iter::once(program).chain(callees) {
        for (name, ty) in own_params(graph) {
            match known.insert(name, (ty, graph)) {
                Some((other, place)) if other != ty => {
                    let message = format!(
                        "parameter `{name}` is {ty}, but {other} in `{}`: parameters of the same name must have the same type",
                        place.name
                    );
                    return Err(error(graph, message));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The values that the checked part of the graph defines.
struct Defined(Vec<bool>);

impl Defined {
    fn has(&self, value: ValueId) -> bool {
        self.0.get(value.index()) == Some(&true)
    }

    /// Records the definition of a value and returns its stated type; `None` if the value does not exist, has
    /// another source, or is already defined.
    fn define<'g>(
        &mut self,
        graph: &'g Graph,
        value: ValueId,
        source: Source,
    ) -> Option<&'g TensorType> {
        let stated = graph
            .values
            .get(value.index())
            .filter(|v| v.source == source)?;
        let defined = self.0.get_mut(value.index())?;
        (!std::mem::replace(defined, true)).then_some(&stated.ty)
    }
}

fn error(graph: &Graph, message: String) -> GraphError {
    GraphError::Graph {
        graph: graph.name.clone(),
        message,
    }
}

fn ports(graph: &Graph, defined: &mut Defined) -> Result<(), GraphError> {
    let inputs = graph.inputs.iter().map(|p| (&p.name, p.value));
    let params = graph.params.iter().map(|p| (&p.name, p.value));
    let states = graph.states.iter().map(|s| (&s.name, s.input));
    unique(graph, "inputs", inputs.clone().map(|(name, _)| name))?;
    unique(graph, "parameters", params.clone().map(|(name, _)| name))?;
    unique(graph, "states", states.clone().map(|(name, _)| name))?;
    let inputs = inputs
        .enumerate()
        .map(|(i, p)| ("input", p, Source::Input(i)));
    let params = params
        .enumerate()
        .map(|(i, p)| ("parameter", p, Source::Param(i)));
    let states = states
        .enumerate()
        .map(|(i, p)| ("state", p, Source::State(i)));
    for (kind, (name, value), source) in inputs.chain(params).chain(states) {
        let Some(ty) = defined.define(graph, value, source) else {
            return Err(error(
                graph,
                format!("{value} of {kind} `{name}` is defined elsewhere"),
            ));
        };
        sound(ty).map_err(|e| error(graph, format!("{kind} `{name}`: {e}")))?;
    }
    Ok(())
}

fn unique<'g>(
    graph: &Graph,
    kind: &str,
    names: impl Iterator<Item = &'g Arc<str>>,
) -> Result<(), GraphError> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(error(graph, format!("two {kind} have the name `{name}`")));
        }
    }
    Ok(())
}

fn sound(ty: &TensorType) -> Result<(), OpError> {
    op_ensure!(
        ty.rank() <= MAX_RANK,
        "a type has {} dimensions, but at most {MAX_RANK} are supported",
        ty.rank()
    );
    op_ensure!(
        ty.order.rank() == ty.rank(),
        "{ty}: the order does not have {} dimensions",
        ty.rank()
    );
    // An empty dimension does not make the strides of the others smaller.
    let bytes = ty
        .shape
        .iter()
        .try_fold(ty.dtype.size(), |n, &d| n.checked_mul(d.max(1)));
    op_ensure!(
        bytes.is_some_and(|n| n <= MAX_BYTES),
        "{ty} has more bytes than memory can address"
    );
    Ok(())
}

fn outputs(graph: &Graph, defined: &Defined) -> Result<(), GraphError> {
    unique(graph, "outputs", graph.outputs.iter().map(|p| &p.name))?;
    match graph.outputs.iter().find(|p| !defined.has(p.value)) {
        Some(p) => Err(error(
            graph,
            format!("output `{}` is {}, which does not exist", p.name, p.value),
        )),
        None => Ok(()),
    }
}

fn states(graph: &Graph, defined: &Defined) -> Result<(), GraphError> {
    for state in &graph.states {
        let wrong = |becomes: String| {
            Err(error(
                graph,
                format!(
                    "state `{}` is {}, but its new content is {becomes}",
                    state.name,
                    graph.ty(state.input)
                ),
            ))
        };
        if !defined.has(state.output) {
            return wrong(format!("{}, which does not exist", state.output));
        }
        let becomes = graph.ty(state.output);
        if !graph.ty(state.input).same_memory(becomes) {
            return wrong(becomes.to_string());
        }
    }
    Ok(())
}

/// Checks that the body of a region of a known kind equals the kind's expansion for the body's own input
/// types, which have the layout of the region's inputs.
fn check_expansion(region: &Region, body: Option<&Arc<Graph>>) -> Result<(), OpError> {
    let (Some(body), Some(kind)) = (body, regions::find(&region.kind)) else {
        return Ok(());
    };
    let types: Vec<&TensorType> = body.inputs.iter().map(|p| body.ty(p.value)).collect();
    let expansion = (kind.expand)(&region.attributes, &types)?;
    let options = PrintOptions {
        paths: false,
        names: false,
    };
    op_ensure!(
        print_with(body, options) == print_with(&expansion, options),
        "the body does not compute what the region kind `{}` defines",
        region.kind
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, Value, ops::Unary};

    /// `y = relu(x)`, to be broken in ways that a builder has no door for.
    fn graph() -> Graph {
        let mut b = Graph::builder("g");
        let x = b.input("x", TensorType::new(DType::F32, [2]));
        let y = b.op(Unary::Relu, &[x]).unwrap();
        b.output("y", y);
        b.finish().unwrap()
    }

    fn complaint(graph: &Graph) -> String {
        verify(graph).unwrap_err().to_string()
    }

    #[test]
    fn a_value_is_defined() {
        let mut graph = graph();
        graph.values.push(Value {
            source: Source::Input(1),
            ..graph.values[0].clone()
        });
        assert_eq!(complaint(&graph), "graph `g`: value %2 is never defined");
    }

    #[test]
    fn a_value_is_defined_once() {
        let mut graph = graph();
        graph.nodes.push(graph.nodes[0].clone());
        assert_eq!(
            complaint(&graph),
            "graph `g`, node 1 (relu): output %1 is defined elsewhere"
        );
    }

    #[test]
    fn a_value_comes_from_where_it_says() {
        let mut broken = graph();
        broken.values[0].source = Source::Param(0);
        assert_eq!(
            complaint(&broken),
            "graph `g`: %0 of input `x` is defined elsewhere"
        );
        let mut broken = graph();
        broken.values[1].source = Source::Node {
            node: NodeId(0),
            output: 1,
        };
        assert_eq!(
            complaint(&broken),
            "graph `g`, node 0 (relu): output %1 is defined elsewhere"
        );
        let mut broken = graph();
        broken.nodes[0].outputs[0] = ValueId(9);
        assert_eq!(
            complaint(&broken),
            "graph `g`, node 0 (relu): output %9 is defined elsewhere"
        );
    }
}
