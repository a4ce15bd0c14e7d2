//! The product itself: rows of gathered elements times a packed weight, on tensor cores.
//!
//! A convolution is a product of a matrix that is never written: row r is the window that makes
//! pixel r of the result, tap by tap, channels innermost. With few pixels the weight is all there is
//! to read, so the depth is divided among cubes until the memory is busy; each writes a partial sum
//! in f32, and [`super::finish`] adds them up.

use cubecl::{cmma, prelude::*};

use super::single;
use crate::kernels::fragments::Arithmetic;

/// Rows of the weight that lie together in memory, a tile's depth of each.
pub(crate) const PANEL: usize = 32;
/// Rows in shared memory are this many elements longer than a tile, so that those which units read at
/// once fall on different banks.
pub(crate) const SKEW: usize = 8;
/// Bytes of a row of a tile, and of what a unit moves at once.
const ROW: usize = 128;
const MOVE: usize = 16;
/// The side of a fragment.
const SIDE: usize = 16;
/// Units of a plane, on every device that has tensor cores of this kind.
const PLANE: usize = 32;

/// What a cube computes and how its planes divide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tile {
    /// Rows of the result.
    pub(crate) rows: usize,
    /// Columns of the result, a multiple of [`PANEL`].
    pub(crate) columns: usize,
    /// Planes along the rows.
    pub(crate) planes_down: usize,
    /// Planes along the columns.
    pub(crate) planes_across: usize,
    /// Whether a row of x is a row of the matrix, as in a linear layer.
    pub(crate) plain: bool,
    pub(crate) arithmetic: Arithmetic,
}

/// The depth of a tile: this many elements of a row of the weight lie in sequence.
pub(crate) const fn depth(bytes_each: usize) -> usize {
    ROW / bytes_each
}

impl Tile {
    pub(crate) fn units(&self) -> usize {
        self.planes_down * self.planes_across * PLANE
    }

    /// Bytes of an element.
    fn bytes_each(&self) -> usize {
        match self.arithmetic {
            Arithmetic::Half => 2,
            Arithmetic::Tf32 | Arithmetic::Tf32x3 => 4,
        }
    }

    pub(crate) fn depth(&self) -> usize {
        depth(self.bytes_each())
    }

    /// Elements of the weight that a unit moves at once.
    pub(crate) fn line(&self) -> usize {
        MOVE / self.bytes_each()
    }

    /// Rows and columns of a plane.
    pub(crate) fn plane_rows(&self) -> usize {
        self.rows / self.planes_down
    }

    pub(crate) fn plane_columns(&self) -> usize {
        self.columns / self.planes_across
    }
}

/// Where the elements of a row of the matrix lie; everything counts elements or pixels.
#[derive(CubeLaunch, CubeType)]
pub(crate) struct Window {
    /// Rows of the matrix.
    pub(crate) rows: u32,
    pub(crate) in_height: i32,
    pub(crate) in_width: i32,
    pub(crate) out_height: u32,
    pub(crate) out_width: u32,
    pub(crate) channels: u32,
    /// Taps in a row of the window, and in all of it.
    pub(crate) taps_across: u32,
    pub(crate) taps: u32,
    pub(crate) stride_down: i32,
    pub(crate) stride_across: i32,
    pub(crate) padding_down: i32,
    pub(crate) padding_across: i32,
    pub(crate) dilation_down: i32,
    pub(crate) dilation_across: i32,
}

/// How the depth is divided.
#[derive(CubeLaunch, CubeType)]
pub(crate) struct Split {
    /// Tiles of the whole depth.
    pub(crate) tiles: u32,
    /// Tiles of one part; the last may have fewer.
    pub(crate) tiles_each: u32,
}

