//! Convolutions over two dimensions without groups, and the operations after them in a region.
//!
//! A tile of output rows needs a few input rows, which are copied to a zero-padded buffer of the thread with
//! channels innermost, unless they have that layout already. In it, a row of the filter for one output
//! element is a run of `kernel width · channels` elements, so no im2col is needed. Channels last costs at
//! most a copy, and row-major a transposition of the tile.

use std::ops::Range;

use mirage_ir::{DType, Order, TensorType, ops::Conv, regions::ConvAct, same_layout};
use mirage_runtime::{NodeContext, planned::HostKernel};

use super::{
    memory::Numbers,
    panels::{Panels, Segment, segments},
    product::{Arrangement, Epilogue, Plan, Source},
};

/// Whether the kernel supports operands of these types.
pub(crate) fn takes(op: &Conv, x: &TensorType, weight: &TensorType) -> bool {
    let [x_rank, w_rank] = [x.rank(), weight.rank()];
    x_rank == 4
        && w_rank == 4
        && op.groups == 1
        && x.dtype == DType::F32
        && x.numel() > 0
        && weight.numel() > 0
        && (x.is_row_major() || is_last(x))
}

fn is_last(ty: &TensorType) -> bool {
    same_layout(&ty.shape, &ty.order, &Order::channels_last(4))
}

/// Returns the panels of a weight `[O,C,kh,kw]`.
fn panels(weight: &TensorType) -> Panels {
    let s = &weight.shape;
    Panels::new(s[1] * s[2] * s[3], s[0])
}

/// Packs a weight `[O,C,kh,kw]` as a matrix of rows (kh, kw, C) and columns O, in panels.
pub(crate) fn pack(weight: &[f32], ty: &TensorType) -> Vec<f32> {
    let panels = panels(ty);
    let (channels, kw, strides) = (ty.shape[1], ty.shape[3], ty.strides());
    let mut packed = vec![0.0; panels.len()];
    panels.pack(&mut packed, |k, o| {
        let (c, j, i) = (k % channels, k / channels % kw, k / channels / kw);
        weight[o * strides[0] + c * strides[1] + i * strides[2] + j * strides[3]]
    });
    packed
}

pub(crate) fn lower(cx: &NodeContext<'_>) -> Option<HostKernel> {
    let fused = ConvAct::of(&cx.node.op, cx.inputs.len())?;
    let (x, weight, out) = (&cx.inputs[0], &cx.inputs[1], &cx.outputs[0]);
    if !takes(&fused.op, x, weight) {
        return None;
    }
    let residual = fused.residual.then(|| cx.inputs.len() - 1);
    if residual.is_some_and(|i| cx.inputs[i].shape != out.shape) {
        return None;
    }
    // If dimensions of 1 make both orders equal, channels last is cheaper.
    let lie = |fits: fn(&TensorType) -> bool| {
        fits(x) && fits(out) && residual.is_none_or(|i| fits(&cx.inputs[i]))
    };
    let last = lie(is_last);
    if !last && !lie(TensorType::is_row_major) {
        return None;
    }
    let geometry = Geometry::new(&fused.op, x, weight, out, last);
    let plan = geometry.plan(panels(weight), last);
    let (packed, weight_type) = (cx.packed[1], weight.clone());
    Some(HostKernel::new(move |x, mut space| {
        let packed_here;
        let panels = if packed {
            x[1].floats()
        } else {
            packed_here = pack(x[1].floats(), &weight_type);
            &packed_here
        };
        let epilogue = Epilogue {
            bias: fused.bias.then(|| x[2].floats()),
            residual: residual.map(|i| x[i].floats()),
            activation: fused.activation,
        };
        let source = Input {
            geometry: &geometry,
            x: x[0].floats(),
        };
        plan.run(&source, panels, epilogue, space.result());
    }))
}

/// The sizes of a convolution.
#[derive(Clone, Debug)]
struct Geometry {
    images: usize,
    channels: usize,
    height: usize,
    width: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    out: [usize; 2],
    /// Whether channels are innermost in x.
    last: bool,
}

impl Geometry {
    fn new(op: &Conv, x: &TensorType, weight: &TensorType, out: &TensorType, last: bool) -> Self {
        let two = |v: &[usize]| [v[0], v[1]];
        Geometry {
            images: x.shape[0],
            channels: x.shape[1],
            height: x.shape[2],
            width: x.shape[3],
            kernel: two(&weight.shape[2..]),
            stride: two(&op.stride),
            padding: two(&op.padding),
            dilation: two(&op.dilation),
            out: two(&out.shape[2..]),
            last,
        }
    }

    /// Whether rows can be read without a copy.
    fn direct(&self) -> bool {
        self.last && self.padding == [0, 0]
    }

