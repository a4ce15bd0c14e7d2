//! Stores feature maps channels last around convolutions: `[N,C,H,W]` in memory order 0,2,3,1.
//!
//! The order spreads from convolutions through operations that accept any order, up to those that need
//! row-major. The reshape and permute from feature maps to tokens in front of attention, `[N,C,H,W]` →
//! `[N,C,HW]` → `[N,HW,C]`, then copy nothing.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[1,4,2,3]
//!   param %1 "w": f32[8,4,1,1]
//!   %2: f32[1,8,2,3] = conv(%0, %1) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}
//!   %3: f32[1,8,2,3] = silu(%2)
//!   %4: f32[1,8,6] = reshape(%3) {shape = [1, 8, 6]}
//!   %5: f32[1,6,8] = permute(%4) {axes = [0, 2, 1]}
//!   output "y" = %5
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[1,4,2,3]
//!   param %1 "w": f32[8,4,1,1]
//!   %2: f32[1,4,2,3]@[0,2,3,1] = reorder(%0) {order = [0, 2, 3, 1]}
//!   %3: f32[1,8,2,3]@[0,2,3,1] = conv(%2, %1) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}
//!   %4: f32[1,8,2,3]@[0,2,3,1] = silu(%3)
//!   %5: f32[1,8,6]@[0,2,1] = reshape(%4) {order = [0, 2, 1], shape = [1, 8, 6]}
//!   %6: f32[1,6,8] = permute(%5) {axes = [0, 2, 1]}
//!   output "y" = %6
//! }
//! ```

use std::collections::HashMap;

use mirage_ir::{
    Graph, GraphError, Node, Op, Order, TensorType, ValueId,
    analysis::Prologue,
    ops::{
        AdaptiveAvgPool, AvgPool, BatchNorm, Binary, Cast, Concat, Conv, ConvTranspose, GroupNorm,
        MaxPool, Pad, Permute, Reorder, Reshape, Resize, Select, Slice, Unary, WithScalar,
    },
};
use mirage_pass::{
    Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase, rewrite::Rebuild,
};

/// See the module.
pub(crate) struct ChannelsLast;

static INFO: PassInfo = PassInfo {
    tags: &["layout"],
    ..PassInfo::new(
        "channels_last",
        1,
        "stores feature maps channels last around convolutions",
        Phase::Layout,
        Numerics::Reassociates,
    )
};

mirage_pass::register!(ChannelsLast);

impl Pass for ChannelsLast {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let prologue = Prologue::of(graph);
        let is_work = |n: &&Node| is_row_major_conv(graph, n) && !prologue.is_fixed(n.output());
        let pictures = graph.nodes().iter().filter(is_work).count();
        if pictures == 0 {
            return Ok(Outcome::unchanged(
                "0 matches: the graph has no convolution of a row-major feature map larger than 1x1",
            ));
        }
        let mut layout = Layout::new(graph);
        for node in graph.nodes() {
            layout.node(node)?;
        }
        let (next, mut notes) = layout.finish()?;
        notes.extend(advice(graph, cx));
        *graph = next;
        Ok(Outcome::Changed {
            rewrites: pictures,
            notes,
        })
    }
}

/// Whether the node is a convolution that may profit. A feature map of 1×1 is the same in either order.
fn is_row_major_conv(graph: &Graph, node: &Node) -> bool {
    let is_conv = node.op.is::<Conv>() || node.op.is::<ConvTranspose>();
    is_conv && graph.ty(node.inputs[0]).rank() == 4 && graph.ty(node.inputs[0]).order.is_row_major()
}

fn advice(graph: &Graph, cx: &PassContext<'_>) -> Option<String> {
    let dtype = graph
        .nodes()
        .iter()
        .find(|n| is_row_major_conv(graph, n))
        .map(|n| graph.ty(n.output()).dtype)?;
    let takes = cx
        .capabilities
        .takes_order("conv", dtype, &Order::channels_last(4));
    (!cx.capabilities.lines.is_empty() && !takes).then(|| {
        format!("the backend's {dtype} convolutions do not accept channels last; it would permute before and after each")
    })
}

/// Whether the operation's output has the memory order of its operand, whatever that is.
fn keeps_order(op: &Op) -> bool {
    op.is::<Unary>()
        || op.is::<Binary>()
        || op.is::<WithScalar>()
        || op.is::<Select>()
        || op.is::<Cast>()
        || op.is::<GroupNorm>()
        || op.is::<BatchNorm>()
        || op.is::<MaxPool>()
        || op.is::<AvgPool>()
        || op.is::<AdaptiveAvgPool>()
        || op.is::<Resize>()
        || op.is::<Concat>()
        || op.is::<Slice>()
        || op.is::<Pad>()
}

struct Layout<'g> {
    graph: &'g Graph,
    rebuild: Rebuild<'g>,
    prologue: Prologue,
    /// A value of the new graph in another order.
    reordered: HashMap<(ValueId, Order), ValueId>,
    reorders: usize,
}

impl<'g> Layout<'g> {
    fn new(graph: &'g Graph) -> Self {
        Layout {
            graph,
            rebuild: Rebuild::new(graph),
            prologue: Prologue::of(graph),
            reordered: HashMap::new(),
            reorders: 0,
        }
    }