/// Cube (n, m, s) gives tile (m, n) of part s of the sum: `partial` is parts × rows × columns, both
/// filled up to whole tiles.
#[cube(launch_unchecked)]
pub(crate) fn multiply<F: Float, V: Size, W: Size>(
    x: &[Vector<F, V>],
    weight: &[Vector<F, W>],
    partial: &mut [f32],
    window: Window,
    split: Split,
    #[comptime] tile: Tile,
    #[define(F)] _dtype: ElemType,
) {
    let units = comptime!(tile.units());
    let line = V::value();
    let tile_depth = comptime!(tile.depth());
    let w_line_len = comptime!(tile.line());
    let x_lines = comptime!(tile_depth / line);
    let x_pitch = comptime!((tile_depth + SKEW) / line);
    let w_lines = comptime!(tile_depth / w_line_len);
    let w_pitch = comptime!((tile_depth + SKEW) / w_line_len);
    let x_each = comptime!(tile.rows * x_lines / units);
    let w_each = comptime!(tile.columns * w_lines / units);
    let x_step = comptime!(units / x_lines);
    let w_step = comptime!(units / w_lines);
    let x_stage = comptime!(tile.rows * x_pitch);
    let w_stage = comptime!(tile.columns * w_pitch);
    let halves = comptime!(tile.arithmetic == Arithmetic::Half);
    let down = comptime!(tile.plane_rows() / SIDE);
    let across = comptime!(tile.plane_columns() / SIDE);

    let mut x_shared = Shared::<[Vector<F, V>]>::new_aligned_slice(comptime!(2 * x_stage), 32usize);
    let mut w_shared = Shared::<[Vector<F, W>]>::new_aligned_slice(comptime!(2 * w_stage), 32usize);

    // The part of x and of the weight that this unit moves in every tile.
    let unit = UNIT_POS as usize;
    let x_row = unit / x_lines;
    let x_line = unit % x_lines;
    let w_row = unit / w_lines;
    let w_line = unit % w_lines;
    let first_row = CUBE_POS_Y as usize * tile.rows;
    let first_panel = CUBE_POS_X as usize * comptime!(tile.columns / PANEL);

    // For each row: the place of its window's corner, or one that is outside for a row too many.
    let mut corner_y = Array::<i32>::new(x_each);
    let mut corner_x = Array::<i32>::new(x_each);
    let mut base = Array::<i32>::new(x_each);
    #[unroll]
    for i in 0..x_each {
        let row = (first_row + x_row + i * x_step) as u32;
        if comptime!(tile.plain) {
            base[i] = row as i32;
            corner_y[i] = 0i32;
            corner_x[i] = 0i32;
        } else {
            let line_of_pixels = row / window.out_width;
            let across_at = row % window.out_width;
            let batch = line_of_pixels / window.out_height;
            let down_at = line_of_pixels % window.out_height;
            corner_y[i] = down_at as i32 * window.stride_down - window.padding_down;
            corner_x[i] = across_at as i32 * window.stride_across - window.padding_across;
            base[i] = batch as i32 * window.in_height * window.in_width;
            if row >= window.rows {
                corner_y[i] = -1_000_000i32;
            }
        }
    }

    let mut sums = Sequence::<cmma::Matrix<f32>>::new();
    let mut single_sums = Sequence::<Array<Vector<f32, Const<2>>>>::new();
    if comptime!(halves) {
        #[unroll]
        for _ in 0..comptime!(down * across) {
            sums.push(cmma::Matrix::<f32>::from_value(
                cmma::MatrixIdent::Accumulator,
                SIDE,
                SIDE,
                SIDE,
                cmma::MatrixLayout::Undefined,
                0.0,
            ));
        }
    } else {
        single::zeros(&mut single_sums, tile);
    }
    let plane = unit / PLANE;
    let plane_row = (plane / comptime!(tile.planes_across)) * comptime!(tile.plane_rows());
    let plane_column = (plane % comptime!(tile.planes_across)) * comptime!(tile.plane_columns());

    let mut x_moved = Array::<Vector<F, V>>::new(x_each);
    let mut w_moved = Array::<Vector<F, W>>::new(w_each);

    let begin = CUBE_POS_Z * split.tiles_each;
    let end = u32::min(begin + split.tiles_each, split.tiles);
    let mut stage = 0usize;
    for step in begin..end + 1 {
        // Memory is asked for tile `step` before tile `step - 1` is computed, and waited for after.
        if step < end {
            let depth = step * comptime!(tile_depth as u32) + (x_line * line) as u32;
            let tap = depth / window.channels;
            let channel = depth - tap * window.channels;
            let tap_y = (tap / window.taps_across) as i32 * window.dilation_down;
            let tap_x = (tap % window.taps_across) as i32 * window.dilation_across;
            let inside = tap < window.taps;
            #[unroll]
            for i in 0..x_each {
                let mut value = Vector::<F, V>::new(F::new(0.0));
                if comptime!(tile.plain) {
                    if inside && (base[i] as u32) < window.rows {
                        let at = base[i] as u32 * window.channels + channel;
                        value = x[at as usize / line];
                    }
                } else {
                    let y = corner_y[i] + tap_y;
                    let across_at = corner_x[i] + tap_x;
                    let here = y >= 0
                        && y < window.in_height
                        && across_at >= 0
                        && across_at < window.in_width;
                    if inside && here {
                        let pixel = (base[i] + y * window.in_width + across_at) as u32;
                        value = x[(pixel * window.channels + channel) as usize / line];
                    }
                }
                x_moved[i] = value;
            }
            #[unroll]
            for i in 0..w_each {
                let row = w_row + i * w_step;
                let panel = first_panel + row / PANEL;
                let at = (panel * split.tiles as usize + step as usize) * PANEL + row % PANEL;
                w_moved[i] = weight[at * w_lines + w_line];
            }
        }
        if step > begin {
            if comptime!(halves) {
                let x_from = (1 - stage) * x_stage;
                let w_from = (1 - stage) * w_stage;
                #[unroll]
                for k in 0..comptime!(tile_depth / SIDE) {
                    let mut rights = Sequence::<cmma::Matrix<F>>::new();
                    #[unroll]
                    for j in 0..across {
                        let at = w_from
                            + (plane_column + j * SIDE) * w_pitch
                            + comptime!(k * SIDE / w_line_len);
                        let mut right = unsafe {
                            cmma::Matrix::<F>::uninitialized(
                                cmma::MatrixIdent::B,
                                SIDE,
                                SIDE,
                                SIDE,
                                cmma::MatrixLayout::ColMajor,
                            )
                        };
                        cmma::load(
                            &mut right,
                            &w_shared[at..comptime!(2 * w_stage)],
                            comptime!((tile_depth + SKEW) as u32),
                        );
                        rights.push(right);
                    }
                    #[unroll]
                    for i in 0..down {
                        let at =
                            x_from + (plane_row + i * SIDE) * x_pitch + comptime!(k * SIDE / line);
                        let mut left = unsafe {
                            cmma::Matrix::<F>::uninitialized(
                                cmma::MatrixIdent::A,
                                SIDE,
                                SIDE,
                                SIDE,
                                cmma::MatrixLayout::RowMajor,
                            )
                        };
                        cmma::load(
                            &mut left,
                            &x_shared[at..comptime!(2 * x_stage)],
                            comptime!((tile_depth + SKEW) as u32),
                        );
                        #[unroll]
                        for j in 0..across {
                            let sum = sums.index(comptime!(i * across + j));
                            cmma::execute(&left, rights.index(j), sum, sum);
                        }
                    }
                }
            } else {
                single::add::<F, V, W>(
                    &x_shared,
                    &w_shared,
                    (1 - stage) * tile.rows + plane_row,
                    (1 - stage) * tile.columns + plane_column,
                    &mut single_sums,
                    tile,
                );
            }
        }
        if step < end {
            #[unroll]
            for i in 0..x_each {
                let at = stage * x_stage + (x_row + i * x_step) * x_pitch + x_line;
                x_shared[at] = x_moved[i];
            }
            #[unroll]
            for i in 0..w_each {
                let at = stage * w_stage + (w_row + i * w_step) * w_pitch + w_line;
                w_shared[at] = w_moved[i];
            }
        }
        sync_cube();
        stage = 1 - stage;
    }

    let pitch = CUBE_COUNT_X as usize * tile.columns;
    let rows = CUBE_COUNT_Y as usize * tile.rows;
    let first = CUBE_POS_Z as usize * rows + first_row + plane_row;
    let first_column = CUBE_POS_X as usize * tile.columns + plane_column;
    if comptime!(halves) {
        let len = partial.len();
        #[unroll]
        for i in 0..down {
            #[unroll]
            for j in 0..across {
                let row = first + i * SIDE;
                let column = first_column + j * SIDE;
                cmma::store(
                    &mut partial[row * pitch + column..len],
                    sums.index(comptime!(i * across + j)),
                    pitch as u32,
                    cmma::MatrixLayout::RowMajor,
                );
            }
        }
    } else {
        single::store(
            partial,
            &single_sums,
            first * pitch + first_column,
            pitch,
            tile,
        );
    }
}
