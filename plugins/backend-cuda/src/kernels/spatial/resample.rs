//! Resampling: a unit for each vector of the result.

use cubecl::prelude::*;

/// How an element is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Resampling {
    /// The element at ⌊output·n/m⌋.
    Nearest,
    /// The element at ⌊(output + ½)·n/m⌋.
    NearestExact,
    /// Between two elements in each direction, by half-pixel centres.
    Linear,
    /// The same, with the centres of the corners in place.
    LinearOfCorners,
}

impl Resampling {
    fn interpolates(self) -> bool {
        matches!(self, Resampling::Linear | Resampling::LinearOfCorners)
    }

    /// How far apart elements of `to` are in `from`, for those that interpolate.
    pub(crate) fn step(self, from: usize, to: usize) -> f32 {
        match self {
            Resampling::LinearOfCorners if to == 1 => 0.0,
            Resampling::LinearOfCorners => (from - 1) as f32 / (to - 1) as f32,
            _ => from as f32 / to as f32,
        }
    }
}

/// Sides of a picture and of the result, and vectors at one place.
#[derive(CubeLaunch, CubeType)]
pub(crate) struct Scale {
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    pub(crate) high: u32,
    pub(crate) wide: u32,
    pub(crate) inner: u32,
    pub(crate) step_y: f32,
    pub(crate) step_x: f32,
}

/// Pictures `[images, rows, columns, inner]` as `[images, high, wide, inner]`. Places and sums are f32.
#[cube(launch_unchecked)]
pub(crate) fn resample<F: Float, N: Size>(
    x: &[Vector<F, N>],
    out: &mut [Vector<F, N>],
    scale: Scale,
    work: u32,
    #[comptime] resampling: Resampling,
    #[define(F)] _dtype: ElemType,
) {
    let at = ABSOLUTE_POS as u32;
    if at < work {
        let i = at % scale.inner;
        let place = at / scale.inner;
        let column = place % scale.wide;
        let row = (place / scale.wide) % scale.high;
        let image = place / scale.wide / scale.high;
        let first = image * scale.rows;
        if comptime!(resampling.interpolates()) {
            let y = source(row, scale.step_y, resampling);
            let x_ = source(column, scale.step_x, resampling);
            let (y0, x0) = (whole(y, scale.rows), whole(x_, scale.columns));
            let y1 = select(y0 + 1u32 < scale.rows, y0 + 1u32, y0);
            let x1 = select(x0 + 1u32 < scale.columns, x0 + 1u32, x0);
            let down = Vector::<f32, N>::new(y - f32::cast_from(y0));
            let right = Vector::<f32, N>::new(x_ - f32::cast_from(x0));
            let upper = (first + y0) * scale.columns;
            let lower = (first + y1) * scale.columns;
            let a = widen::<F, N>(x[((upper + x0) * scale.inner + i) as usize]);
            let b = widen::<F, N>(x[((upper + x1) * scale.inner + i) as usize]);
            let c = widen::<F, N>(x[((lower + x0) * scale.inner + i) as usize]);
            let d = widen::<F, N>(x[((lower + x1) * scale.inner + i) as usize]);
            let above = a + (b - a) * right;
            let below = c + (d - c) * right;
            out[at as usize] = Vector::<F, N>::cast_from(above + (below - above) * down);
        } else {
            let y = nearest(row, scale.rows, scale.high, resampling);
            let x_ = nearest(column, scale.columns, scale.wide, resampling);
            out[at as usize] = x[(((first + y) * scale.columns + x_) * scale.inner + i) as usize];
        }
    }
}

#[cube]
fn widen<F: Float, N: Size>(x: Vector<F, N>) -> Vector<f32, N> {
    Vector::<f32, N>::cast_from(x)
}

/// Where an element comes from, at least 0: before the first element it is the first.
#[cube]
fn source(o: u32, step: f32, #[comptime] resampling: Resampling) -> f32 {
    let o = f32::cast_from(o);
    if comptime!(matches!(resampling, Resampling::LinearOfCorners)) {
        o * step
    } else {
        ((o + 0.5) * step - 0.5).max(0.0)
    }
}

/// The element at or before a place, of `n`.
#[cube]
fn whole(place: f32, n: u32) -> u32 {
    let place = u32::cast_from(place);
    select(place < n, place, n - 1u32)
}

#[cube]
fn nearest(o: u32, n: u32, m: u32, #[comptime] resampling: Resampling) -> u32 {
    if comptime!(matches!(resampling, Resampling::NearestExact)) {
        ((2u32 * o + 1u32) * n) / (2u32 * m)
    } else {
        (o * n) / m
    }
}
