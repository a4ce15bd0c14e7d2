//! Values with few columns: packed by column, so that the lanes of a vector are keys.
//!
//! The product of weights with a panel has a lane for each column, so lanes are unused if there are fewer
//! columns than lanes. With keys in the lanes, all are used.

use pulp::Simd;

use super::super::vector::Geometry;

/// The maximum number of columns for which this is faster.
const MOST: usize = 8;

/// Number of queries whose sums are in registers at once and share the loaded values.
pub(super) const QUERIES: usize = 2;

/// The layout of packed values: a row of all keys for each column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Narrow {
    keys: usize,
    columns: usize,
}

/// The weights of some keys: the first key, their number, and the offset of each query's weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) key: usize,
    pub(super) len: usize,
    pub(super) starts: [usize; QUERIES],
}

impl Narrow {
    /// Keys of a block: weights of a group of queries, keys and values fit into the nearest cache.
    pub(super) const BLOCK: usize = 512;

    /// Returns the layout for values with few columns, on a processor with vectors.
    pub(super) fn of(keys: usize, columns: usize) -> Option<Self> {
        let fits = (1..=MOST).contains(&columns) && Geometry::here().lanes > 1;
        fits.then_some(Narrow { keys, columns })
    }

    /// Returns the number of elements of the packed values.
    pub(super) fn len(&self) -> usize {
        self.keys * self.columns
    }

    /// Packs values; `at(key, column)` returns an element.
    pub(super) fn pack(&self, packed: &mut [f32], at: impl Fn(usize, usize) -> f32) {
        for (column, row) in packed.chunks_exact_mut(self.keys).enumerate() {
            for (key, x) in row.iter_mut().enumerate() {
                *x = at(key, column);
            }
        }
    }

    /// Adds the weighted values to `out`: a row for each of one or two queries.
    #[inline(always)]
    pub(super) fn weigh<S: Simd>(
        &self,
        simd: S,
        values: &[f32],
        weights: &[f32],
        pieces: impl Iterator<Item = Piece>,
        out: &mut [f32],
    ) {
        const HALF: usize = MOST / 2;
        match (out.len() / self.columns, self.columns <= HALF) {
            (1, true) => self.sum::<S, 1, HALF>(simd, values, weights, pieces, out),
            (1, false) => self.sum::<S, 1, MOST>(simd, values, weights, pieces, out),
            (_, true) => self.sum::<S, QUERIES, HALF>(simd, values, weights, pieces, out),
            (_, false) => self.sum::<S, QUERIES, MOST>(simd, values, weights, pieces, out),
        }
    }

    /// M queries by N columns, whose sums stay in registers; missing columns repeat the last one and are
    /// dropped.
    #[inline(always)]
    fn sum<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        values: &[f32],
        weights: &[f32],
        pieces: impl Iterator<Item = Piece>,
        out: &mut [f32],
    ) {
        let columns: [&[f32]; N] = std::array::from_fn(|n| {
            let column = n.min(self.columns - 1);
            &values[column * self.keys..][..self.keys]
        });
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        for Piece { key, len, starts } in pieces {
            let whole = len - len % S::F32_LANES;
            let mut w: [&[S::f32s]; M] = [&[]; M];
            for m in 0..M {
                let vectors = S::as_simd_f32s(&weights[starts[m]..][..whole]).0;
                w[m] = &vectors[..whole / S::F32_LANES];
            }
            let mut v: [&[S::f32s]; N] = [&[]; N];
            for n in 0..N {
                let vectors = S::as_simd_f32s(&columns[n][key..][..whole]).0;
                v[n] = &vectors[..whole / S::F32_LANES];
            }
            for i in 0..whole / S::F32_LANES {
                for m in 0..M {
                    for n in 0..N {
                        sums[m][n] = simd.mul_add_e_f32s(w[m][i], v[n][i], sums[m][n]);
                    }
                }
            }
            for (m, out) in out.chunks_exact_mut(self.columns).enumerate() {
                for (n, x) in out.iter_mut().enumerate() {
                    for i in whole..len {
                        *x += weights[starts[m] + i] * columns[n][key + i];
                    }
                }
            }
        }
        for (out, sums) in out.chunks_exact_mut(self.columns).zip(sums) {
            for (x, sum) in out.iter_mut().zip(sums) {
                *x += simd.reduce_sum_f32s(sum);
            }
        }
    }
}
