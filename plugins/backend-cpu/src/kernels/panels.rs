//! Matrices packed into panels of columns, and the product of rows with a panel.
//!
//! A panel has as many columns as fit into the registers, stored by row. The micro-kernel reads it
//! sequentially and multiplies it with six broadcast rows of the other matrix. This is the algorithm of
//! GotoBLAS (Goto, van de Geijn: Anatomy of High-Performance Matrix Multiplication, 2008) with packing done
//! once at compile.

use pulp::Simd;
use rayon::prelude::*;

use super::{memory::WORTH_DIVIDING, vector::Geometry};

/// Number of rows that one run of the micro-kernel computes.
pub(crate) const ROWS: usize = 6;

/// Number of floats of a panel that are reused for all rows of a tile; they must fit into the nearest
/// cache.
const RESIDENT: usize = 8 << 10;

/// The layout of a packed `k × n` matrix: panels of [`Geometry::width`] columns with `k` rows each; the last
/// one has as many vectors as it needs, padded with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panels {
    pub(crate) k: usize,
    pub(crate) n: usize,
    geometry: Geometry,
}

impl Panels {
    /// Returns the layout for a matrix of `k` rows and `n` columns on this processor.
    pub(crate) fn new(k: usize, n: usize) -> Self {
        let geometry = Geometry::here();
        Panels { k, n, geometry }
    }

    /// Returns the number of elements of the packed matrix.
    pub(crate) fn len(&self) -> usize {
        self.k * self.n.next_multiple_of(self.geometry.lanes)
    }

    /// Returns the number of panels.
    pub(crate) fn count(&self) -> usize {
        self.n.div_ceil(self.width())
    }

    /// Returns the number of columns of a whole panel.
    pub(crate) fn width(&self) -> usize {
        self.geometry.width()
    }

    /// Returns the columns of a panel without padding.
    pub(crate) fn columns(&self, panel: usize) -> std::ops::Range<usize> {
        let start = panel * self.width();
        start..(start + self.width()).min(self.n)
    }

    /// Returns the number of vectors in a row of a panel.
    fn vectors(&self, panel: usize) -> usize {
        self.columns(panel).len().div_ceil(self.geometry.lanes)
    }

    /// Returns the number of columns of a panel with padding.
    pub(crate) fn padded(&self, panel: usize) -> usize {
        self.vectors(panel) * self.geometry.lanes
    }

    /// Returns the range of a panel in the packed matrix.
    pub(crate) fn panel<'a>(&self, packed: &'a [f32], panel: usize) -> &'a [f32] {
        let start = panel * self.width() * self.k;
        &packed[start..][..self.k * self.padded(panel)]
    }

    /// Packs a matrix whose element in row `k` and column `n` is `at(k, n)`.
    pub(crate) fn pack(&self, packed: &mut [f32], at: impl Fn(usize, usize) -> f32 + Sync) {
        let whole = (self.k * self.width()).max(1);
        let one = |(panel, elements): (usize, &mut [f32])| {
            let (columns, padded) = (self.columns(panel), self.padded(panel));
            for (k, row) in elements.chunks_exact_mut(padded).enumerate() {
                let (used, padding) = row.split_at_mut(columns.len());
                for (x, n) in used.iter_mut().zip(columns.clone()) {
                    *x = at(k, n);
                }
                padding.fill(0.0);
            }
        };
        let packed = &mut packed[..self.len()];
        if packed.len() < WORTH_DIVIDING {
            packed.chunks_mut(whole).enumerate().for_each(one);
        } else {
            packed.par_chunks_mut(whole).enumerate().for_each(one);
        }
    }
}

/// A run of consecutive elements that every row contributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Its start, relative to the row's base.
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// Returns runs of these lengths and offsets, split so that a panel's part for each fits into the cache.
pub(crate) fn segments(runs: impl IntoIterator<Item = Segment>) -> Vec<Segment> {
    let most = (RESIDENT / Geometry::here().width()).max(1);
    let mut segments = Vec::new();
    for run in runs {
        let pieces = run.len.div_ceil(most).max(1);
        let len = run.len.div_ceil(pieces).max(1);
        for start in (0..run.len).step_by(len) {
            segments.push(Segment {
                offset: run.offset + start,
                len: len.min(run.len - start),
            });
        }
    }
    segments
}

