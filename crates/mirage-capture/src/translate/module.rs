//! Layers: convolutions, linear layers, norms, pools, attention.

use burn_ir::{
    AttentionOpIr, BatchNormOpIr, InterpolateModeIr, InterpolateOpIr, LayerNormOpIr,
    ModuleOperationIr, ScalarIr, TensorIr,
};
use mirage_ir::{
    Op, Scalar,
    ops::{
        AdaptiveAvgPool, Attention, AvgPool, BatchNorm, Conv, ConvTranspose, Embedding, LayerNorm,
        Linear, MaxPool, Pad, PadMode, Resize, ResizeMode,
    },
};

use super::{Refusal, Rule, Sketch};

pub(super) fn translate(op: &ModuleOperationIr, s: &mut Sketch) -> Rule {
    use ModuleOperationIr as M;
    /// A convolution of any rank.
    macro_rules! conv {
        ($op:expr, $padding:expr) => {{
            let (op, o) = ($op, &$op.options);
            let conv = Conv {
                stride: o.stride.to_vec(),
                padding: Vec::new(),
                dilation: o.dilation.to_vec(),
                groups: o.groups,
            };
            convolution(
                s,
                conv,
                $padding,
                [&op.x, &op.weight],
                op.bias.as_ref(),
                &op.out,
            )
        }};
    }
    macro_rules! conv_transpose {
        ($op:expr) => {{
            let (op, o) = ($op, &$op.options);
            let conv = ConvTranspose {
                stride: o.stride.to_vec(),
                padding: o.padding.to_vec(),
                output_padding: o.padding_out.to_vec(),
                dilation: o.dilation.to_vec(),
                groups: o.groups,
            };
            apply(
                s,
                conv,
                [&op.x, &op.weight].into_iter().chain(&op.bias),
                &op.out,
            )
        }};
    }
    match op {
        M::Linear(op) => apply(
            s,
            Linear {},
            [&op.x, &op.weight].into_iter().chain(&op.bias),
            &op.out,
        ),
        M::Embedding(op) => apply(s, Embedding {}, [&op.weights, &op.indices], &op.out),
        M::Conv1d(op) => conv!(op, &op.options.padding),
        M::Conv2d(op) => conv!(op, &op.options.padding),
        M::Conv3d(op) => conv!(op, &op.options.padding.map(|p| (p, p))),
        M::ConvTranspose1d(op) => conv_transpose!(op),
        M::ConvTranspose2d(op) => conv_transpose!(op),
        M::ConvTranspose3d(op) => conv_transpose!(op),
        M::BatchNorm(op) => batch_norm(op, s),
        M::LayerNorm(op) => layer_norm(op, s),
        M::Interpolate(op) => interpolate(op, s),
        M::Attention(op) => attention(op, s),
        pool => pooling(pool, s),
    }
}

/// One operation on the given tensors.
fn apply<'a>(
    s: &mut Sketch,
    op: impl Into<Op>,
    inputs: impl IntoIterator<Item = &'a TensorIr>,
    out: &TensorIr,
) -> Rule {
    let inputs = s.xs(inputs)?;
    let y = s.op(op, &inputs)?;
    s.bind(out, y)
}

/// The graph's convolution pads both sides equally; other padding is a separate operation before it.
fn convolution(
    s: &mut Sketch,
    mut conv: Conv,
    padding: &[(usize, usize)],
    [x, weight]: [&TensorIr; 2],
    bias: Option<&TensorIr>,
    out: &TensorIr,
) -> Rule {
    let mut inputs = s.xs([x, weight].into_iter().chain(bias))?;
    if padding.iter().all(|(before, after)| before == after) {
        conv.padding = padding.iter().map(|p| p.0).collect();
    } else {
        conv.padding = vec![0; padding.len()];
        let side = |f: fn(&(usize, usize)) -> usize| {
            [0, 0].into_iter().chain(padding.iter().map(f)).collect()
        };
        let pad = Pad {
            before: side(|p| p.0),
            after: side(|p| p.1),
            mode: PadMode::Constant,
            value: Some(Scalar::Float(0.0)),
        };
        inputs[0] = s.op(pad, &inputs[..1])?;
    }
    let y = s.op(conv, &inputs)?;
    s.bind(out, y)
}

fn number(value: ScalarIr) -> f64 {
    value.elem::<f64>()
}

