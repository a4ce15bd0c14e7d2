//! Products of an operation's matrices with packed ones, tile by tile; the operations after it run while a
//! tile is in the cache.

use std::ops::Range;

use bumpalo::Bump;
use mirage_ir::regions::Activation;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    activation::activate,
    memory::{Numbers, Scratch, WORTH_DIVIDING, threads, with_lists},
    panels::{Panels, Rows, Segment, multiply},
    vector::dispatch,
};

/// The source of a tile's rows.
pub(crate) trait Source: Sync {
    /// Returns the floats of scratch memory for a tile of this number of rows.
    fn scratch(&self, places: usize) -> usize;

    /// Returns the index of the packed matrix that image `image` is multiplied by; packed matrices are
    /// contiguous.
    fn matrix(&self, _image: usize) -> usize {
        0
    }

    /// Returns the elements of the rows `places` of image `image`, gathered into scratch memory if needed, and
    /// the base of each row in them.
    fn rows<'a>(
        &'a self,
        image: usize,
        places: Range<usize>,
        scratch: &'a mut [f32],
        bases: &mut Numbers,
    ) -> &'a [f32];
}

/// The layout of the result: for each image, positions by columns, or the reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrangement {
    /// Columns innermost: channels last, or a matrix.
    Rows,
    /// Positions innermost: a plane for each channel.
    Planes,
}

/// The operations after the product.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a> {
    /// Added to every row.
    pub(crate) bias: Option<&'a [f32]>,
    /// Added to the result; has its layout.
    pub(crate) residual: Option<&'a [f32]>,
    pub(crate) activation: Activation,
}

/// The size of a product and its division into tiles.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) panels: Panels,
    pub(crate) segments: Vec<Segment>,
    pub(crate) arrangement: Arrangement,
    /// Images of `places` rows each.
    pub(crate) images: usize,
    pub(crate) places: usize,
    /// Rows of a tile are a multiple of this.
    pub(crate) unit: usize,
}

/// Maximum number of rows of a tile, if the unit allows it, so that its results stay in the cache.
const TILE: usize = 192;

impl Plan {
    /// Computes all of `out`.
    pub(crate) fn run(
        &self,
        source: &impl Source,
        packed: &[f32],
        epilogue: Epilogue<'_>,
        out: &mut [f32],
    ) {
        let work = out.len() * self.panels.k;
        let step = self.step();
        let tiles = self.images * self.places.div_ceil(step);
        let wanted = if work < WORTH_DIVIDING * 32 {
            1
        } else {
            3 * threads()
        };
        let groups = wanted.div_ceil(tiles).min(self.panels.count());
        with_lists(|lists| {
            let tasks = self.tasks(step, groups, out, lists);
            let run = |task: &mut Task<'_>| {
                dispatch(Run {
                    plan: self,
                    source,
                    packed,
                    epilogue,
                    task,
                });
            };
            if wanted == 1 {
                tasks.iter_mut().for_each(run);
            } else {
                tasks.par_iter_mut().with_max_len(1).for_each(run);
            }
        });
    }

    /// Returns the number of rows of a tile, so that all threads have tiles if there are enough rows.
    fn step(&self) -> usize {
        let share = (self.images * self.places).div_ceil(4 * threads());
        let rows = share.clamp(4 * super::panels::ROWS, TILE);
        rows.next_multiple_of(self.unit).min(self.places.max(1))
    }

    /// Returns the tasks, each with its own part of the result.
    fn tasks<'a>(
        &self,
        step: usize,
        groups: usize,
        out: &'a mut [f32],
        lists: &'a Bump,
    ) -> &'a mut [Task<'a>] {
        let panels_each = self.panels.count().div_ceil(groups);
        let columns_each = panels_each * self.panels.width();
        let groups = self.panels.n.div_ceil(columns_each);
        let (n, places) = (self.panels.n, self.places);
        let tiles = places.div_ceil(step);
        let tile_of = |i: usize| {
            let tile = i / groups % tiles;
            tile * step..((tile + 1) * step).min(places)
        };
        let panels_of = |i: usize| {
            let first = i % groups * panels_each;
            first..(first + panels_each).min(self.panels.count())
        };
        let pieces_of = |i: usize| match self.arrangement {
            Arrangement::Rows => tile_of(i).len(),
            Arrangement::Planes => columns_each.min(n - i % groups * columns_each),
        };
        let count = self.images * tiles * groups;
        let mut total = 0;
        let starts = lists.alloc_slice_fill_with(count, |i| {
            total += pieces_of(i);
            total - pieces_of(i)
        });
        let pieces = lists.alloc_slice_fill_with(total, |_| Piece::default());
        let lines = match self.arrangement {
            Arrangement::Rows => out.chunks_mut(n),
            Arrangement::Planes => out.chunks_mut(places),
        };
        let (cut, per_image) = match self.arrangement {
            Arrangement::Rows => (columns_each, places),
            Arrangement::Planes => (step, n),
        };
        let mut at = 0;
        for (line, elements) in lines.enumerate() {
            let (image, inner) = (line / per_image, line % per_image);
            for (j, piece) in elements.chunks_mut(cut).enumerate() {
                let (tile, group, position) = match self.arrangement {
                    Arrangement::Rows => (inner / step, j, inner % step),
                    Arrangement::Planes => (j, inner / columns_each, inner % columns_each),
                };
                let start = at;
                at += piece.len();
                let task = (image * tiles + tile) * groups + group;
                pieces[starts[task] + position] = Piece { start, piece };
            }
        }
        let mut rest = pieces;
        lists.alloc_slice_fill_with(count, |i| {
            let (pieces, later) = std::mem::take(&mut rest).split_at_mut(pieces_of(i));
            rest = later;
            Task {
                image: i / groups / tiles,
                places: tile_of(i),
                panels: panels_of(i),
                pieces,
            }
        })
    }
}

