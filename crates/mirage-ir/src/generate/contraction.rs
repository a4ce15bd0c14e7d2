//! Matrix products, convolutions and attention.

use super::generator::{Generator, Operand, Recipe};
use crate::{
    DType, GraphError, Order, TensorType, ValueId,
    interp::{Tensor, index},
    ops::{Attention, Conv, ConvTranspose, Linear, Matmul, Reorder, Unary},
};

pub(super) const RECIPES: &[Recipe] = &[
    linear,
    matmul,
    conv,
    channels_last_conv,
    conv_transpose,
    attention,
];

fn row_major_float(t: &TensorType) -> bool {
    t.dtype.is_float() && t.is_row_major()
}

/// The operands x, a weight, and now and then a bias; with the bound of what they give when each
/// output element sums `terms` products.
fn with_weight(
    g: &mut Generator,
    x: Operand,
    weight: TensorType,
    out: usize,
    terms: usize,
) -> Result<(Vec<ValueId>, f64), GraphError> {
    let dtype = weight.dtype;
    let scale = 2.0 / (terms.max(1) as f64).sqrt();
    let mut operands = vec![x.value, g.floats(weight, -scale, scale)?];
    if g.rng.chance(0.6) {
        operands.push(g.floats(TensorType::new(dtype, [out]), -0.5, 0.5)?);
    }
    Ok((
        operands,
        (x.bound * scale * terms as f64 + 0.5) * g.options.range.max(1.0),
    ))
}

fn linear(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(row_major_float).filter(|_| g.allows(&["linear"])) else {
        return Ok(false);
    };
    let ty = g.ty(x);
    let (ins, outs) = (ty.shape[ty.rank() - 1], g.rng.between(1, 8));
    let weight = TensorType::new(ty.dtype, [ins, outs]);
    let (operands, bound) = with_weight(g, x, weight, outs, ins)?;
    g.node(Linear {}, &operands, bound)?;
    Ok(true)
}

fn matmul(g: &mut Generator) -> Result<bool, GraphError> {
    let takes = |t: &TensorType| t.dtype != DType::Bool && t.is_row_major();
    let Some(a) = g.pick(takes).filter(|_| g.allows(&["matmul"])) else {
        return Ok(false);
    };
    let ty = g.ty(a);
    let (rank, inner) = (ty.rank(), ty.shape[ty.rank() - 1]);
    let mut shape = ty.shape.clone();
    shape[rank - 2] = inner;
    shape[rank - 1] = g.rng.between(1, 8);
    if rank > 2 && g.rng.chance(0.4) {
        shape[0] = 1;
    }
    let fits = |t: &TensorType| {
        let [batch, row] = [
            &t.shape[..t.rank().saturating_sub(2)],
            &ty.shape[..rank - 2],
        ];
        t.dtype == ty.dtype && t.is_row_major() && batch == row && t.shape[rank - 2] == inner
    };
    let b = match g.pick(fits) {
        Some(b) => b,
        None if ty.dtype.is_float() => {
            let value = g.floats(TensorType::new(ty.dtype, shape), -1.0, 1.0)?;
            Operand {
                value,
                bound: g.options.range,
            }
        }
        None => return Ok(false),
    };
    g.node(
        Matmul {},
        &[a.value, b.value],
        a.bound * b.bound * inner as f64,
    )?;
    Ok(true)
}

/// A float tensor with 1 to 3 spatial dimensions in an order that convolutions take.
fn spatial(t: &TensorType) -> bool {
    let order = t.is_row_major() || t.order == Order::channels_last(t.rank());
    t.dtype.is_float() && (3..=5).contains(&t.rank()) && order
}

/// Groups that divide this number of channels: mostly one.
fn groups(g: &mut Generator, channels: usize) -> usize {
    let divisors: Vec<usize> = (2..=channels)
        .filter(|&n| channels.is_multiple_of(n))
        .collect();
    let some = g.rng.chance(0.4);
    g.rng
        .choose(&divisors)
        .copied()
        .filter(|_| some)
        .unwrap_or(1)
}

fn conv(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(spatial).filter(|_| g.allows(&["conv"])) else {
        return Ok(false);
    };
    conv_of(g, x)?;
    Ok(true)
}

/// A convolution and a function of one element in channels last, now and then back to row-major
/// after them: what a layout pass makes.
fn channels_last_conv(g: &mut Generator) -> Result<bool, GraphError> {
    let takes = |t: &TensorType| t.rank() == 4 && row_major_float(t);
    let Some(x) = g
        .pick(takes)
        .filter(|_| g.allows(&["conv", "reorder", "silu"]))
    else {
        return Ok(false);
    };
    let order = Order::channels_last(4);
    let x = g.node(Reorder { order }, &[x.value], x.bound)?;
    let y = conv_of(g, x)?;
    let z = g.node(Unary::Silu, &[y.value], y.bound)?;
    if g.rng.chance(0.5) {
        g.node(
            Reorder {
                order: Order::row_major(4),
            },
            &[z.value],
            z.bound,
        )?;
    }
    Ok(true)
}

