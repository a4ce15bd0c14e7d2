//! Replaces softmax(q·kᵀ·scale + bias)·v by one `attention`, which a backend can compute without storing
//! the scores.
//!
//! A `select` that fills scores with −∞ is a mask. With the option `masks`, so is one that fills them with
//! a finite number of -1e4 or less. The result differs only for a query whose keys are all masked:
//! `attention` returns 0, while softmax returns NaN for −∞ and the mean of v for a finite number. An added
//! −∞ stays a bias, with the same difference.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "q": f32[1,2,16,8]
//!   input %1 "k": f32[1,2,16,8]
//!   input %2 "v": f32[1,2,16,8]
//!   %3: f32[1,2,8,16] = permute(%1) {axes = [0, 1, 3, 2]}
//!   %4: f32[1,2,16,16] = matmul(%0, %3)
//!   %5: f32[1,2,16,16] = mul_scalar(%4) {value = 0.25}
//!   %6: f32[1,2,16,16] = softmax(%5) {dim = 3}
//!   %7: f32[1,2,16,8] = matmul(%6, %2)
//!   output "y" = %7
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "q": f32[1,2,16,8]
//!   input %1 "k": f32[1,2,16,8]
//!   input %2 "v": f32[1,2,16,8]
//!   %3: f32[1,2,16,8] = attention(%0, %1, %2) {scale = 0.25}
//!   output "y" = %3
//! }
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mirage_ir::{
    DType, Graph, GraphError, NodeId, ValueId,
    ops::{Attention, Binary, Matmul, Permute, Reshape, Select, Softmax},
    target::Subject,
};
use mirage_pass::{
    Need, Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase, TypedOptions,
    rewrite::{Patch, View, rewrite},
};

use crate::permutes::{is_identity, unpermuted};

/// See the module.
pub(crate) struct Sdpa;

mirage_pass::options! {
    /// The options of `sdpa`.
    struct Options {
        /// treat a finite fill of -1e4 or less as a mask, like -∞: a query whose keys are all masked then gives 0 instead of the mean of v
        masks: bool = false;
    }
}

static INFO: PassInfo = PassInfo {
    tags: &["attention"],
    needs: &[Need::new(Subject::operation("attention"), DType::F32)],
    options: Options::SPECS,
    ..PassInfo::new(
        "sdpa",
        2,
        "replaces softmax(q·kᵀ)·v by one attention operation",
        Phase::Simplify,
        Numerics::Reassociates,
    )
};

mirage_pass::register!(Sdpa);

/// With the option `masks`, scores filled with this number or less are masked.
const MASKED: f64 = -1e4;

impl Pass for Sdpa {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let Options { masks } = Options::read(cx.options)?;
        let mut left: BTreeMap<&str, BTreeSet<Arc<str>>> = BTreeMap::new();
        let rewrites = rewrite(graph, |view, id, node, patch| {
            let Some((_, &[weights, v])) = view.made_by::<Matmul>(node.output()) else {
                return Ok(());
            };
            let Some((softmax, _)) = view.made_by::<Softmax>(weights) else {
                return Ok(());
            };
            match Scores::find(view, weights, softmax, v, masks) {
                Ok(scores) => scores.fuse(view, id, v, patch),
                Err(reason) => {
                    left.entry(reason).or_default().insert(node.path.clone());
                    Ok(())
                }
            }
        })?;
        let left: Vec<String> = left
            .iter()
            .map(|(reason, paths)| {
                let first = paths.first().map_or("", |p| p);
                format!("{} not replaced (first: `{first}`): {reason}", paths.len())
            })
            .collect();
        Ok(match rewrites {
            0 if left.is_empty() => {
                Outcome::unchanged("0 matches: the graph has no softmax(q·kᵀ)·v")
            }
            0 => Outcome::Unchanged { reasons: left },
            n => Outcome::Changed {
                rewrites: n,
                notes: left,
            },
        })
    }
}

/// The operands of softmax(q·transposed·scale + bias), or of one with a mask.
struct Scores {
    q: ValueId,
    transposed: ValueId,
    scale: f64,
    mask: Option<ValueId>,
    bias: Option<ValueId>,
}

