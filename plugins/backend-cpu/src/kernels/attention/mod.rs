//! Attention without storing the scores.
//!
//! Six queries at a time are multiplied with a block of keys: scores, their exponentials and the weighted
//! values stay in the nearest cache, with a running maximum and sum (Milakov, Gimelshein: Online
//! normalizer calculation for softmax, 2018; Dao et al.: FlashAttention, 2022).

mod extra;
mod narrow;

use std::ops::Range;

use mirage_ir::{DType, TensorType, ops::Attention};
use mirage_runtime::{
    NodeContext,
    planned::{HostKernel, View},
};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use self::{
    extra::{Extra, broadcast, steps},
    narrow::{Narrow, Piece, QUERIES},
};
use super::{
    math::{exp, exp_of_negative, exp_of_tame},
    memory::{Scratch, threads, with_lists},
    panels::{Panels, ROWS, Rows, Segment, multiply},
    reduce::{Lanes, larger, plus},
    vector::dispatch,
};

/// Keys of a block: a multiple of every panel's width.
const BLOCK: usize = 256;

/// Scores between this and its negative do not need the maximum subtracted before the exponential: no weight
/// or sum of weights overflows or underflows.
const TAME: f32 = 40.0;

/// Whether the kernel supports this attention: f32, without cap and causality. The physical dimensions must
/// be the logical ones, which an equivalent order need not have.
pub(crate) fn takes(op: &Attention, operands: &[&TensorType]) -> bool {
    let takes = |t: &TensorType| {
        matches!(t.dtype, DType::F32 | DType::Bool) && t.order.is_row_major() && t.numel() > 0
    };
    !op.causal && op.softcap.is_none() && operands.iter().all(|t| takes(t))
}

pub(crate) fn lower(cx: &NodeContext<'_>) -> Option<HostKernel> {
    let op = cx.node.op.get::<Attention>()?;
    let (q, k, v) = (&cx.inputs[0], &cx.inputs[1], &cx.inputs[2]);
    if !takes(op, &cx.inputs.iter().collect::<Vec<_>>()) {
        return None;
    }
    let mask = op.mask.then(|| (3, steps(&cx.inputs[3])));
    let bias = op.bias.then(|| 3 + usize::from(op.mask));
    let bias = bias.map(|i| (i, broadcast(&cx.inputs[i])));
    let shape = Shape {
        heads: q.shape[0] * q.shape[1],
        heads_each: q.shape[1],
        queries: q.shape[2],
        keys: k.shape[2],
        depth: q.shape[3],
        scale: op.scale_for(q.shape[3]) as f32,
        by_depth: Panels::new(q.shape[3], k.shape[2]),
        by_key: Panels::new(k.shape[2], v.shape[3]),
        narrow: Narrow::of(k.shape[2], v.shape[3]),
    };
    let keys = shape.heads * shape.by_depth.len();
    let values = shape.heads * shape.values();
    let workspace = keys + values + shape.heads;
    let compute = HostKernel::new(move |x, space| {
        let [q, k, v] = [0, 1, 2].map(|i| x[i].view());
        let (keys, rest) = space.workspace.split_at_mut(keys);
        let (values, longest) = rest.split_at_mut(values);
        shape.pack(k, v, [&mut *keys, &mut *values, &mut *longest]);
        let packed = Packed {
            keys,
            values,
            longest,
        };
        let extra = Extra {
            mask: mask.map(|(i, steps)| (x[i].bools(), steps)),
            bias: bias.map(|(i, dims)| (x[i].view(), dims)),
        };
        shape.run(q, packed, extra, space.results[0]);
    });
    Some(compute.with_views().with_workspace(workspace))
}

/// Returns the sum of squares.
#[inline(always)]
fn squares(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(0.0, |sum, x| sum + x * x)
}

/// Returns the offset of a head of a tensor `[B,H,rows,columns]`.
fn head_start(x: &View<'_>, head: usize, heads_each: usize) -> usize {
    x.start + head / heads_each * x.strides[0] + head % heads_each * x.strides[1]
}

