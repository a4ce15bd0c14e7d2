//! Pads channel counts with zeros to the multiple that the backend's kernels prefer.
//!
//! Convolutions and linear layers whose channel counts are not multiples get weights padded with zeros, by
//! nodes on parameters. Operands are padded where padding begins, such as at an image's 3 channels. Between
//! layers the zeros stay as long as each operation keeps them zero and a further layer uses them. They are
//! sliced off before all other operations: norms, softmax, reshapes, concatenation and outputs.
//!
//! If the padded graph as a whole needs more floating-point operations or moves more bytes than the option
//! `max_overhead` allows, nothing is padded.
//!
//! On a backend that prefers multiples of 8:
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[1,31,4,4]
//!   param %1 "w1": f32[30,31,5,5]
//!   param %2 "w2": f32[63,30,1,1]
//!   param %3 "b2": f32[63]
//!   %4: f32[1,30,4,4] = conv(%0, %1) {dilation = [1, 1], groups = 1, padding = [2, 2], stride = [1, 1]}
//!   %5: f32[1,30,4,4] = silu(%4)
//!   %6: f32[1,63,4,4] = conv(%5, %2, %3) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}
//!   output "y" = %6
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[1,31,4,4]
//!   param %1 "w1": f32[30,31,5,5]
//!   param %2 "w2": f32[63,30,1,1]
//!   param %3 "b2": f32[63]
//!   %4: f32[1,32,4,4] = pad(%0) {after = [0, 1, 0, 0], before = [0, 0, 0, 0], mode = "constant", value = 0.0}
//!   %5: f32[32,32,5,5] = pad(%1) {after = [2, 1, 0, 0], before = [0, 0, 0, 0], mode = "constant", value = 0.0}
//!   %6: f32[1,32,4,4] = conv(%4, %5) {dilation = [1, 1], groups = 1, padding = [2, 2], stride = [1, 1]}
//!   %7: f32[1,32,4,4] = silu(%6)
//!   %8: f32[64,32,1,1] = pad(%2) {after = [1, 2, 0, 0], before = [0, 0, 0, 0], mode = "constant", value = 0.0}
//!   %9: f32[64] = pad(%3) {after = [1], before = [0], mode = "constant", value = 0.0}
//!   %10: f32[1,64,4,4] = conv(%7, %8, %9) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}
//!   %11: f32[1,63,4,4] = slice(%10) {end = [1, 63, 4, 4], start = [0, 0, 0, 0], step = [1, 1, 1, 1]}
//!   output "y" = %11
//! }
//! ```

mod padding;
mod zeros;

use mirage_ir::{
    DType, Graph, Node,
    analysis::Prologue,
    cost::{GraphCost, graph_cost},
};
use mirage_pass::{Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase, TypedOptions};

use crate::alignment::{Layer, Misaligned, alignment};
use padding::Padding;

/// See the module.
pub(crate) struct PadChannels;

mirage_pass::options! {
    /// The options of `pad_channels`.
    struct Options {
        /// multiple to pad channel counts to; 0 uses the backend's
        multiple: usize = 0 in 0..=64;
        /// how much the whole graph's floating-point operations and bytes may grow, as a fraction
        max_overhead: f64 = 0.25 in 0.0..=1000.0;
    }
}

static INFO: PassInfo = PassInfo {
    tags: &["layout"],
    before: &["channels_last"],
    options: Options::SPECS,
    worth_trying: &[("multiple", "8"), ("multiple", "16")],
    ..PassInfo::new(
        "pad_channels",
        1,
        "pads channel counts with zeros to the multiple that the backend's kernels prefer",
        Phase::Layout,
        Numerics::Reassociates,
    )
};

mirage_pass::register!(PadChannels);