/// Rows of a matrix to multiply: row `r` starts at `bases[r]` of `elements` and consists of the
/// segments.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) elements: &'a [f32],
    pub(crate) bases: &'a [usize],
    pub(crate) segments: &'a [Segment],
}

/// `out[r][c] = Σ rows[r][k] · panel[k][c]`; `out` has the panel's padded columns.
#[inline(always)]
pub(crate) fn multiply<S: Simd>(
    simd: S,
    rows: Rows<'_>,
    panel: &[f32],
    padded: usize,
    out: &mut [f32],
) {
    match padded / S::F32_LANES {
        1 => with_vectors::<S, 1>(simd, rows, panel, out),
        2 => with_vectors::<S, 2>(simd, rows, panel, out),
        3 => with_vectors::<S, 3>(simd, rows, panel, out),
        _ => with_vectors::<S, 4>(simd, rows, panel, out),
    }
}

#[inline(always)]
fn with_vectors<S: Simd, const V: usize>(simd: S, rows: Rows<'_>, panel: &[f32], out: &mut [f32]) {
    let width = V * S::F32_LANES;
    let mut rest = panel;
    for (i, &segment) in rows.segments.iter().enumerate() {
        let (panel, later) = rest.split_at(segment.len * width);
        rest = later;
        let tile = Tile {
            elements: rows.elements,
            segment,
            panel,
            first: i == 0,
        };
        let mut groups = rows.bases.chunks_exact(ROWS);
        let mut outs = out.chunks_exact_mut(ROWS * width);
        for (bases, out) in (&mut groups).zip(&mut outs) {
            tile.run::<S, ROWS, V>(simd, bases, out);
        }
        let bases = groups.remainder();
        let start = (rows.bases.len() - bases.len()) * width;
        let out = &mut out[start..][..bases.len() * width];
        match bases.len() {
            1 => tile.run::<S, 1, V>(simd, bases, out),
            2 => tile.run::<S, 2, V>(simd, bases, out),
            3 => tile.run::<S, 3, V>(simd, bases, out),
            4 => tile.run::<S, 4, V>(simd, bases, out),
            5 => tile.run::<S, 5, V>(simd, bases, out),
            _ => {}
        }
    }
}

/// The operands of the micro-kernel beside the positions of its rows.
#[derive(Clone, Copy)]
struct Tile<'a> {
    elements: &'a [f32],
    segment: Segment,
    panel: &'a [f32],
    /// Whether to overwrite `out` instead of adding to it.
    first: bool,
}

impl Tile<'_> {
    /// M rows by V vectors, whose sums stay in registers.
    #[inline(always)]
    fn run<S: Simd, const M: usize, const V: usize>(
        &self,
        simd: S,
        bases: &[usize],
        out: &mut [f32],
    ) {
        let Segment { offset, len } = self.segment;
        let mut rows: [&[f32]; M] = [&[]; M];
        for m in 0..M {
            rows[m] = &self.elements[bases[m] + offset..][..len];
        }
        let panel = &pulp::as_arrays::<V, _>(S::as_simd_f32s(self.panel).0).0[..len];
        let out = pulp::as_arrays_mut::<V, _>(S::as_mut_simd_f32s(out).0).0;
        let out = &mut out[..M];
        let mut sums = [[simd.splat_f32s(0.0); V]; M];
        if !self.first {
            sums.copy_from_slice(out);
        }
        for k in 0..len {
            let w = panel[k];
            for m in 0..M {
                let x = simd.splat_f32s(rows[m][k]);
                for v in 0..V {
                    sums[m][v] = simd.mul_add_e_f32s(x, w[v], sums[m][v]);
                }
            }
        }
        out.copy_from_slice(&sums);
    }
}
