//! Attention without its matrix of scores: for 16 queries a plane walks over the keys, tile by tile,
//! and keeps the running maximum, the sum of exponentials and the weighted values in registers.
//!
//! The fragments are addressed by hand ([`super::super::fragments`]), so the scores of a tile are already
//! where the next product wants its left operand. Exponentials are what bounds short heads: they are
//! powers of two by a polynomial, and the factor to base two is part of the scale.

use std::f32::consts::LN_2;

use cubecl::prelude::*;

use crate::kernels::fragments::{Arithmetic, accumulate, pair};

/// Queries of a plane.
const QUERIES: usize = 16;
/// Planes of a cube.
const PLANES: usize = 4;
/// Rows in shared memory are this much longer, so that they fall on different banks.
const SKEW: usize = 8;
/// Units of a plane.
const PLANE: usize = 32;
/// Units of a cube, and the queries that it takes.
pub(crate) const UNITS: usize = PLANES * PLANE;
pub(crate) const CUBE_QUERIES: usize = PLANES * QUERIES;
/// Less than any score.
const LEAST: f32 = -1e30;

/// Where heads and rows of an operand `[B,H,rows,D]` lie; D is innermost. In vectors.
#[derive(CubeLaunch, CubeType)]
pub(crate) struct Rows {
    pub(crate) batch: u32,
    pub(crate) head: u32,
    pub(crate) row: u32,
}

/// The dimensions, rounded up to whole fragments where the comment says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Heads {
    /// Of q and k: elements, and the same in whole steps of a product.
    dim: usize,
    dim_whole: usize,
    /// Of v.
    value: usize,
    value_whole: usize,
    /// Keys of a tile.
    keys: usize,
    /// Whether there are registers for the next tile beside this one.
    ahead: bool,
    arithmetic: Arithmetic,
}

/// Dimensions up to which a tile of 64 keys leaves enough registers and shared memory.
const SMALL: usize = 64;
/// Dimensions up to which the next tile fits into registers.
const AHEAD: usize = 64;
const AHEAD_F32: usize = 32;

impl Heads {
    /// Heads of `dim` elements in q and k, and `value` in v.
    pub(crate) fn new(dim: usize, value: usize, arithmetic: Arithmetic) -> Self {
        let whole = |n: usize| n.next_multiple_of(arithmetic.step());
        let [dim_whole, value_whole] = [dim, value].map(whole);
        Heads {
            dim,
            dim_whole,
            value,
            value_whole,
            keys: if dim_whole.max(value_whole) <= SMALL {
                64
            } else {
                32
            },
            ahead: dim_whole.max(value_whole)
                <= match arithmetic {
                    Arithmetic::Half => AHEAD,
                    Arithmetic::Tf32 | Arithmetic::Tf32x3 => AHEAD_F32,
                },
            arithmetic,
        }
    }
}