#[derive(Clone, Debug)]
struct Shape {
    /// Batch times heads.
    heads: usize,
    heads_each: usize,
    queries: usize,
    keys: usize,
    depth: usize,
    scale: f32,
    /// The transposed keys.
    by_depth: Panels,
    /// The values.
    by_key: Panels,
    /// The values in the other packed form, if that is used.
    narrow: Option<Narrow>,
}

/// Packed keys and values of all heads, and the norm of each head's longest key.
#[derive(Clone, Copy)]
struct Packed<'a> {
    keys: &'a [f32],
    values: &'a [f32],
    longest: &'a [f32],
}

impl Shape {
    /// Elements of a head's packed values.
    fn values(&self) -> usize {
        self.narrow.map_or(self.by_key.len(), |n| n.len())
    }

    /// Keys of a block.
    fn block(&self) -> usize {
        self.narrow.map_or(BLOCK, |_| Narrow::BLOCK)
    }

    fn pack(&self, k: View<'_>, v: View<'_>, [keys, values, longest]: [&mut [f32]; 3]) {
        let keys = keys.par_chunks_mut(self.by_depth.len());
        let values = values.par_chunks_mut(self.values());
        let each = keys.zip(values).zip(longest);
        each.enumerate()
            .for_each(|(head, ((keys, values), longest))| {
                let start = head_start(&k, head, self.heads_each);
                let [.., row, column] = k.strides;
                let at = |d: usize, n: usize| k.elements[start + n * row + d * column];
                self.by_depth.pack(keys, at);
                let length = |n| squares((0..self.depth).map(|d| at(d, n)));
                *longest = (0..self.keys).map(length).fold(0.0, larger).sqrt();
                let start = head_start(&v, head, self.heads_each);
                let [.., row, column] = v.strides;
                let at = |n: usize, e: usize| v.elements[start + n * row + e * column];
                match self.narrow {
                    Some(narrow) => narrow.pack(values, at),
                    None => self.by_key.pack(values, at),
                }
            });
    }

    fn run(&self, q: View<'_>, packed: Packed<'_>, extra: Extra<'_>, out: &mut [f32]) {
        let width = self.by_key.n;
        let share = (self.heads * self.queries).div_ceil(4 * threads());
        let rows = share.clamp(ROWS, 16 * ROWS).next_multiple_of(ROWS);
        let run = |(head, first, out): &mut (usize, usize, &mut [f32])| {
            dispatch(Run {
                shape: self,
                q,
                extra,
                keys: &packed.keys[*head * self.by_depth.len()..][..self.by_depth.len()],
                values: &packed.values[*head * self.values()..][..self.values()],
                longest: packed.longest[*head],
                head: *head,
                first: *first,
                out,
            });
        };
        with_lists(|lists| {
            let heads = out.chunks_mut(self.queries * width).enumerate();
            let mut tiles = heads.flat_map(|(head, out)| {
                let tiles = out.chunks_mut(rows * width).enumerate();
                tiles.map(move |(tile, out)| (head, tile * rows, out))
            });
            let count = self.heads * self.queries.div_ceil(rows);
            let next = |_| tiles.next().unwrap_or_default();
            let tasks = lists.alloc_slice_fill_with(count, next);
            tasks.par_iter_mut().with_max_len(1).for_each(run);
        });
    }
}