fn conv_of(g: &mut Generator, x: Operand) -> Result<Operand, GraphError> {
    let ty = g.ty(x);
    let n = ty.rank() - 2;
    let groups = groups(g, ty.shape[1]);
    let out = groups * g.rng.between(1, 4);
    let mut conv = Conv {
        stride: vec![],
        padding: vec![],
        dilation: vec![],
        groups,
    };
    let mut weight = vec![out, ty.shape[1] / groups];
    for &length in &ty.shape[2..] {
        let (kernel, padding) = (g.rng.between(1, 3), g.rng.between(0, 1));
        let dilation = g.rng.between(1, 2);
        // A kernel that does not fit shrinks to one that always does.
        let fits = dilation * (kernel - 1) < length + 2 * padding;
        weight.push(if fits { kernel } else { 1 });
        conv.stride.push(g.rng.between(1, 2));
        conv.padding.push(padding);
        conv.dilation.push(dilation);
    }
    let terms = weight[1..].iter().product();
    let mut weight = TensorType::new(ty.dtype, weight);
    if !ty.is_row_major() && g.rng.chance(0.5) {
        weight = weight.with_order(Order::channels_last(n + 2));
    }
    let (operands, bound) = with_weight(g, x, weight, out, terms)?;
    g.node(conv, &operands, bound)
}

fn conv_transpose(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(spatial).filter(|_| g.allows(&["conv_transpose"])) else {
        return Ok(false);
    };
    let ty = g.ty(x);
    let groups = groups(g, ty.shape[1]);
    let outs = g.rng.between(1, 4);
    let (stride, padding, output_padding, dilation) = (vec![], vec![], vec![], vec![]);
    let mut conv = ConvTranspose {
        stride,
        padding,
        output_padding,
        dilation,
        groups,
    };
    let mut weight = vec![ty.shape[1], outs];
    for &length in &ty.shape[2..] {
        let (kernel, stride) = (g.rng.between(1, 3), g.rng.between(1, 2));
        let dilation = g.rng.between(1, 2);
        let full = (length - 1) * stride + dilation * (kernel - 1) + 1;
        weight.push(kernel);
        conv.stride.push(stride);
        conv.dilation.push(dilation);
        conv.padding
            .push(if full > 2 { g.rng.between(0, 1) } else { 0 });
        // Engines take less than the stride or the dilation.
        conv.output_padding.push(g.rng.between(0, stride - 1));
    }
    let terms = ty.shape[1] / groups * weight[2..].iter().product::<usize>();
    let weight = TensorType::new(ty.dtype, weight);
    let (operands, bound) = with_weight(g, x, weight, outs * groups, terms)?;
    g.node(conv, &operands, bound)?;
    Ok(true)
}

fn attention(g: &mut Generator) -> Result<bool, GraphError> {
    let takes = |t: &TensorType| t.rank() == 4 && row_major_float(t);
    let Some(q) = g.pick(takes).filter(|_| g.allows(&["attention"])) else {
        return Ok(false);
    };
    let ty = g.ty(q);
    let [b, h, m, d] = ty.shape[..] else {
        return Ok(false);
    };
    let (n, e) = (g.rng.between(1, 8), g.rng.between(1, 8));
    let k = g.floats(TensorType::new(ty.dtype, [b, h, n, d]), -1.0, 1.0)?;
    let v = g.floats(TensorType::new(ty.dtype, [b, h, n, e]), -1.0, 1.0)?;
    let mut op = Attention {
        scale: g.rng.chance(0.5).then(|| g.rng.uniform(0.2, 0.8)),
        softcap: g.rng.chance(0.3).then(|| g.rng.uniform(2.0, 8.0)),
        // Otherwise the first queries would have no key.
        causal: n >= m && g.rng.chance(0.5),
        ..Attention::default()
    };
    let mut operands = vec![q.value, k, v];
    if g.rng.chance(0.4) {
        op.mask = true;
        operands.push(mask(g, [b, 1, m, n])?);
    }
    if g.rng.chance(0.4) {
        op.bias = true;
        operands.push(g.floats(TensorType::new(ty.dtype, [1, h, m, n]), -1.0, 1.0)?);
    }
    g.node(op, &operands, g.options.range)?;
    Ok(true)
}

/// A mask that leaves no query without a key: the first key is never left out.
fn mask(g: &mut Generator, shape: [usize; 4]) -> Result<ValueId, GraphError> {
    let out = index::map(&shape, |i| i[3] > 0 && g.rng.chance(0.4));
    let data = Tensor::bool(shape, out).map_err(|e| g.error(&e))?;
    g.fresh(TensorType::new(DType::Bool, shape), data, 1.0)
}
