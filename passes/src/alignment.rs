//! Finds layers whose channel counts are not multiples of what the hardware prefers, and computes what
//! padding them with zeros would cost.
//!
//! ```
//! use mirage_passes::alignment::{Side, alignment};
//!
//! # fn main() -> Result<(), mirage_ir::GraphError> {
//! let graph = mirage_ir::text::parse(
//!     r#"graph "example" {
//!       input %0 "x": f32[1,3,8,8]
//!       param %1 "w": f32[16,3,1,1]
//!       %2: f32[1,16,8,8] = conv(%0, %1) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}
//!       output "y" = %2
//!     }"#,
//! )?;
//! let found = alignment(&graph, |_, _| 8);
//! assert_eq!((found[0].side, found[0].size, found[0].padded), (Side::Input, 3, 8));
//! assert_eq!(found[0].extra_flops, 2 * 16 * 8 * 8 * (8 - 3));
//! # Ok(())
//! # }
//! ```

use std::{fmt, sync::Arc};

use mirage_ir::{
    DType, Graph, Node, NodeId, TensorType,
    analysis::Prologue,
    ops::{Conv, ConvTranspose, Linear},
};

/// The input or the output channels of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Channels of the operand.
    Input,
    /// Channels of the result.
    Output,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Side::Input => "input channels",
            Side::Output => "output channels",
        })
    }
}

/// A channel count that is not a multiple of the preferred number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misaligned {
    /// The layer's node.
    pub node: NodeId,
    /// The layer's module path.
    pub path: Arc<str>,
    /// The name of the layer's operation.
    pub op: String,
    /// Whether `size` counts input or output channels.
    pub side: Side,
    /// The number of channels.
    pub size: usize,
    /// The smallest multiple that is at least `size`.
    pub padded: usize,
    /// Floating-point operations that padding adds to this layer. If both sides are misaligned, the
    /// output's are counted with the input already padded.
    pub extra_flops: u64,
    /// Bytes that padding adds to the layer's operands, weights and result, counted likewise.
    pub extra_bytes: u64,
    /// Why `pad_channels` cannot pad this layer; both costs are 0 then.
    pub blocked: Option<&'static str>,
}

/// Returns the misaligned channel counts of convolutions and linear layers in topological order, the
/// input side before the output side. `multiple` gives the preferred multiple for an operation's name
/// and dtype, 0 or 1 for none; a backend states its own in
/// [`mirage_ir::target::Capabilities::channel_multiple`]. Nodes that are computed once at compile
/// are left out.
pub fn alignment(graph: &Graph, multiple: impl Fn(&str, DType) -> usize) -> Vec<Misaligned> {
    let prologue = Prologue::of(graph);
    let mut found = Vec::new();
    for (id, node) in graph.iter() {
        let Some(layer) = Layer::of(graph, &prologue, node) else {
            continue;
        };
        let wanted = multiple(&node.op.name(), graph.ty(node.output()).dtype);
        let mut before = Grown::of(graph, node, &layer);
        for (side, size) in [(Side::Input, layer.ins), (Side::Output, layer.outs)] {
            let padded = up_to(size, wanted);
            if padded == size {
                continue;
            }
            let after = before.with(&layer, side, padded);
            let (was, is) = (before.cost(node), after.cost(node));
            found.push(Misaligned {
                node: id,
                path: node.path.clone(),
                op: node.op.name().into_owned(),
                side,
                size,
                padded,
                extra_flops: is.0.saturating_sub(was.0),
                extra_bytes: is.1.saturating_sub(was.1),
                blocked: layer.blocked,
            });
            before = after;
        }
    }
    found
}

/// Rounds `size` up to a multiple of `multiple`; returns `size` if `multiple` is 0.
pub(crate) fn up_to(size: usize, multiple: usize) -> usize {
    match multiple {
        0 => size,
        m => size.div_ceil(m).saturating_mul(m),
    }
}

/// A convolution or a linear layer that is computed in every execution.
pub(crate) struct Layer {
    /// The channel dimension of operand and result.
    pub(crate) axis: usize,
    /// Channels of the operand.
    pub(crate) ins: usize,
    /// Channels of the result.
    pub(crate) outs: usize,
    /// The weight's dimensions of input and output channels.
    pub(crate) weight_axes: [usize; 2],
    /// Why the channels cannot be padded.
    pub(crate) blocked: Option<&'static str>,
}

impl Layer {
    pub(crate) fn of(graph: &Graph, prologue: &Prologue, node: &Node) -> Option<Self> {
        let (groups, weight_axes) = if let Some(conv) = node.op.get::<Conv>() {
            (conv.groups, [1, 0])
        } else if let Some(conv) = node.op.get::<ConvTranspose>() {
            (conv.groups, [0, 1])
        } else if node.op.is::<Linear>() {
            (1, [0, 1])
        } else {
            return None;
        };
        let (x, out) = (graph.ty(node.inputs[0]), graph.ty(node.output()));
        let axis = if node.op.is::<Linear>() {
            x.rank() - 1
        } else {
            1
        };
        let fixed = |i: &usize| prologue.is_fixed(node.inputs[*i]);
        let blocked = if groups > 1 {
            Some("the layer has channel groups")
        } else if !(1..node.inputs.len()).all(|i| fixed(&i)) {
            Some("the layer's weights are computed in every execution")
        } else {
            None
        };
        (!prologue.is_fixed(node.output())).then_some(Layer {
            axis,
            ins: x.shape[axis],
            outs: out.shape[axis],
            weight_axes,
            blocked,
        })
    }
}

/// The types of the layer's operands for the given channel counts.
#[derive(Clone)]
struct Grown(Vec<TensorType>);

impl Grown {
    fn of(graph: &Graph, node: &Node, layer: &Layer) -> Self {
        let types = graph.input_types(node).into_iter().cloned();
        Grown(match layer.blocked {
            Some(_) => Vec::new(),
            None => types.collect(),
        })
    }

    fn with(&self, layer: &Layer, side: Side, channels: usize) -> Self {
        let mut grown = self.clone();
        let [ins, outs] = layer.weight_axes;
        if let [x, weight, bias @ ..] = &mut grown.0[..] {
            match side {
                Side::Input => {
                    x.shape[layer.axis] = channels;
                    weight.shape[ins] = channels;
                }
                Side::Output => {
                    weight.shape[outs] = channels;
                    bias.iter_mut().for_each(|b| b.shape[0] = channels);
                }
            }
        }
        grown
    }

    /// Floating-point operations and bytes of one execution.
    fn cost(&self, node: &Node) -> (u64, u64) {
        let inputs: Vec<&TensorType> = self.0.iter().collect();
        if inputs.is_empty() {
            return (0, 0);
        }
        let Ok(outputs) = node.op.infer(&inputs) else {
            return (0, 0);
        };
        let bytes = inputs
            .iter()
            .copied()
            .chain(&outputs)
            .map(|t| t.bytes() as u64);
        (node.op.flops(&inputs, &outputs), bytes.sum())
    }
}
