//! Group norm, alone and with SiLU after it, in both memory orders.

use bumpalo::Bump;
use mirage_ir::{
    DType, Order,
    ops::GroupNorm,
    regions::{Activation, GroupNormSilu, KnownRegion},
    same_layout,
};
use mirage_runtime::{NodeContext, planned::HostKernel};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    channels::{Interleaved, Line, Plane},
    memory::{Scratch, WORTH_DIVIDING, threads, with_lists},
    reduce::Moments,
    vector::dispatch,
};

pub(crate) fn lower(cx: &NodeContext<'_>) -> Option<HostKernel> {
    let (op, activation) = match GroupNormSilu::of_region(&cx.node.op) {
        Some(region) => (region.norm, Activation::Silu),
        None => (*cx.node.op.get::<GroupNorm>()?, Activation::None),
    };
    let (x, out) = (&cx.inputs[0], &cx.outputs[0]);
    let all_f32 = cx.inputs.iter().all(|t| t.dtype == DType::F32);
    if !all_f32 || x.numel() == 0 || !x.same_memory(out) {
        return None;
    }
    let last = same_layout(&x.shape, &x.order, &Order::channels_last(x.rank()));
    if !last && !x.is_row_major() {
        return None;
    }
    let norm = Norm {
        channels: x.shape[1],
        places: x.shape[2..].iter().product(),
        groups: op.groups,
        eps: op.eps,
        activation,
        last,
    };
    let affine = cx.inputs.len() == 3;
    let compute = HostKernel::new(move |x, mut space| {
        let affine = affine.then(|| (x[1].floats(), x[2].floats()));
        norm.run(x[0].floats_unless_in_result(), affine, space.result());
    });
    Some(compute.in_place([0]))
}

type Affine<'a> = Option<(&'a [f32], &'a [f32])>;

#[derive(Clone, Copy, Debug)]
struct Norm {
    channels: usize,
    places: usize,
    groups: usize,
    eps: f64,
    activation: Activation,
    /// Whether channels are innermost.
    last: bool,
}

impl Norm {
    /// Normalizes `x` into `out`; in place if there is no `x`.
    fn run(&self, x: Option<&[f32]>, affine: Affine<'_>, out: &mut [f32]) {
        if self.last {
            self.interleaved(x, affine, out);
        } else {
            self.planes(x, affine, out);
        }
    }

    /// Returns the scale and shift of a channel, given its group's moments.
    #[inline(always)]
    fn line(&self, c: usize, moments: &Moments, affine: Affine<'_>) -> Line {
        let (gamma, beta) = affine.map_or((1.0, 0.0), |(g, b)| (g[c], b[c]));
        Line {
            mean: moments.mean as f32,
            scale: (moments.inverse_deviation(self.eps) * f64::from(gamma)) as f32,
            beta,
        }
    }

    /// For contiguous groups: each is read twice and written by one thread.
    fn planes(&self, x: Option<&[f32]>, affine: Affine<'_>, out: &mut [f32]) {
        let group = self.channels / self.groups * self.places;
        let one = |(i, out): (usize, &mut [f32])| {
            dispatch(Group {
                norm: self,
                x: x.map(|x| &x[i * group..][..group]),
                first: i % self.groups * (self.channels / self.groups),
                affine,
                out,
            });
        };
        if out.len() < WORTH_DIVIDING {
            out.chunks_mut(group).enumerate().for_each(one);
        } else {
            out.par_chunks_mut(group).enumerate().for_each(one);
        }
    }

    /// For channels innermost: threads sum parts of the positions, then scale parts.
    fn interleaved(&self, x: Option<&[f32]>, affine: Affine<'_>, out: &mut [f32]) {
        let image = self.places * self.channels;
        for (i, out) in out.chunks_mut(image).enumerate() {
            let x = x.map(|x| &x[i * image..][..image]);
            with_lists(|lists| self.interleaved_image(x, affine, out, lists));
        }
    }

