//! Attention by libtorch's fused function if it supports the case, otherwise by separate operations.

use burn_tch::LibTorch;
use mirage_burn::Kernel;
use mirage_ir::{Node, ops::Attention};
use tch::{Kind, TchError, Tensor};

use super::{Cx, kernel};

/// Whether a node accepts operands with any strides.
pub(super) fn takes_views(node: &Node) -> bool {
    node.op.is::<Attention>()
}

/// Whether libtorch's function supports this case: its masks have the opposite meaning, a query without keys
/// gives NaN, there is no cap, and its causal mask is aligned to the first key instead of the last.
fn is_fused(op: &Attention) -> bool {
    !op.mask && !op.bias && !op.causal && op.softcap.is_none()
}

pub(super) fn lower(cx: &Cx<'_>) -> Option<Kernel<LibTorch>> {
    let op = cx.node.op.get::<Attention>()?.clone();
    let aligns: Vec<_> = (0..cx.inputs.len()).map(|i| cx.logical(i)).collect();
    let scale = op.scale_for(cx.inputs[0].shape[3]);
    let mask_at = op.mask.then_some(3);
    let bias_at = op.bias.then_some(3 + usize::from(op.mask));
    Some(kernel(cx.physical(), move |args| {
        let [q, k, v] = [0, 1, 2].map(|i| args.seen(i, &aligns[i]));
        if is_fused(&op) {
            let [q, k, v] = [innermost(q)?, innermost(k)?, innermost(v)?];
            return Tensor::f_scaled_dot_product_attention::<Tensor>(
                &q, &k, &v, None, 0.0, false, scale, false,
            );
        }
        let bias = bias_at.map(|i| args.seen(i, &aligns[i]));
        let mask = mask_at.map(|i| aligns[i].view(args.0.take(i)).into_bool().tensor);
        spelled_out(&op, scale, [q, k, v], mask, bias)
    }))
}

/// Makes the innermost dimension contiguous, as the fused kernels require.
fn innermost(x: Tensor) -> Result<Tensor, TchError> {
    match x.stride().last() {
        Some(1) | None => Ok(x),
        Some(_) => x.f_contiguous(),
    }
}

/// Computes softmax(softcap(q·kᵀ·scale) + bias)·v in f32 or wider; a query without keys gives 0.
fn spelled_out(
    op: &Attention,
    scale: f64,
    qkv: [Tensor; 3],
    mask: Option<Tensor>,
    bias: Option<Tensor>,
) -> Result<Tensor, TchError> {
    let kind = qkv[0].kind();
    let wide = if kind == Kind::Double {
        kind
    } else {
        Kind::Float
    };
    let [q, k, v] = [
        qkv[0].f_to_kind(wide)?,
        qkv[1].f_to_kind(wide)?,
        qkv[2].f_to_kind(wide)?,
    ];
    let mut scores = q.f_matmul(&k.f_transpose(-2, -1)?)?.f_mul_scalar_(scale)?;
    if let Some(cap) = op.softcap {
        scores = scores.f_div_scalar_(cap)?.f_tanh_()?.f_mul_scalar_(cap)?;
    }
    if let Some(bias) = bias {
        scores = scores.f_add_(&bias.f_to_kind(wide)?)?;
    }
    let mut out = mask;
    if op.causal {
        let (rows, keys) = (scores.size()[2], scores.size()[3]);
        let all = Tensor::f_ones([rows, keys], (Kind::Bool, scores.device()))?;
        // Query i attends to keys up to i + keys − rows.
        let later = all.f_triu(keys - rows + 1)?;
        out = Some(match out {
            Some(mask) => mask.f_logical_or(&later)?,
            None => later,
        });
    }
    if let Some(out) = &out {
        scores = scores.f_masked_fill_(out, f64::NEG_INFINITY)?;
    }
    let shape = scores.size();
    let mut weights = scores.f_softmax(-1, wide)?;
    if let Some(out) = &out {
        // The softmax of −∞ alone is undefined.
        let nothing = out.f_expand(&shape, false)?.f_all_dim(-1, true)?;
        weights = weights.f_masked_fill_(&nothing, 0.0)?;
    }
    weights.f_matmul(&v)?.f_to_kind(kind)
}
