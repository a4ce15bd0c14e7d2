//! Flattens graphs: replaces regions without a kernel by their bodies and removes dead nodes.

use mirage_ir::{
    Graph, GraphBuilder, GraphError, Node, NodeId, ValueId,
    analysis::live_nodes,
    ops::{Region, Reorder},
};

use crate::{Engine, NodeContext};

/// A graph whose nodes run one by one.
pub(crate) struct Flat {
    pub(crate) graph: Graph,
    /// For each node of `graph`, the node of the original graph that it came from.
    pub(crate) origin: Vec<NodeId>,
}

/// Flattens a verified graph for an engine.
pub(crate) fn flatten<E: Engine>(graph: &Graph, engine: &E) -> Result<Flat, GraphError> {
    let mut builder = Graph::builder(graph.name());
    builder.set_attrs(graph.attrs().clone());
    let mut values = vec![None; graph.values().len()];
    for port in graph.inputs() {
        let value = builder.input(port.name.clone(), graph.ty(port.value).clone());
        values[port.value.index()] = Some(value);
    }
    for port in graph.params() {
        let value = builder.param(port.name.clone(), graph.ty(port.value).clone());
        values[port.value.index()] = Some(value);
    }
    for state in graph.states() {
        let value = builder.state(state.name.clone(), graph.ty(state.input).clone());
        values[state.input.index()] = Some(value);
    }
    let mut inliner = Inliner {
        builder,
        origin: Vec::new(),
        engine,
    };
    inliner.inline(graph, &mut values, None)?;
    let Inliner {
        mut builder,
        origin,
        ..
    } = inliner;
    for port in graph.outputs() {
        builder.output(port.name.clone(), mapped(&values, port.value));
    }
    for state in graph.states() {
        builder.set_state(mapped(&values, state.input), mapped(&values, state.output))?;
    }
    Ok(Flat {
        graph: builder.finish_unverified(),
        origin,
    })
}

fn mapped(values: &[Option<ValueId>], value: ValueId) -> ValueId {
    values[value.index()].unwrap_or_else(|| unreachable!("a live value has a live producer"))
}

struct Inliner<'a, E> {
    builder: GraphBuilder,
    origin: Vec<NodeId>,
    engine: &'a E,
}

impl<E: Engine> Inliner<'_, E> {
    /// Appends the live nodes of `graph`; `values` maps its values to new ones. `origin` is the original node
    /// whose body `graph` is, or `None` for the original graph.
    fn inline(
        &mut self,
        graph: &Graph,
        values: &mut [Option<ValueId>],
        origin: Option<NodeId>,
    ) -> Result<(), GraphError> {
        let live = live_nodes(graph);
        for (id, node) in graph.iter().filter(|(id, _)| live[id.index()]) {
            let from = origin.unwrap_or(id);
            let outputs = match node.op.get::<Region>().and(node.op.body()) {
                Some(body) if !self.has_kernel(graph, node) => {
                    let body = body.clone();
                    self.inline_body(&body, graph, node, values, from)?
                }
                _ => {
                    let inputs: Vec<_> = node.inputs.iter().map(|&v| mapped(values, v)).collect();
                    self.push(node, &inputs, graph.output_types(node), from)
                }
            };
            for (v, new) in node.outputs.iter().zip(outputs) {
                values[v.index()] = Some(new);
            }
        }
        Ok(())
    }

    fn inline_body(
        &mut self,
        body: &Graph,
        graph: &Graph,
        node: &Node,
        values: &[Option<ValueId>],
        from: NodeId,
    ) -> Result<Vec<ValueId>, GraphError> {
        let mut inner = vec![None; body.values().len()];
        for (port, &operand) in body.inputs().iter().zip(&node.inputs) {
            let (want, mut value) = (body.ty(port.value), mapped(values, operand));
            if graph.ty(operand) != want {
                // The same layout with another spelling of the order.
                let reorder = Reorder {
                    order: want.order.clone(),
                };
                self.origin.push(from);
                value = self.builder.op(reorder, &[value])?;
            }
            inner[port.value.index()] = Some(value);
        }
        self.inline(body, &mut inner, Some(from))?;
        Ok(body
            .outputs()
            .iter()
            .map(|p| mapped(&inner, p.value))
            .collect())
    }

    fn push(
        &mut self,
        node: &Node,
        inputs: &[ValueId],
        outputs: Vec<mirage_ir::TensorType>,
        from: NodeId,
    ) -> Vec<ValueId> {
        self.origin.push(from);
        self.builder.set_path(node.path.clone());
        self.builder.push_typed(node.op.clone(), inputs, outputs)
    }

    fn has_kernel(&self, graph: &Graph, node: &Node) -> bool {
        let cx = NodeContext {
            graph,
            node,
            inputs: graph.input_types(node).into_iter().cloned().collect(),
            packed: vec![false; node.inputs.len()],
            outputs: graph.output_types(node),
            feeds_views: false,
            leaves: true,
        };
        self.engine.kernel(&cx).is_some()
    }
}