    fn interleaved_image(
        &self,
        x: Option<&[f32]>,
        affine: Affine<'_>,
        out: &mut [f32],
        lists: &Bump,
    ) {
        let small = out.len() < WORTH_DIVIDING;
        let parts = if small { 1 } else { 2 * threads() };
        let part = self.places.div_ceil(parts) * self.channels;
        let moments = self.moments(x.unwrap_or(out), part, lists);
        let each = self.channels / self.groups;
        let line = |c: usize| self.line(c, &moments[c / each], affine);
        let [means, scales, betas] = [|l: Line| l.mean, |l: Line| l.scale, |l: Line| l.beta]
            .map(|of| &*lists.alloc_slice_fill_with(self.channels, |c| of(line(c))));
        let scale = |(j, out): (usize, &mut [f32])| {
            dispatch(Interleaved {
                x: x.map(|x| &x[j * part..][..out.len()]),
                means,
                scales,
                betas,
                activation: self.activation,
                out,
            });
        };
        if small {
            scale((0, out));
        } else {
            out.par_chunks_mut(part).enumerate().for_each(scale);
        }
    }

    /// Computes the moments of every group of an image, a part at a time.
    fn moments<'a>(&self, x: &[f32], part: usize, lists: &'a Bump) -> &'a [Moments] {
        let count = x.len().div_ceil(part) * self.groups;
        let moments = lists.alloc_slice_fill_copy(count, Moments::default());
        let sum = |(values, moments): (&[f32], &mut [Moments])| {
            let norm = self;
            dispatch(Sums {
                norm,
                values,
                moments,
            });
        };
        if count == self.groups {
            sum((x, moments));
        } else {
            let parts = moments.par_chunks_mut(self.groups);
            x.par_chunks(part).zip(parts).for_each(sum);
        }
        let (all, others) = moments.split_at_mut(self.groups);
        for other in others.chunks_exact(self.groups) {
            all.iter_mut()
                .zip(other)
                .for_each(|(a, b)| *a = a.merge(*b));
        }
        all
    }
}

/// Normalizes one contiguous group.
struct Group<'a> {
    norm: &'a Norm,
    x: Option<&'a [f32]>,
    /// Its first channel.
    first: usize,
    affine: Affine<'a>,
    out: &'a mut [f32],
}

impl WithSimd for Group<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let moments = Moments::of(self.x.unwrap_or(self.out));
        let places = self.norm.places;
        for (i, out) in self.out.chunks_exact_mut(places).enumerate() {
            let plane = Plane {
                x: self.x.map(|x| &x[i * places..][..places]),
                line: self.norm.line(self.first + i, &moments, self.affine),
                activation: self.norm.activation,
                out,
            };
            plane.with_simd(simd);
        }
    }
}

/// Adds the moments of positions with channels innermost to those of every group.
struct Sums<'a> {
    norm: &'a Norm,
    values: &'a [f32],
    moments: &'a mut [Moments],
}

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let channels = self.norm.channels;
        let each = channels / self.norm.groups;
        let rows = (4096 / channels).clamp(1, 128);
        let mut scratch = Scratch::new(0, 2 * channels);
        let (sums, centres) = scratch.elements().split_at_mut(channels);
        for part in self.values.chunks(rows * channels) {
            let count = (part.len() / channels * each) as f64;
            sums.fill(0.0);
            for row in part.chunks_exact(channels) {
                for (sum, x) in sums.iter_mut().zip(row) {
                    *sum += x;
                }
            }
            let total = |sums: &[f32]| sums.iter().map(|&x| f64::from(x)).sum::<f64>();
            let groups = centres.chunks_exact_mut(each).zip(sums.chunks_exact(each));
            for ((centres, sums), moments) in groups.zip(self.moments.iter_mut()) {
                let mean = total(sums) / count;
                centres.fill(mean as f32);
                *moments = moments.merge(Moments {
                    count,
                    mean,
                    squares: 0.0,
                });
            }
            sums.fill(0.0);
            for row in part.chunks_exact(channels) {
                for ((sum, x), centre) in sums.iter_mut().zip(row).zip(&*centres) {
                    *sum += (x - centre) * (x - centre);
                }
            }
            for (moments, sums) in self.moments.iter_mut().zip(sums.chunks_exact(each)) {
                moments.squares += total(sums);
            }
        }
    }
}
