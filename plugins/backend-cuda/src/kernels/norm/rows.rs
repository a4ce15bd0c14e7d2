//! Layer norm: a plane for each row.

use cubecl::prelude::*;

/// Units of a plane.
const PLANE: usize = 32;
/// Rows of a cube.
pub(crate) const ROWS: usize = 4;
/// Units of a cube.
pub(crate) const UNITS: usize = ROWS * PLANE;

/// `(x - mean) / √(variance + eps) · gamma + beta` over rows of `columns` vectors, in f32.
#[cube(launch_unchecked)]
pub(crate) fn normalize_rows<F: Float, P: Float, N: Size>(
    x: &[Vector<F, N>],
    gamma: &[Vector<P, N>],
    beta: ComptimeOption<&[Vector<P, N>]>,
    out: &mut [Vector<F, N>],
    rows: u32,
    columns: u32,
    eps: f32,
    #[define(F, P)] _dtypes: [ElemType; 2],
) {
    let row = CUBE_POS_X * comptime!(ROWS as u32) + UNIT_POS / comptime!(PLANE as u32);
    let lane = UNIT_POS % comptime!(PLANE as u32);
    if row < rows {
        let from = row * columns;
        let line = N::value();
        let count = f32::cast_from(columns * comptime!(line as u32));
        let mut sums = Vector::<f32, N>::new(0.0);
        // All lanes take as many steps, so that they meet again at the sum.
        let steps = columns.div_ceil(comptime!(PLANE as u32));
        for step in 0..steps {
            let at = step * comptime!(PLANE as u32) + lane;
            if at < columns {
                sums += Vector::<f32, N>::cast_from(x[(from + at) as usize]);
            }
        }
        let mean = Vector::<f32, N>::new(plane_sum(total::<N>(sums)) / count);
        let mut squares = Vector::<f32, N>::new(0.0);
        for step in 0..steps {
            let at = step * comptime!(PLANE as u32) + lane;
            if at < columns {
                let centred = Vector::<f32, N>::cast_from(x[(from + at) as usize]) - mean;
                squares += centred * centred;
            }
        }
        let variance = plane_sum(total::<N>(squares)) / count;
        let scale = Vector::<f32, N>::new(1.0 / (variance + eps).sqrt());
        for at in range_stepped(lane, columns, comptime!(PLANE as u32)) {
            let centred = Vector::<f32, N>::cast_from(x[(from + at) as usize]) - mean;
            let mut y = centred * scale * Vector::<f32, N>::cast_from(gamma[at as usize]);
            #[comptime]
            match beta {
                ComptimeOption::Some(beta) => y += Vector::<f32, N>::cast_from(beta[at as usize]),
                ComptimeOption::None => {}
            }
            out[(from + at) as usize] = Vector::<F, N>::cast_from(y);
        }
    }
}

/// The sum of a vector's elements.
#[cube]
pub(crate) fn total<N: Size>(x: Vector<f32, N>) -> f32 {
    let mut sum = x.extract(0usize);
    #[unroll]
    for i in 1..N::value() {
        sum += x.extract(i);
    }
    sum
}