/// Some queries of one head.
struct Run<'a> {
    shape: &'a Shape,
    q: View<'a>,
    extra: Extra<'a>,
    keys: &'a [f32],
    values: &'a [f32],
    /// The norm of the longest key.
    longest: f32,
    head: usize,
    first: usize,
    out: &'a mut [f32],
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let shape = self.shape;
        let width = shape.by_key.n;
        let count = self.out.len() / width;
        let (extra, head, first) = (self.extra, self.head, self.first);
        let mut queries = Scratch::new(0, count * shape.depth);
        let queries = queries.elements();
        self.gather(queries);
        let longest = queries
            .chunks_exact(shape.depth)
            .map(|q| squares(q.iter().copied()));
        let longest = longest.fold(0.0, larger).sqrt();
        // A dot product is at most the product of the norms. NaN counts as unbounded.
        let tame = S::F32_LANES > 1 && extra.is_empty() && longest * self.longest <= TAME;
        let mut scores = Scratch::new(1, ROWS * shape.block());
        let mut products = Scratch::new(2, ROWS * shape.by_key.width());
        let mut state = Scratch::new(3, 2 * count);
        let (most, sums) = state.elements().split_at_mut(count);
        most.fill(f32::NEG_INFINITY);
        sums.fill(0.0);
        self.out.fill(0.0);
        for start in (0..shape.keys).step_by(shape.block()) {
            let block = Block {
                shape,
                keys: self.keys,
                values: self.values,
                start,
                end: (start + shape.block()).min(shape.keys),
            };
            let groups = queries
                .chunks(ROWS * shape.depth)
                .zip(self.out.chunks_mut(ROWS * width))
                .zip(most.chunks_mut(ROWS).zip(sums.chunks_mut(ROWS)));
            for (group, ((queries, out), state)) in groups.enumerate() {
                let scores = scores.elements();
                block.scores(simd, queries, scores);
                if !extra.is_empty() {
                    let first = first + group * ROWS;
                    block.change(extra, head, first..first + state.0.len(), scores);
                }
                if tame {
                    block.tame_exponentials(scores, state.1)
                } else {
                    block.exponentials::<S>(scores, state, out)
                }
                match shape.narrow {
                    Some(narrow) => block.weigh_narrow(simd, narrow, scores, out),
                    None => block.weigh(simd, scores, products.elements(), out),
                }
            }
        }
        for (out, sum) in self.out.chunks_exact_mut(width).zip(sums) {
            // If every key is masked, nothing was summed: the result is 0.
            let factor = if *sum == 0.0 { 0.0 } else { 1.0 / *sum };
            out.iter_mut().for_each(|x| *x *= factor);
        }
    }
}

impl Run<'_> {
    /// The queries, multiplied by the scale.
    #[inline(always)]
    fn gather(&self, queries: &mut [f32]) {
        let [.., row, column] = self.q.strides;
        let start = head_start(&self.q, self.head, self.shape.heads_each) + self.first * row;
        for (i, query) in queries.chunks_exact_mut(self.shape.depth).enumerate() {
            for (d, x) in query.iter_mut().enumerate() {
                *x = self.q.elements[start + i * row + d * column] * self.shape.scale;
            }
        }
    }
}

/// Consecutive keys, starting at a panel.
#[derive(Clone, Copy)]
struct Block<'a> {
    shape: &'a Shape,
    keys: &'a [f32],
    values: &'a [f32],
    start: usize,
    end: usize,
}