    fn node(&mut self, node: &Node) -> Result<(), GraphError> {
        if self.prologue.is_fixed(node.output()) {
            return self.emit_as_declared(node);
        }
        let is_conv = node.op.is::<Conv>() || node.op.is::<ConvTranspose>();
        if is_conv && self.graph.ty(node.inputs[0]).rank() == 4 {
            let mut inputs = self.inputs(node)?;
            inputs[0] = self.ordered(node, inputs[0], &Order::channels_last(4))?;
            return self.rebuild.emit(node, node.op.clone(), &inputs);
        }
        if let Some(reshape) = node.op.get::<Reshape>() {
            return self.reshape(node, reshape);
        }
        if let Some(permute) = node.op.get::<Permute>() {
            return self.permute(node, permute);
        }
        match self.spreading_order(node)? {
            Some(order) => self.emit_in(node, &order),
            None => self.emit_as_declared(node),
        }
    }

    fn inputs(&self, node: &Node) -> Result<Vec<ValueId>, GraphError> {
        node.inputs.iter().map(|&v| self.rebuild.get(v)).collect()
    }

    /// Returns the order of those operands that are not row-major, if they agree and the node keeps it.
    fn spreading_order(&self, node: &Node) -> Result<Option<Order>, GraphError> {
        if !keeps_order(&node.op) {
            return Ok(None);
        }
        let mut found: Option<Order> = None;
        for v in self.inputs(node)? {
            let ty = self.rebuild.ty(v);
            if ty.is_row_major() {
                continue;
            }
            match &found {
                Some(order) if *order != ty.order => return Ok(None),
                _ => found = Some(ty.order.clone()),
            }
        }
        Ok(found)
    }

    /// Adds the node with all its feature maps in `order`. Broadcast and per-channel operands keep theirs.
    fn emit_in(&mut self, node: &Node, order: &Order) -> Result<(), GraphError> {
        let all = node.op.is::<Concat>();
        let mut inputs = self.inputs(node)?;
        for v in &mut inputs {
            let ty = self.rebuild.ty(*v);
            let is_full = ty.shape == self.graph.ty(node.output()).shape;
            if ty.rank() == order.rank() && (all || is_full) {
                *v = self.ordered(node, *v, order)?;
            }
        }
        self.rebuild.emit(node, node.op.clone(), &inputs)
    }

    /// Adds the node with its operands in the orders that they had in the old graph.
    fn emit_as_declared(&mut self, node: &Node) -> Result<(), GraphError> {
        let mut inputs = self.inputs(node)?;
        for (new, &old) in inputs.iter_mut().zip(&node.inputs) {
            *new = self.ordered(node, *new, &self.graph.ty(old).order)?;
        }
        self.rebuild.emit(node, node.op.clone(), &inputs)
    }

    /// Adds a reshape as a view, if an order of the result makes it one.
    fn reshape(&mut self, node: &Node, reshape: &Reshape) -> Result<(), GraphError> {
        let x = self.rebuild.get(node.inputs[0])?;
        let ty = self.rebuild.ty(x).clone();
        if ty.is_row_major() || reshape.order.is_some() {
            return self.emit_as_declared(node);
        }
        let order = Order::channels_last(reshape.shape.len());
        let view = Reshape {
            shape: reshape.shape.clone(),
            order: Some(order.clone()),
        };
        let out = TensorType::new(ty.dtype, reshape.shape.clone()).with_order(order);
        if !Op::from(view.clone()).is_view(&[&ty], &[out]) {
            return self.emit_as_declared(node);
        }
        self.rebuild.emit(node, view, &[x])
    }

    /// Adds a permute as a view, with the result's order chosen so that it copies nothing.
    fn permute(&mut self, node: &Node, permute: &Permute) -> Result<(), GraphError> {
        let x = self.rebuild.get(node.inputs[0])?;
        let view = permute.view_order(&self.rebuild.ty(x).order);
        if permute.order.is_some() {
            return self.emit_as_declared(node);
        }
        if view.is_row_major() {
            return self.rebuild.emit(node, permute.clone(), &[x]);
        }
        if view.rank() > 2 && view == Order::channels_last(view.rank()) {
            let op = Permute {
                axes: permute.axes.clone(),
                order: Some(view),
            };
            return self.rebuild.emit(node, op, &[x]);
        }
        self.emit_as_declared(node)
    }

    /// Returns the value in `order`; adds at most one reorder for each value and order.
    fn ordered(
        &mut self,
        like: &Node,
        value: ValueId,
        order: &Order,
    ) -> Result<ValueId, GraphError> {
        let ty = self.rebuild.ty(value);
        if ty.order == *order {
            return Ok(value);
        }
        let key = (value, order.clone());
        if let Some(&known) = self.reordered.get(&key) {
            return Ok(known);
        }
        let back = ty.order.clone();
        let new = self.rebuild.op(
            like,
            Reorder {
                order: order.clone(),
            },
            &[value],
        )?;
        self.reorders += 1;
        self.reordered.insert(key, new);
        self.reordered.insert((new, back), value);
        Ok(new)
    }

    fn finish(self) -> Result<(Graph, Vec<String>), GraphError> {
        let Layout {
            graph,
            rebuild,
            mut reordered,
            mut reorders,
            ..
        } = self;
        let next = rebuild.finish(|rebuild, old| {
            let value = rebuild.get(old)?;
            let order = &graph.ty(old).order;
            if rebuild.ty(value).order == *order {
                return Ok(value);
            }
            let key = (value, order.clone());
            if let Some(&known) = reordered.get(&key) {
                return Ok(known);
            }
            let op = Reorder {
                order: order.clone(),
            };
            let like = Node {
                op: op.clone().into(),
                inputs: vec![],
                outputs: vec![],
                path: "".into(),
            };
            let new = rebuild.op(&like, op, &[value])?;
            reorders += 1;
            reordered.insert(key, new);
            Ok(new)
        })?;
        Ok((next, vec![format!("{reorders} reorders inserted")]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        crate::example::check(&ChannelsLast, include_str!("channels_last.rs"));
    }
}
