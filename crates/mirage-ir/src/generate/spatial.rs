//! Pools and resampling.

use super::generator::{Generator, Recipe};
use crate::{
    GraphError, TensorType,
    ops::{
        AdaptiveAvgPool, AvgPool, GridSample, MaxPool, Resize, ResizeMode, SampleMode,
        SamplePadding,
    },
};

pub(super) const RECIPES: &[Recipe] = &[max_pool, avg_pool, adaptive_avg_pool, resize, grid_sample];

fn spatial(t: &TensorType) -> bool {
    t.dtype.is_float() && (3..=5).contains(&t.rank())
}

/// Kernel, stride and padding that fit these lengths.
fn windows(g: &mut Generator, space: &[usize]) -> [Vec<usize>; 3] {
    let (mut kernel, mut stride, mut padding) = (vec![], vec![], vec![]);
    for &length in space {
        let k = g.rng.between(1, 3.min(length));
        kernel.push(k);
        stride.push(g.rng.between(1, 3));
        padding.push(g.rng.between(0, k / 2));
    }
    [kernel, stride, padding]
}

fn max_pool(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(spatial).filter(|_| g.allows(&["max_pool"])) else {
        return Ok(false);
    };
    let space = g.ty(x).shape.split_off(2);
    let [kernel, stride, padding] = windows(g, &space);
    // Only without padding, so that every window has an element inside.
    let dilation = (0..space.len())
        .map(|d| {
            if padding[d] == 0 && 2 * (kernel[d] - 1) < space[d] {
                g.rng.between(1, 2)
            } else {
                1
            }
        })
        .collect();
    let op = MaxPool {
        kernel,
        stride,
        padding,
        dilation,
        ceil_mode: g.rng.chance(0.4),
    };
    g.node(op, &[x.value], x.bound)?;
    Ok(true)
}

fn avg_pool(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(spatial).filter(|_| g.allows(&["avg_pool"])) else {
        return Ok(false);
    };
    let space = g.ty(x).shape.split_off(2);
    let [kernel, stride, padding] = windows(g, &space);
    let (count_include_pad, ceil_mode) = (g.rng.chance(0.5), g.rng.chance(0.4));
    let op = AvgPool {
        kernel,
        stride,
        padding,
        count_include_pad,
        ceil_mode,
    };
    g.node(op, &[x.value], x.bound)?;
    Ok(true)
}

fn adaptive_avg_pool(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(spatial).filter(|_| g.allows(&["adaptive_avg_pool"])) else {
        return Ok(false);
    };
    let size = (2..g.ty(x).rank()).map(|_| g.rng.between(1, 8)).collect();
    g.node(AdaptiveAvgPool { size }, &[x.value], x.bound)?;
    Ok(true)
}

fn resize(g: &mut Generator) -> Result<bool, GraphError> {
    use ResizeMode::*;
    let takes = |t: &TensorType| t.dtype.is_float() && t.rank() == 4;
    let Some(x) = g.pick(takes).filter(|_| g.allows(&["resize"])) else {
        return Ok(false);
    };
    let Some(&mode) = g.rng.choose(&[Nearest, NearestExact, Bilinear, Bicubic]) else {
        return Ok(false);
    };
    let size = [g.rng.between(1, 10), g.rng.between(1, 10)];
    let align_corners = matches!(mode, Bilinear | Bicubic) && g.rng.chance(0.5);
    // A cubic overshoots: its weights add up to at most 1.4 a direction in magnitude.
    let bound = if mode == Bicubic {
        x.bound * 2.0
    } else {
        x.bound
    };
    g.node(
        Resize {
            size,
            mode,
            align_corners,
        },
        &[x.value],
        bound,
    )?;
    Ok(true)
}

fn grid_sample(g: &mut Generator) -> Result<bool, GraphError> {
    use SamplePadding::*;
    let takes = |t: &TensorType| t.dtype.is_float() && t.rank() == 4;
    let Some(x) = g.pick(takes).filter(|_| g.allows(&["grid_sample"])) else {
        return Ok(false);
    };
    let ty = g.ty(x);
    let shape = [ty.shape[0], g.rng.between(1, 6), g.rng.between(1, 6), 2];
    // Some coordinates are outside of the tensor.
    let grid = g.floats(TensorType::new(ty.dtype, shape), -1.5, 1.5)?;
    let Some(&padding) = g.rng.choose(&[Border, Reflection, Zeros]) else {
        return Ok(false);
    };
    let jumps = !g.options.continuous && g.rng.chance(0.3);
    let op = GridSample {
        mode: if jumps {
            SampleMode::Nearest
        } else {
            SampleMode::Bilinear
        },
        padding,
        align_corners: g.rng.chance(0.5),
    };
    g.node(op, &[x.value, grid], x.bound)?;
    Ok(true)
}
