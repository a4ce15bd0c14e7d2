//! Resampling, on row-major views.

use burn_backend::{
    Backend,
    ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode, InterpolateOptions},
    tensor::IntTensor,
};
use mirage_ir::{
    TensorData,
    ops::{GridSample, Resize, ResizeMode, SampleMode, SamplePadding},
};

use super::{Lowered, NodeContext, accumulator, cast_float, kernel};
use crate::{Kernel, Tensor};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    if let Some(op) = cx.node.op.get::<GridSample>() {
        return Some(Ok(grid_sample(op, cx)));
    }
    let op = cx.node.op.get::<Resize>()?;
    let mode = match op.mode {
        ResizeMode::Bilinear => InterpolateMode::Bilinear,
        ResizeMode::Bicubic => InterpolateMode::Bicubic,
        ResizeMode::Nearest | ResizeMode::NearestExact => return Some(nearest(op, cx)),
    };
    Some(Ok(interpolate(mode, op, cx)))
}

fn interpolate<B: Backend>(
    mode: InterpolateMode,
    op: &Resize,
    cx: &NodeContext<'_, B>,
) -> Kernel<B> {
    let (x, out, size) = (cx.logical(0), cx.physical(), op.size);
    let options = InterpolateOptions::new(mode).with_align_corners(op.align_corners);
    kernel(move |args| {
        let x = x.view(args.take(0)).into_float();
        out.lay_out(Tensor::Float(B::interpolate(x, size, options.clone())))
    })
}

/// Computes coordinates and sums of half precision in f32.
fn grid_sample<B: Backend>(op: &GridSample, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let mode = match op.mode {
        SampleMode::Bilinear => InterpolateMode::Bilinear,
        SampleMode::Nearest => InterpolateMode::Nearest,
    };
    let padding = match op.padding {
        SamplePadding::Border => GridSamplePaddingMode::Border,
        SamplePadding::Reflection => GridSamplePaddingMode::Reflection,
        SamplePadding::Zeros => GridSamplePaddingMode::Zeros,
    };
    let options = GridSampleOptions::new(mode)
        .with_padding_mode(padding)
        .with_align_corners(op.align_corners);
    let (x, grid, out) = (cx.logical(0), cx.logical(1), cx.physical());
    let (dtype, storage) = (cx.inputs[0].dtype, cx.storage);
    let wide = accumulator(dtype);
    kernel(move |args| {
        let x = x.view(args.take(0)).into_float();
        // burn-cubecl 0.22.1 reads the grid as if its coordinates were adjacent, whatever its strides.
        let grid = grid.view(args.take(1)).contiguous().into_float();
        let [x, grid] = [x, grid].map(|t| cast_float::<B>(t, dtype, wide, &storage));
        let y = B::float_grid_sample_2d(x, grid, options.clone());
        out.lay_out(Tensor::Float(cast_float::<B>(y, wide, dtype, &storage)))
    })
}

/// Selects rows and columns by index, because engines round differently and some lack a mode.
fn nearest<B: Backend>(op: &Resize, cx: &NodeContext<'_, B>) -> Result<Kernel<B>, String> {
    let storage = cx.storage;
    let mut steps = Vec::new();
    for (d, &to) in op.size.iter().enumerate() {
        let from = cx.inputs[0].shape[2 + d];
        let picks: Vec<i64> = (0..to).map(|i| pick(op.mode, i, from, to) as i64).collect();
        if from == to {
            continue;
        }
        let data = TensorData::from_i64([to], &picks)?;
        let wide = Tensor::<B>::from_data(&data, &cx.storage, cx.engine.device());
        steps.push((cx.place(2 + d), wide.into_int()));
    }
    Ok(kernel(move |args| {
        let pick = |x: Tensor<B>, (dim, indices): &(usize, IntTensor<B>)| {
            x.select(*dim, indices.clone(), &storage)
        };
        steps.iter().fold(args.take(0), pick)
    }))
}

/// Returns the input element for output element `i`: ⌊i·n/m⌋, or ⌊(i + ½)·n/m⌋.
fn pick(mode: ResizeMode, i: usize, from: usize, to: usize) -> usize {
    let place = match mode {
        ResizeMode::NearestExact => (2 * i + 1) * from / (2 * to),
        _ => i * from / to,
    };
    place.min(from - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_nearest_takes_the_centre() {
        let picks = |mode, from, to| (0..to).map(|i| pick(mode, i, from, to)).collect::<Vec<_>>();
        assert_eq!(picks(ResizeMode::Nearest, 4, 2), [0, 2]);
        assert_eq!(picks(ResizeMode::NearestExact, 4, 2), [1, 3]);
        assert_eq!(picks(ResizeMode::Nearest, 2, 4), [0, 0, 1, 1]);
        assert_eq!(picks(ResizeMode::NearestExact, 2, 4), [0, 0, 1, 1]);
        assert_eq!(picks(ResizeMode::Nearest, 3, 5), [0, 0, 1, 1, 2]);
    }
}