impl Block<'_> {
    /// Scores of up to six queries, by panel, then by query.
    #[inline(always)]
    fn scores<S: Simd>(&self, simd: S, queries: &[f32], scores: &mut [f32]) {
        let panels = &self.shape.by_depth;
        let depth = panels.k;
        let bases: [usize; ROWS] = std::array::from_fn(|i| i * depth);
        let rows = Rows {
            elements: queries,
            bases: &bases[..queries.len() / depth],
            segments: &[Segment {
                offset: 0,
                len: depth,
            }],
        };
        for (i, panel) in self.panels().enumerate() {
            let padded = panels.padded(panel);
            let out = &mut scores[i * ROWS * panels.width()..][..rows.bases.len() * padded];
            multiply(simd, rows, panels.panel(self.keys, panel), padded, out);
        }
    }

    #[inline(always)]
    fn panels(&self) -> Range<usize> {
        let width = self.shape.by_depth.width();
        self.start / width..self.end.div_ceil(width)
    }

    /// Applies mask and bias to the scores of queries of a head.
    #[inline(always)]
    fn change(&self, extra: Extra<'_>, head: usize, queries: Range<usize>, scores: &mut [f32]) {
        let each = self.shape.heads_each;
        for (r, query) in queries.enumerate() {
            for (i, panel) in self.panels().enumerate() {
                let key = self.shape.by_depth.columns(panel).start;
                let scores = &mut scores[self.row(i, panel, r)];
                extra.apply([head / each, head % each, query], key, scores);
            }
        }
    }

    /// Replaces scores by their exponentials relative to the running maximum, which is updated first, and
    /// rescales the sums so far.
    #[inline(always)]
    fn exponentials<S: Simd>(
        &self,
        scores: &mut [f32],
        (most, sums): (&mut [f32], &mut [f32]),
        out: &mut [f32],
    ) {
        let width = self.shape.by_key.n;
        let state = most.iter_mut().zip(sums);
        for (r, ((most, sum), out)) in state.zip(out.chunks_exact_mut(width)).enumerate() {
            let mut lanes = Lanes::new(*most);
            for (i, panel) in self.panels().enumerate() {
                lanes.take_in(&scores[self.row(i, panel, r)], larger);
            }
            let largest = lanes.together(larger);
            if largest == f32::NEG_INFINITY {
                // Every key so far is masked.
                for (i, panel) in self.panels().enumerate() {
                    scores[self.row(i, panel, r)].fill(0.0);
                }
                continue;
            }
            if largest > *most {
                let factor = exp(*most - largest);
                *sum *= factor;
                out.iter_mut().for_each(|x| *x *= factor);
                *most = largest;
            }
            let mut lanes = Lanes::new(0.0);
            for (i, panel) in self.panels().enumerate() {
                let scores = &mut scores[self.row(i, panel, r)];
                if S::F32_LANES > 1 {
                    lanes.replace(scores, |x| exp_of_negative(x - largest), plus);
                } else {
                    lanes.replace(scores, |x| exp(x - largest), plus);
                }
            }
            *sum += lanes.together(plus);
        }
    }

    /// Replaces scores by their exponentials without a maximum, with vectors.
    #[inline(always)]
    fn tame_exponentials(&self, scores: &mut [f32], sums: &mut [f32]) {
        for (r, sum) in sums.iter_mut().enumerate() {
            let mut lanes = Lanes::new(0.0);
            for (i, panel) in self.panels().enumerate() {
                lanes.replace(&mut scores[self.row(i, panel, r)], exp_of_tame, plus);
            }
            *sum += lanes.together(plus);
        }
    }

    /// Adds the weighted values to `out`, from the other packed form.
    #[inline(always)]
    fn weigh_narrow<S: Simd>(&self, simd: S, narrow: Narrow, weights: &[f32], out: &mut [f32]) {
        let pairs = out.chunks_mut(QUERIES * self.shape.by_key.n);
        for (pair, out) in pairs.enumerate() {
            let pieces = self.panels().enumerate().map(|(i, panel)| {
                let keys = self.shape.by_depth.columns(panel);
                let start = |r| self.row(i, panel, pair * QUERIES + r).start;
                Piece {
                    key: keys.start,
                    len: keys.len(),
                    starts: std::array::from_fn(start),
                }
            });
            narrow.weigh(simd, self.values, weights, pieces, out);
        }
    }

    /// Returns the offset of the scores of query `r` with the keys of panel `i` of the block.
    #[inline(always)]
    fn row(&self, i: usize, panel: usize, r: usize) -> Range<usize> {
        let panels = &self.shape.by_depth;
        let start = i * ROWS * panels.width() + r * panels.padded(panel);
        start..start + panels.columns(panel).len()
    }

    /// Adds the weighted values to `out`.
    #[inline(always)]
    fn weigh<S: Simd>(&self, simd: S, weights: &[f32], products: &mut [f32], out: &mut [f32]) {
        let (keys, values) = (&self.shape.by_depth, &self.shape.by_key);
        let rows = out.len() / values.n;
        for panel in 0..values.count() {
            let (padded, columns) = (values.padded(panel), values.columns(panel));
            let elements = values.panel(self.values, panel);
            for (i, by_depth) in self.panels().enumerate() {
                let bases: [usize; ROWS] = std::array::from_fn(|r| self.row(i, by_depth, r).start);
                let among = keys.columns(by_depth);
                let rows_of = Rows {
                    elements: weights,
                    bases: &bases[..rows],
                    segments: &[Segment {
                        offset: 0,
                        len: among.len(),
                    }],
                };
                let part = &elements[among.start * padded..among.end * padded];
                let products = &mut products[..rows * padded];
                multiply(simd, rows_of, part, padded, products);
                for (out, products) in out
                    .chunks_exact_mut(values.n)
                    .zip(products.chunks_exact(padded))
                {
                    for (out, x) in out[columns.clone()].iter_mut().zip(products) {
                        *out += x;
                    }
                }
            }
        }
    }
}