/// Cube (i, h, b) gives 64 queries of head h of batch b; `out` is `[B,H,M,E]` with strides of its own.
/// `scale` is positive and has the factor log2(e) in it.
#[cube(launch_unchecked)]
pub(crate) fn attend<F: Float, N: Size>(
    q: &[Vector<F, N>],
    k: &[Vector<F, N>],
    v: &[Vector<F, N>],
    out: &mut [F],
    q_rows: Rows,
    k_rows: Rows,
    v_rows: Rows,
    out_rows: Rows,
    queries: u32,
    keys: u32,
    scale: f32,
    #[comptime] heads: Heads,
    #[define(F)] _dtype: ElemType,
) {
    let line = N::value();
    let k_pitch = comptime!((heads.dim_whole + SKEW) / line);
    let v_pitch = comptime!(heads.keys + SKEW);
    // First the queries are here, then tile after tile of keys, which are no more.
    let mut k_shared =
        Shared::<[Vector<F, N>]>::new_aligned_slice(comptime!(CUBE_QUERIES * k_pitch), 16usize);
    // Values lie transposed: what a fragment takes together is two keys of one dimension.
    let mut v_shared = Shared::<[Vector<F, Const<1>>]>::new_aligned_slice(
        comptime!(heads.value_whole * v_pitch),
        16usize,
    );

    let unit = UNIT_POS as usize;
    let lane = unit % PLANE;
    let plane = unit / PLANE;
    let g = lane / 4;
    let t = lane % 4;
    let head = CUBE_POS_Y;
    let batch = CUBE_POS_Z;
    let first_query = CUBE_POS_X * comptime!(CUBE_QUERIES as u32);
    let zero = Vector::<F, N>::new(F::new(0.0));

    let lines = comptime!(heads.dim_whole / line);
    let lines_there = comptime!(heads.dim / line);
    let v_lines = comptime!(heads.value_whole / line);
    let v_lines_there = comptime!(heads.value / line);

    let q_from = batch * q_rows.batch + head * q_rows.head;
    let mut at = unit;
    while at < comptime!(CUBE_QUERIES * lines) {
        let row = at / lines;
        let column = at % lines;
        let query = first_query + row as u32;
        let mut value = zero;
        if column < lines_there && query < queries {
            value = q[(q_from + query * q_rows.row) as usize + column];
        }
        k_shared[row * k_pitch + column] = value;
        at += UNITS;
    }
    sync_cube();

    let arithmetic = comptime!(heads.arithmetic);
    let short = comptime!(heads.arithmetic == Arithmetic::Half);
    let depth = comptime!(arithmetic.step());
    let left_pairs = comptime!(depth / 4);
    let right_pairs = comptime!(depth / 8);
    let steps = comptime!(heads.dim_whole / depth);
    let outputs = comptime!(heads.value_whole / 8);
    let tiles = comptime!(heads.keys / 8);
    let mut lefts = Sequence::<Array<Vector<F, Const<2>>>>::new();
    #[unroll]
    for step in 0..steps {
        let mut left = Array::<Vector<F, Const<2>>>::new(left_pairs);
        #[unroll]
        for part in 0..left_pairs {
            let row = plane * QUERIES + g + comptime!((part % 2) * 8);
            let column = comptime!(step * depth + (part / 2) * 8) + 2 * t;
            left[part] = pair::<F, N>(&k_shared, row, column, k_pitch);
        }
        lefts.push(left);
    }
    sync_cube();

    let mut sums = Sequence::<Array<Vector<f32, Const<2>>>>::new();
    #[unroll]
    for _ in 0..outputs {
        let mut sum = Array::<Vector<f32, Const<2>>>::new(2usize);
        sum[0] = Vector::<f32, Const<2>>::new(0.0);
        sum[1] = Vector::<f32, Const<2>>::new(0.0);
        sums.push(sum);
    }
    let mut highest = Array::<f32>::new(2usize);
    let mut total = Array::<f32>::new(2usize);
    #[unroll]
    for half in 0..2usize {
        highest[half] = LEAST;
        total[half] = 0.0f32;
    }

    let k_from = batch * k_rows.batch + head * k_rows.head;
    let v_from = batch * v_rows.batch + head * v_rows.head;
    // With `ahead`, the next tile's keys and values are on their way while this tile is computed.
    let k_count = comptime!((heads.keys * lines).div_ceil(UNITS));
    let v_count = comptime!((heads.keys * v_lines).div_ceil(UNITS));
    let mut k_next = Array::<Vector<F, N>>::new(k_count);
    let mut v_next = Array::<Vector<F, N>>::new(v_count);
    let mut first_key = 0u32;
    if comptime!(heads.ahead) {
        #[unroll]
        for i in 0..k_count {
            let at = unit + comptime!(i * UNITS);
            let (row, column) = (at / lines, at % lines);
            let there = row < heads.keys && column < lines_there;
            k_next[i] = fetch::<F, N>(k, k_from, &k_rows, row as u32, keys, column, there);
        }
        #[unroll]
        for i in 0..v_count {
            let at = unit + comptime!(i * UNITS);
            let (row, column) = (at % heads.keys, at / heads.keys);
            let there = column < v_lines_there;
            v_next[i] = fetch::<F, N>(v, v_from, &v_rows, row as u32, keys, column, there);
        }
    }
    while first_key < keys {
        let tile = comptime!(if heads.ahead { heads.keys as u32 } else { 0 });
        #[unroll]
        for i in 0..k_count {
            let at = unit + comptime!(i * UNITS);
            let (row, column) = (at / lines, at % lines);
            let there = row < heads.keys && column < lines_there;
            let mut value = k_next[i];
            let next = fetch::<F, N>(
                k,
                k_from,
                &k_rows,
                first_key + tile + row as u32,
                keys,
                column,
                there,
            );
            if comptime!(heads.ahead) {
                k_next[i] = next;
            } else {
                value = next;
            }
            if row < heads.keys {
                k_shared[row * k_pitch + column] = value;
            }
        }
        #[unroll]
        for i in 0..v_count {
            // Neighbours take neighbouring keys, whose places in shared memory are neighbours.
            let at = unit + comptime!(i * UNITS);
            let (row, column) = (at % heads.keys, at / heads.keys);
            let there = column < v_lines_there;
            let mut value = v_next[i];
            let next = fetch::<F, N>(
                v,
                v_from,
                &v_rows,
                first_key + tile + row as u32,
                keys,
                column,
                there,
            );
            if comptime!(heads.ahead) {
                v_next[i] = next;
            } else {
                value = next;
            }
            if column < v_lines {
                #[unroll]
                for j in 0..line {
                    v_shared[(column * line + j) * v_pitch + row] =
                        Vector::<F, Const<1>>::new(value.extract(j));
                }
            }
        }
        sync_cube();

        let mut scores = Sequence::<Array<Vector<f32, Const<2>>>>::new();
        #[unroll]
        for tile in 0..tiles {
            let mut score = Array::<Vector<f32, Const<2>>>::new(2usize);
            score[0] = Vector::<f32, Const<2>>::new(0.0);
            score[1] = Vector::<f32, Const<2>>::new(0.0);
            #[unroll]
            for step in 0..steps {
                let mut right = Array::<Vector<F, Const<2>>>::new(right_pairs);
                #[unroll]
                for part in 0..right_pairs {
                    let column = comptime!(step * depth + part * 8) + 2 * t;
                    right[part] = pair::<F, N>(&k_shared, comptime!(tile * 8) + g, column, k_pitch);
                }
                accumulate::<F>(lefts.index(step), &right, &mut score, arithmetic);
            }
            scores.push(score);
        }

        // Keys that there are not weigh nothing; all but the last tile are whole.
        if first_key + comptime!(heads.keys as u32) > keys {
            #[unroll]
            for tile in 0..tiles {
                let score = scores.index_mut(tile);
                #[unroll]
                for half in 0..2usize {
                    let mut values = score[half];
                    #[unroll]
                    for i in 0..2usize {
                        let key = first_key + (comptime!(tile * 8 + i) + 2 * t) as u32;
                        if key >= keys {
                            values.insert(i, LEAST);
                        }
                    }
                    score[half] = values;
                }
            }
        }

        #[unroll]
        for half in 0..2usize {
            let mut top = highest[half];
            #[unroll]
            for tile in 0..tiles {
                let score = scores.index(tile);
                let values = score[half];
                top = f32::max(
                    top,
                    f32::max(values.extract(0usize), values.extract(1usize)),
                );
            }
            top = f32::max(top, plane_shuffle_xor(top, 1u32));
            top = f32::max(top, plane_shuffle_xor(top, 2u32));
            let faded = Vector::<f32, Const<1>>::new((highest[half] - top) * scale);
            // Exactly 1 where the maximum stays: it is multiplied by itself tile after tile.
            let fade = power_of_two::<Const<1>>(faded, false).extract(0usize);
            let shift = Vector::<f32, Const<2>>::new(-top * scale);
            let factor = Vector::<f32, Const<2>>::new(scale);
            highest[half] = top;
            let mut sum = total[half] * fade;
            #[unroll]
            for tile in 0..tiles {
                let score = scores.index_mut(tile);
                let weights = power_of_two::<Const<2>>(fma(score[half], factor, shift), short);
                sum += weights.extract(0usize) + weights.extract(1usize);
                score[half] = weights;
            }
            total[half] = sum;
            #[unroll]
            for output in 0..outputs {
                let values = sums.index_mut(output);
                values[half] *= Vector::<f32, Const<2>>::new(fade);
            }
        }

        #[unroll]
        for step in 0..comptime!(heads.keys / depth) {
            let mut left = Array::<Vector<F, Const<2>>>::new(left_pairs);
            #[unroll]
            for part in 0..left_pairs {
                let score = scores.index(comptime!(right_pairs * step + part / 2));
                left[part] = Vector::<F, Const<2>>::cast_from(score[comptime!(part % 2)]);
            }
            #[unroll]
            for output in 0..outputs {
                let mut right = Array::<Vector<F, Const<2>>>::new(right_pairs);
                #[unroll]
                for part in 0..right_pairs {
                    let dim = comptime!(output * 8) + g;
                    let key = comptime!(step * depth + part * 8) + 2 * t;
                    right[part] = pair::<F, Const<1>>(&v_shared, dim, key, v_pitch);
                }
                accumulate::<F>(&left, &right, sums.index_mut(output), arithmetic);
            }
        }
        sync_cube();
        first_key += comptime!(heads.keys as u32);
    }

    let out_from = batch * out_rows.batch + head * out_rows.head;
    #[unroll]
    for half in 0..2usize {
        let mut sum = total[half];
        sum += plane_shuffle_xor(sum, 1u32);
        sum += plane_shuffle_xor(sum, 2u32);
        let query = first_query + (plane * QUERIES + g + comptime!(half * 8)) as u32;
        if query < queries {
            let from = (out_from + query * out_rows.row) as usize;
            #[unroll]
            for output in 0..outputs {
                let values = sums.index(output);
                #[unroll]
                for i in 0..2usize {
                    let dim = comptime!(output * 8 + i) + 2 * t;
                    if dim < heads.value {
                        out[from + dim] = F::cast_from(values[half].extract(i) / sum);
                    }
                }
            }
        }
    }
}