fn batch_norm(op: &BatchNormOpIr, s: &mut Sketch) -> Rule {
    let inputs = [&op.x, &op.gamma, &op.beta, &op.mean, &op.variance];
    apply(
        s,
        BatchNorm {
            eps: number(op.epsilon),
        },
        inputs,
        &op.out,
    )
}

fn layer_norm(op: &LayerNormOpIr, s: &mut Sketch) -> Rule {
    let inputs = [&op.input, &op.gamma].into_iter().chain(&op.beta);
    apply(
        s,
        LayerNorm {
            eps: number(op.epsilon),
        },
        inputs,
        &op.out,
    )
}

fn interpolate(op: &InterpolateOpIr, s: &mut Sketch) -> Rule {
    let mode = match op.options.mode {
        InterpolateModeIr::Nearest => ResizeMode::Nearest,
        InterpolateModeIr::NearestExact => ResizeMode::NearestExact,
        InterpolateModeIr::Bilinear => ResizeMode::Bilinear,
        InterpolateModeIr::Bicubic => ResizeMode::Bicubic,
        InterpolateModeIr::Lanczos3 => return Err(Refusal::NoRule),
    };
    let nearest = matches!(mode, ResizeMode::Nearest | ResizeMode::NearestExact);
    let resize = Resize {
        size: op.output_size,
        mode,
        align_corners: op.options.align_corners && !nearest,
    };
    if let &[_, _, height, width] = &op.x.shape[..] {
        for (what, n, m) in [
            ("rows", height, resize.size[0]),
            ("columns", width, resize.size[1]),
        ] {
            if n > 0 && !resize.differs_from_rounded(n, m).is_empty() {
                s.note(format!(
                    "nearest resizing from {n} to {m} {what}: the graph takes the element at ⌊o·n/m⌋ \
                     exactly; burn rounds n/m and takes another for outputs {:?}",
                    resize.differs_from_rounded(n, m)
                ));
            }
        }
    }
    apply(s, resize, [&op.x], &op.out)
}

/// A mask of true leaves a key out, in burn and in the graph.
fn attention(op: &AttentionOpIr, s: &mut Sketch) -> Rule {
    let attention = Attention {
        scale: op.options.scale.map(number),
        softcap: op.options.softcap.map(number),
        causal: op.options.is_causal,
        mask: op.mask.is_some(),
        bias: op.attn_bias.is_some(),
    };
    let inputs = [&op.query, &op.key, &op.value]
        .into_iter()
        .chain(&op.mask)
        .chain(&op.attn_bias);
    apply(s, attention, inputs, &op.out)
}

fn pooling(op: &ModuleOperationIr, s: &mut Sketch) -> Rule {
    use ModuleOperationIr as M;
    macro_rules! max_pool {
        ($op:expr, $list:expr) => {{
            let (op, list) = ($op, $list);
            let pool = MaxPool {
                kernel: list(op.kernel_size),
                stride: list(op.stride),
                padding: list(op.padding),
                dilation: list(op.dilation),
                ceil_mode: op.ceil_mode,
            };
            apply(s, pool, [&op.x], &op.out)
        }};
    }
    macro_rules! avg_pool {
        ($op:expr, $list:expr) => {{
            let (op, list) = ($op, $list);
            let pool = AvgPool {
                kernel: list(op.kernel_size),
                stride: list(op.stride),
                padding: list(op.padding),
                count_include_pad: op.count_include_pad,
                ceil_mode: op.ceil_mode,
            };
            apply(s, pool, [&op.x], &op.out)
        }};
    }
    let one = |n: usize| vec![n];
    let two = |n: [usize; 2]| n.to_vec();
    match op {
        M::MaxPool1d(op) => max_pool!(op, one),
        M::MaxPool2d(op) => max_pool!(op, two),
        M::AvgPool1d(op) => avg_pool!(op, one),
        M::AvgPool2d(op) => avg_pool!(op, two),
        M::AdaptiveAvgPool1d(op) => apply(
            s,
            AdaptiveAvgPool {
                size: vec![op.output_size],
            },
            [&op.x],
            &op.out,
        ),
        M::AdaptiveAvgPool2d(op) => apply(
            s,
            AdaptiveAvgPool {
                size: op.output_size.to_vec(),
            },
            [&op.x],
            &op.out,
        ),
        M::AdaptiveAvgPool3d(op) => apply(
            s,
            AdaptiveAvgPool {
                size: op.output_size.to_vec(),
            },
            [&op.x],
            &op.out,
        ),
        // Gradients, pooling with indices, deformable convolution, unfolding, CTC.
        _ => Err(Refusal::NoRule),
    }
}