impl Pass for PadChannels {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let options = Options::read(cx.options)?;
        let multiple = |op: &str, dtype: DType| match options.multiple {
            0 => cx.capabilities.channel_multiple(op, dtype),
            given => given,
        };
        let found = alignment(graph, multiple);
        let (blocked, found): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|m| m.blocked.is_some());
        if found.is_empty() {
            let mut reasons = vec![nothing_to_do(graph, multiple, blocked.is_empty())];
            reasons.extend(blocked_lines(&blocked));
            return Ok(Outcome::Unchanged { reasons });
        }
        let mut padding = Padding::new(graph, &multiple);
        for node in graph.nodes() {
            padding.node(node)?;
        }
        let next = padding.finish()?;
        let growth = Growth::between(&graph_cost(graph), &graph_cost(&next));
        let what = summary(&found);
        let allowed = options.max_overhead;
        if growth.fraction() > allowed {
            return Ok(Outcome::unchanged(format!(
                "{what} would cost {growth}, more than the option `max_overhead` allows ({:.1} %)",
                100.0 * allowed
            )));
        }
        let mut notes = vec![format!("{what} costs {growth}")];
        notes.extend(blocked_lines(&blocked));
        *graph = next;
        Ok(Outcome::Changed {
            rewrites: found.len(),
            notes,
        })
    }
}

/// Explains why nothing is padded.
fn nothing_to_do(graph: &Graph, multiple: impl Fn(&str, DType) -> usize, fits: bool) -> String {
    let prologue = Prologue::of(graph);
    let mut layers = graph
        .nodes()
        .iter()
        .filter(|n| Layer::of(graph, &prologue, n).is_some())
        .peekable();
    let wants = |n: &Node| multiple(&n.op.name(), graph.ty(n.output()).dtype) > 1;
    if layers.peek().is_none() {
        "0 matches: the graph has no convolution and no linear layer".to_owned()
    } else if !layers.any(wants) {
        "the backend states no preferred multiple for these layers; set one, such as `multiple=8`"
            .to_owned()
    } else if fits {
        "every channel count is already a multiple of what the backend prefers".to_owned()
    } else {
        "every layer that can be padded already has a preferred channel count".to_owned()
    }
}

fn blocked_lines(blocked: &[Misaligned]) -> Option<String> {
    let first = blocked.first()?;
    Some(format!(
        "{} channel counts not padded (first: {} at `{}`): {}",
        blocked.len(),
        first.op,
        first.path,
        first.blocked.unwrap_or_default()
    ))
}

fn summary(found: &[Misaligned]) -> String {
    let first = found.first().map_or(String::new(), |m| {
        format!("{} {} of `{}` to {}", m.size, m.side, m.path, m.padded)
    });
    format!(
        "padding {} channel counts (the first: {first})",
        found.len()
    )
}

/// Describes how much more an execution costs.
struct Growth {
    flops: (u64, f64),
    bytes: (u64, f64),
}

impl Growth {
    fn between(before: &GraphCost, after: &GraphCost) -> Self {
        let more = |before: u64, after: u64| {
            let extra = after.saturating_sub(before);
            (extra, extra as f64 / before.max(1) as f64)
        };
        Growth {
            flops: more(before.flops, after.flops),
            bytes: more(before.bytes, after.bytes),
        }
    }

    fn fraction(&self) -> f64 {
        self.flops.1.max(self.bytes.1)
    }
}

impl std::fmt::Display for Growth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ((flops, by_flops), (bytes, by_bytes)) = (self.flops, self.bytes);
        write!(
            f,
            "{:.3} MFLOP (+{:.1} %) and {:.3} MiB (+{:.1} %)",
            flops as f64 / 1e6,
            100.0 * by_flops,
            bytes as f64 / f64::from(1 << 20),
            100.0 * by_bytes
        )
    }
}

#[cfg(test)]
mod tests {
    use mirage_ir::target::{Capability, Subject};

    use super::*;

    #[test]
    fn examples() {
        let capabilities = mirage_ir::target::Capabilities {
            lines: vec![Capability::new(Subject::AllOperations, [DType::F32]).in_multiples_of(8)],
        };
        crate::example::check_on(&PadChannels, &capabilities, include_str!("pad_channels.rs"));
    }
}