    /// Whether positions do not depend on their row, so that tiles need not be whole rows.
    fn pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [0, 0]
    }

    fn padded_width(&self) -> usize {
        self.width + 2 * self.padding[1]
    }

    /// Returns the number of input rows for `rows` rows of output.
    fn reach(&self, rows: usize) -> usize {
        (rows - 1) * self.stride[0] + (self.kernel[0] - 1) * self.dilation[0] + 1
    }

    fn plan(&self, panels: Panels, last: bool) -> Plan {
        let (line, c) = (self.padded_width() * self.channels, self.channels);
        let mut runs = Vec::new();
        for i in 0..self.kernel[0] {
            let start = i * self.dilation[0] * line;
            if self.dilation[1] == 1 {
                runs.push(Segment {
                    offset: start,
                    len: self.kernel[1] * c,
                });
            } else {
                runs.extend((0..self.kernel[1]).map(|j| Segment {
                    offset: start + j * self.dilation[1] * c,
                    len: c,
                }));
            }
        }
        Plan {
            panels,
            segments: segments(runs),
            arrangement: if last {
                Arrangement::Rows
            } else {
                Arrangement::Planes
            },
            images: self.images,
            places: self.out[0] * self.out[1],
            unit: if self.pointwise() { 1 } else { self.out[1] },
        }
    }
}

struct Input<'a> {
    geometry: &'a Geometry,
    x: &'a [f32],
}

impl Source for Input<'_> {
    fn scratch(&self, places: usize) -> usize {
        let g = self.geometry;
        if g.direct() {
            0
        } else if g.pointwise() {
            places * g.channels
        } else {
            g.reach(places.div_ceil(g.out[1])) * g.padded_width() * g.channels
        }
    }

    #[inline(always)]
    fn rows<'a>(
        &'a self,
        image: usize,
        places: Range<usize>,
        scratch: &'a mut [f32],
        bases: &mut Numbers,
    ) -> &'a [f32] {
        let g = self.geometry;
        let x =
            &self.x[image * g.channels * g.height * g.width..][..g.channels * g.height * g.width];
        if g.pointwise() {
            bases.extend((0..places.len()).map(|p| p * g.channels));
            if g.last {
                return &x[places.start * g.channels..places.end * g.channels];
            }
            interleave(x, g.height * g.width, places, g.channels, scratch);
            return scratch;
        }
        let line = g.padded_width() * g.channels;
        let (first, end) = (places.start / g.out[1], places.end.div_ceil(g.out[1]));
        for y in 0..end - first {
            let start = y * g.stride[0] * line;
            bases.extend((0..g.out[1]).map(|x| start + x * g.stride[1] * g.channels));
        }
        let top = first * g.stride[0];
        if g.direct() {
            return &x[top * line..];
        }
        for (i, row) in scratch
            .chunks_exact_mut(line)
            .take(g.reach(end - first))
            .enumerate()
        {
            self.padded_row(x, top + i, row);
        }
        scratch
    }
}

impl Input<'_> {
    /// Copies row `y` of the padded image, channels innermost.
    #[inline(always)]
    fn padded_row(&self, x: &[f32], y: usize, row: &mut [f32]) {
        let g = self.geometry;
        let Some(y) = y.checked_sub(g.padding[0]).filter(|&y| y < g.height) else {
            row.fill(0.0);
            return;
        };
        let side = g.padding[1] * g.channels;
        let inside = row.len() - side;
        row[..side].fill(0.0);
        row[inside..].fill(0.0);
        let row = &mut row[side..inside];
        if g.last {
            row.copy_from_slice(&x[y * g.width * g.channels..][..row.len()]);
        } else {
            let places = y * g.width..(y + 1) * g.width;
            interleave(x, g.height * g.width, places, g.channels, row);
        }
    }
}

/// Transposes planes of channels to channels innermost, a block of channels at a time, so that writes are
/// contiguous and reads stay in the cache.
#[inline(always)]
fn interleave(x: &[f32], plane: usize, places: Range<usize>, channels: usize, out: &mut [f32]) {
    const BLOCK: usize = 16;
    let count = places.len();
    let mut c = 0;
    while c + BLOCK <= channels {
        let mut planes: [&[f32]; BLOCK] = [&[]; BLOCK];
        for (i, p) in planes.iter_mut().enumerate() {
            *p = &x[(c + i) * plane + places.start..][..count];
        }
        for p in 0..count {
            let out = &mut out[p * channels + c..][..BLOCK];
            for i in 0..BLOCK {
                out[i] = planes[i][p];
            }
        }
        c += BLOCK;
    }
    for c in c..channels {
        let values = &x[c * plane + places.start..][..count];
        for (p, &value) in values.iter().enumerate() {
            out[p * channels + c] = value;
        }
    }
}