/// A vector of a key's row in memory; zero where there is none.
#[cube]
fn fetch<F: Float, N: Size>(
    rows: &[Vector<F, N>],
    from: u32,
    at: &Rows,
    key: u32,
    keys: u32,
    column: usize,
    there: bool,
) -> Vector<F, N> {
    let mut value = Vector::<F, N>::new(F::new(0.0));
    if there && key < keys {
        value = rows[(from + key * at.row) as usize + column];
    }
    value
}

/// What a float's bits are shifted by when a small whole number is added to this: 1.5 · 2²³.
const ROUNDING: f32 = 12_582_912.0;

/// 2^x of x that is not positive, to 2e-7 of its size and exact for 0, or, `short`, to 8e-5, for what is rounded
/// to half precision after; far below, next to nothing. The whole part of x becomes the exponent, the rest, at most a half, goes into a
/// polynomial fitted there.
#[cube]
fn power_of_two<N: Size>(x: Vector<f32, N>, #[comptime] short: bool) -> Vector<f32, N> {
    let x = x.max(Vector::<f32, N>::new(-126.0));
    let shifted = x + Vector::<f32, N>::new(ROUNDING);
    let rest = x - (shifted - Vector::<f32, N>::new(ROUNDING));
    let power = if comptime!(short) {
        short_power::<N>(rest)
    } else {
        power::<N>(rest)
    };
    let exponent = Vector::<u32, N>::reinterpret(shifted) << Vector::<u32, N>::new(23u32);
    Vector::<f32, N>::reinterpret(Vector::<u32, N>::reinterpret(power) + exponent)
}

/// 2^x of x within a half of 0, to 2e-7.
#[cube]
fn power<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
    let mut power = Vector::<f32, N>::new(0.001_339_086_3);
    power = fma(power, x, Vector::<f32, N>::new(0.009_676_032));
    power = fma(power, x, Vector::<f32, N>::new(0.055_503_57));
    power = fma(power, x, Vector::<f32, N>::new(0.240_221_08));
    power = fma(power, x, Vector::<f32, N>::new(LN_2));
    fma(power, x, Vector::<f32, N>::new(1.0))
}

/// The same to 8e-5.
#[cube]
fn short_power<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
    let mut power = Vector::<f32, N>::new(0.055_171_67);
    power = fma(power, x, Vector::<f32, N>::new(0.242_611_13));
    power = fma(power, x, Vector::<f32, N>::new(0.693_260_97));
    fma(power, x, Vector::<f32, N>::new(0.999_928_06))
}
