//! Pooling: a unit for each vector of the result.

use cubecl::prelude::*;

/// What is made of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pooling {
    /// The largest element.
    Max,
    /// The mean of the elements.
    Mean,
    /// The mean of the elements and of what is padded.
    MeanOfPadded,
}

/// Sides of a picture and of the result, vectors at one place, and the window.
#[derive(CubeLaunch, CubeType)]
pub(crate) struct Geometry {
    pub(crate) rows: i32,
    pub(crate) columns: i32,
    pub(crate) high: i32,
    pub(crate) wide: i32,
    pub(crate) inner: u32,
    pub(crate) kernel_y: i32,
    pub(crate) kernel_x: i32,
    pub(crate) stride_y: i32,
    pub(crate) stride_x: i32,
    pub(crate) padding_y: i32,
    pub(crate) padding_x: i32,
    /// Distance of the window's elements.
    pub(crate) step_y: i32,
    pub(crate) step_x: i32,
}

/// Windows of pictures `[images, rows, columns, inner]` as `[images, high, wide, inner]`; sums are f32.
#[cube(launch_unchecked)]
pub(crate) fn pool<F: Float, N: Size>(
    x: &[Vector<F, N>],
    out: &mut [Vector<F, N>],
    window: Geometry,
    work: u32,
    #[comptime] pooling: Pooling,
    #[define(F)] _dtype: ElemType,
) {
    let at = ABSOLUTE_POS as u32;
    if at < work {
        let i = at % window.inner;
        let place = at / window.inner;
        let wide = u32::cast_from(window.wide);
        let high = u32::cast_from(window.high);
        let column = i32::cast_from(place % wide);
        let row = i32::cast_from((place / wide) % high);
        let image = i32::cast_from(place / wide / high);
        let top = row * window.stride_y - window.padding_y;
        let left = column * window.stride_x - window.padding_x;
        let mut found = Vector::<f32, N>::new(0.0);
        if comptime!(pooling == Pooling::Max) {
            found = Vector::<f32, N>::new(f32::NEG_INFINITY);
        }
        let mut count = 0i32;
        for dy in 0..window.kernel_y {
            let y = top + dy * window.step_y;
            if y >= 0 && y < window.rows {
                for dx in 0..window.kernel_x {
                    let x_ = left + dx * window.step_x;
                    if x_ >= 0 && x_ < window.columns {
                        let from = (image * window.rows + y) * window.columns + x_;
                        let from = u32::cast_from(from) * window.inner + i;
                        let value = Vector::<f32, N>::cast_from(x[from as usize]);
                        if comptime!(pooling == Pooling::Max) {
                            found = found.max(value);
                        } else {
                            found += value;
                        }
                        count += 1;
                    }
                }
            }
        }
        if comptime!(pooling == Pooling::MeanOfPadded) {
            let bottom = least(top + window.kernel_y, window.rows + window.padding_y);
            let right = least(left + window.kernel_x, window.columns + window.padding_x);
            count = (bottom - top) * (right - left);
        }
        if comptime!(pooling != Pooling::Max) {
            found /= Vector::<f32, N>::new(f32::cast_from(count));
        }
        out[at as usize] = Vector::<F, N>::cast_from(found);
    }
}

#[cube]
fn least(a: i32, b: i32) -> i32 {
    select(a < b, a, b)
}
