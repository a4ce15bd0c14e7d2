//! The part of the product that differs for f32: fragments of tf32, addressed by hand.

use cubecl::prelude::*;

use super::multiply::{SKEW, Tile};
use crate::kernels::fragments::{accumulate, pair};

/// Rows and columns of a fragment of the result.
const ROWS: usize = 16;
const COLUMNS: usize = 8;
/// Units of a plane.
const PLANE: usize = 32;

/// A sum of zero for each fragment of a plane, row by row.
#[cube]
pub(crate) fn zeros(sums: &mut Sequence<Array<Vector<f32, Const<2>>>>, #[comptime] tile: Tile) {
    #[unroll]
    for _ in 0..comptime!(tile.plane_rows() / ROWS * (tile.plane_columns() / COLUMNS)) {
        let mut sum = Array::<Vector<f32, Const<2>>>::new(2usize);
        sum[0] = Vector::<f32, Const<2>>::new(0.0);
        sum[1] = Vector::<f32, Const<2>>::new(0.0);
        sums.push(sum);
    }
}

/// Adds the product of a tile in shared memory, of which this plane's part begins at these rows.
#[cube]
pub(crate) fn add<F: Float, V: Size, W: Size>(
    x: &Shared<[Vector<F, V>]>,
    weight: &Shared<[Vector<F, W>]>,
    x_row: usize,
    w_row: usize,
    sums: &mut Sequence<Array<Vector<f32, Const<2>>>>,
    #[comptime] tile: Tile,
) {
    let x_line = V::value();
    let w_line = W::value();
    let x_pitch = comptime!((tile.depth() + SKEW) / x_line);
    let w_pitch = comptime!((tile.depth() + SKEW) / w_line);
    let lane = UNIT_POS as usize % PLANE;
    let g = lane / 4;
    let t = lane % 4;
    let down = comptime!(tile.plane_rows() / ROWS);
    let across = comptime!(tile.plane_columns() / COLUMNS);
    let depth = comptime!(tile.arithmetic.step());
    #[unroll]
    for step in 0..comptime!(tile.depth() / depth) {
        let column = comptime!(step * depth) + 2 * t;
        let mut rights = Sequence::<Array<Vector<F, Const<2>>>>::new();
        #[unroll]
        for j in 0..across {
            let mut right = Array::<Vector<F, Const<2>>>::new(1usize);
            right[0] = pair::<F, W>(weight, w_row + comptime!(j * COLUMNS) + g, column, w_pitch);
            rights.push(right);
        }
        #[unroll]
        for i in 0..down {
            let row = x_row + comptime!(i * ROWS) + g;
            let mut left = Array::<Vector<F, Const<2>>>::new(2usize);
            left[0] = pair::<F, V>(x, row, column, x_pitch);
            left[1] = pair::<F, V>(x, row + 8, column, x_pitch);
            #[unroll]
            for j in 0..across {
                let sum = sums.index_mut(comptime!(i * across + j));
                accumulate::<F>(&left, rights.index(j), sum, comptime!(tile.arithmetic));
            }
        }
    }
}

/// Writes a plane's sums, the first at `first`, rows `pitch` elements apart.
#[cube]
pub(crate) fn store(
    out: &mut [f32],
    sums: &Sequence<Array<Vector<f32, Const<2>>>>,
    first: usize,
    pitch: usize,
    #[comptime] tile: Tile,
) {
    let lane = UNIT_POS as usize % PLANE;
    let at = first + lane / 4 * pitch + 2 * (lane % 4);
    let across = comptime!(tile.plane_columns() / COLUMNS);
    #[unroll]
    for i in 0..comptime!(tile.plane_rows() / ROWS) {
        #[unroll]
        for j in 0..across {
            let sum = sums.index(comptime!(i * across + j));
            #[unroll]
            for half in 0..2usize {
                let place = at + comptime!(i * ROWS + half * 8) * pitch + comptime!(j * COLUMNS);
                out[place] = sum[half].extract(0usize);
                out[place + 1] = sum[half].extract(1usize);
            }
        }
    }
}
