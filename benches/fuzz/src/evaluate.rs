//! Running graphs that came from anywhere.

use mirage_ir::{
    DType, Graph, GraphError, OpError, Params, Scalar, TensorType,
    cost::graph_cost,
    interp::{self, Run, Tensor},
    ops::Call,
};

/// The most elements of all values together of a graph that is worth running.
const MAX_ELEMENTS: usize = 1 << 14;
/// The most bodies that are run.
const MAX_CALLS: usize = 1 << 10;
/// The most floating-point operations of one.
const MAX_FLOPS: u64 = 1 << 20;

/// Whether a graph runs in milliseconds. The cost is computed in any case: it must not overflow.
pub fn is_small(graph: &Graph) -> bool {
    let bodies = graph.callees();
    is_small_alone(graph) && bodies.into_iter().all(|body| is_small_alone(body)) && few_calls(graph)
}

/// Whether bodies, counted where they are called, are few: those that compute nothing cost nothing.
fn few_calls(graph: &Graph) -> bool {
    fn count(graph: &Graph, limit: usize) -> usize {
        let bodies = graph.nodes().iter().filter_map(|n| n.op.body());
        bodies.fold(0, |sum: usize, body| match sum > limit {
            true => sum,
            false => sum + 1 + count(body, limit - sum),
        })
    }
    count(graph, MAX_CALLS) <= MAX_CALLS
}

/// Whether the graph is small, its calls and regions left out.
fn is_small_alone(graph: &Graph) -> bool {
    let cost = graph_cost(graph);
    let mut sizes = graph.values().iter().map(|v| v.ty.numel());
    let elements = sizes.try_fold(0usize, |sum, n| sum.checked_add(n));
    let mut regions = graph.nodes().iter().filter(|n| !n.op.is::<Call>());
    elements.is_some_and(|n| n <= MAX_ELEMENTS)
        && cost.flops <= MAX_FLOPS
        && regions.all(|n| n.op.body().is_none_or(|body| is_small(body)))
}

/// Runs a verified graph on ones. It may refuse (an index out of range, an operation without a
/// definition), but not panic.
pub fn evaluate(graph: &Graph) -> Result<Run, GraphError> {
    let error = |e: OpError| GraphError::Graph {
        graph: graph.name().to_owned(),
        message: e.to_string(),
    };
    let ones = |ty: &TensorType| Tensor::full(ty, one(ty.dtype)).map_err(error);
    let mut params = Params::new();
    for (name, ty) in graph.all_params() {
        let data = ones(ty)?.to_data(ty.dtype).map_err(error)?;
        params.insert(name, data);
    }
    let inputs = graph.inputs().iter().map(|p| ones(graph.ty(p.value)));
    let states = graph.states().iter().map(|s| ones(graph.ty(s.input)));
    interp::run(
        graph,
        &params,
        &inputs.collect::<Result<Vec<_>, _>>()?,
        &states.collect::<Result<Vec<_>, _>>()?,
    )
}

fn one(dtype: DType) -> Scalar {
    match dtype {
        DType::Bool => Scalar::Bool(true),
        d if d.is_float() => Scalar::Float(1.0),
        _ => Scalar::Int(1),
    }
}