impl Scores {
    fn find(
        view: &View,
        weights: ValueId,
        softmax: &Softmax,
        v: ValueId,
        masks: bool,
    ) -> Result<Scores, &'static str> {
        let ty = view.ty(weights);
        if !matches!(ty.rank(), 3 | 4) || softmax.dim + 1 != ty.rank() {
            return Err("the softmax is not over the last of 3 or 4 dimensions");
        }
        if !view.uses().is_single(weights) {
            return Err("the attention weights have other uses");
        }
        let (_, operands) = view.made_by::<Softmax>(weights).ok_or("no operand")?;
        let (mask, scores) = match view.made_by::<Select>(operands[0]) {
            Some((_, &[condition, fill, scores])) => {
                check_fill(view, fill, masks)?;
                (Some(condition), scores)
            }
            _ => (None, operands[0]),
        };
        let (mut scores, bias) = match view.binary(scores, Binary::Add) {
            Some([a, b]) if product(view, a).is_some() => (a, Some(b)),
            Some([a, b]) if product(view, b).is_some() => (b, Some(a)),
            _ => (scores, None),
        };
        let mut scale = 1.0;
        while let Some((x, factor)) = scaled(view, scores) {
            (scores, scale) = (x, scale * factor);
        }
        let Some((_, &[mut q, mut transposed])) = view.made_by::<Matmul>(scores) else {
            return Err("the scores are not a product of two tensors");
        };
        for side in [&mut q, &mut transposed] {
            while let Some((x, factor)) = scaled(view, *side) {
                (*side, scale) = (x, scale * factor);
            }
        }
        let rank = ty.rank();
        let (qs, ks, vs) = (
            &view.ty(q).shape,
            &view.ty(transposed).shape,
            &view.ty(v).shape,
        );
        let batch = &qs[..rank - 2];
        if [ks, vs, &ty.shape].iter().any(|s| s[..rank - 2] != *batch) {
            return Err("the batch dimensions are broadcast");
        }
        if rank == 3 && (mask.is_some() || bias.is_some()) {
            return Err("the scores have 3 dimensions and a mask or a bias");
        }
        if qs[rank - 2] != ty.shape[rank - 2] || ks[rank - 1] != ty.shape[rank - 1] {
            return Err("the mask or bias broadcasts the scores");
        }
        if !mask.iter().chain(&bias).all(|&m| view.ty(m).is_row_major()) {
            return Err("the mask or bias is not row-major");
        }
        Ok(Scores {
            q,
            transposed,
            scale,
            mask,
            bias,
        })
    }

    /// Returns x and axes such that `permute(x, axes)` is k; the identity if kᵀ was a permute of k.
    fn keys(&self, view: &View) -> (ValueId, Vec<usize>) {
        let rank = view.ty(self.transposed).rank();
        let mut axes: Vec<usize> = (0..rank).collect();
        axes.swap(rank - 2, rank - 1);
        unpermuted(view, self.transposed, axes)
    }

    fn fuse(
        self,
        view: &View,
        id: NodeId,
        v: ValueId,
        patch: &mut Patch,
    ) -> Result<(), GraphError> {
        let out = view.graph().node(id).output();
        let rank = view.ty(out).rank();
        let head_dim = view.ty(self.q).shape[rank - 1];
        let natural = 1.0 / (head_dim as f64).sqrt();
        // The default scale lets backends pick their fastest kernels. A scale that equals it in f32 is the default.
        let is_natural = (self.scale / natural - 1.0).abs() < 1e-6;
        let op = Attention {
            scale: (!is_natural).then_some(self.scale),
            mask: self.mask.is_some(),
            bias: self.bias.is_some(),
            ..Attention::default()
        };
        let mut at = patch.at(id);
        let k = match self.keys(view) {
            (k, axes) if is_identity(&axes) && view.ty(k).is_row_major() => k,
            (x, axes) => at.op(Permute::of(axes), &[x])?,
        };
        let mut operands = vec![self.q, k, v];
        if rank == 3 {
            for operand in &mut operands {
                let shape = [&[1], &at.ty(*operand).shape[..]].concat();
                *operand = at.op(Reshape::to(shape), &[*operand])?;
            }
        }
        operands.extend(self.mask);
        operands.extend(self.bias);
        let mut fused = at.op(op, &operands)?;
        if rank == 3 {
            fused = at.op(Reshape::to(view.ty(out).shape.clone()), &[fused])?;
        }
        at.replace(out, fused)
    }
}

/// Checks that scores with this fill are masked; the error says why not.
fn check_fill(view: &View, fill: ValueId, masks: bool) -> Result<(), &'static str> {
    match view.uniform(fill).map(|f| f.as_f64()) {
        Some(f64::NEG_INFINITY) => Ok(()),
        Some(fill) if fill <= MASKED && masks => Ok(()),
        Some(fill) if fill <= MASKED => {
            Err("the scores are masked with a finite number (the option `masks` treats it as -∞)")
        }
        Some(_) => Err("a select fills the scores with a number above -1e4, which is not a mask"),
        None => Err("a select fills the scores with a tensor that is not constant"),
    }
}

/// Returns x and the factor of x·c or x/c.
fn scaled(view: &View, value: ValueId) -> Option<(ValueId, f64)> {
    view.scalar(value, Binary::Mul)
        .or_else(|| view.scalar(value, Binary::Div).map(|(x, c)| (x, 1.0 / c)))
}

/// Returns the product of two tensors behind a value, looking through scalings.
fn product(view: &View, mut value: ValueId) -> Option<ValueId> {
    while let Some((x, _)) = scaled(view, value) {
        value = x;
    }
    view.made_by::<Matmul>(value).map(|_| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        crate::example::check(&Sdpa, include_str!("sdpa.rs"));
    }
}