/// A contiguous part of the result.
#[derive(Default)]
struct Piece<'a> {
    /// Its start in the result.
    start: usize,
    piece: &'a mut [f32],
}

/// A tile of rows times some panels.
struct Task<'a> {
    image: usize,
    places: Range<usize>,
    panels: Range<usize>,
    /// Slices of rows of the tile, or of columns.
    pieces: &'a mut [Piece<'a>],
}

struct Run<'r, 'a, T> {
    plan: &'r Plan,
    source: &'r T,
    packed: &'r [f32],
    epilogue: Epilogue<'r>,
    task: &'r mut Task<'a>,
}

impl<T: Source> WithSimd for Run<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let panels = &self.plan.panels;
        let count = self.task.places.len();
        let mut gathered = Scratch::new(0, self.source.scratch(count));
        let mut sums = Scratch::new(1, count * panels.width());
        let mut bases = Numbers::new(count);
        let places = self.task.places.clone();
        let elements = self
            .source
            .rows(self.task.image, places, gathered.elements(), &mut bases);
        let matrix = self.source.matrix(self.task.image) * panels.len();
        let packed = &self.packed[matrix..];
        let first_column = self.task.panels.start * panels.width();
        for panel in self.task.panels.clone() {
            let padded = panels.padded(panel);
            let rows = Rows {
                elements,
                bases: bases.all(),
                segments: &self.plan.segments,
            };
            let sums = &mut sums.elements()[..count * padded];
            multiply(simd, rows, panels.panel(packed, panel), padded, sums);
            let columns = panels.columns(panel);
            match self.plan.arrangement {
                Arrangement::Rows => self.finish_rows(sums, padded, columns, first_column),
                Arrangement::Planes => self.finish_planes(sums, padded, columns, first_column),
            }
        }
    }
}

impl<T> Run<'_, '_, T> {
    #[inline(always)]
    fn finish_rows(&mut self, sums: &[f32], padded: usize, columns: Range<usize>, first: usize) {
        let inside = columns.start - first..columns.end - first;
        let Epilogue {
            bias,
            residual,
            activation,
        } = self.epilogue;
        let bias = bias.map(|b| &b[columns]);
        for (Piece { start, piece }, sums) in
            self.task.pieces.iter_mut().zip(sums.chunks_exact(padded))
        {
            let out = &mut piece[inside.clone()];
            match bias {
                Some(bias) => add(out, sums, bias),
                None => out.copy_from_slice(&sums[..out.len()]),
            }
            if let Some(residual) = residual {
                accumulate(out, &residual[*start + inside.start..]);
            }
            activate(activation, out);
        }
    }

    #[inline(always)]
    fn finish_planes(&mut self, sums: &[f32], padded: usize, columns: Range<usize>, first: usize) {
        let Epilogue {
            bias,
            residual,
            activation,
        } = self.epilogue;
        let pieces = &mut self.task.pieces[columns.start - first..columns.end - first];
        for (c, Piece { start, piece }) in pieces.iter_mut().enumerate() {
            let bias = bias.map_or(0.0, |b| b[columns.start + c]);
            for (out, sums) in piece.iter_mut().zip(sums.chunks_exact(padded)) {
                *out = sums[c] + bias;
            }
            if let Some(residual) = residual {
                accumulate(piece, &residual[*start..]);
            }
            activate(activation, piece);
        }
    }
}

#[inline(always)]
fn add(out: &mut [f32], a: &[f32], b: &[f32]) {
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = a + b;
    }
}

#[inline(always)]
fn accumulate(out: &mut [f32], a: &[f32]) {
    for (out, a) in out.iter_mut().zip(a) {
        *out += a;
    }
}
