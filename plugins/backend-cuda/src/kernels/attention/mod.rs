//! Scaled dot-product attention on operands with any strides: on tensor cores, or over few keys with all
//! options except a softcap.

pub(crate) mod few;
pub(crate) mod flash;

use burn_backend::ops::FloatTensorOps;
use burn_cubecl::{Cube, tensor::CubeTensor};
use cubecl::{CubeCount, CubeDim};
use mirage_burn::{Align, Kernel, NodeContext, Tensor};
use mirage_ir::{DType, Graph, Node, TensorType, ops::Attention};

use self::{
    few::PlacesLaunch,
    flash::{CUBE_QUERIES, Heads, RowsLaunch, UNITS},
};
use super::{
    FLOATS,
    chip::Chip,
    device::{argument, element, empty, in_sequence, line},
    fragments::Arithmetic,
};

/// The largest head dimension whose running sums fit into registers, and whose f32 rows fit into shared memory.
const DIM_MOST: usize = 192;
const DIM_MOST_F32: usize = 96;

/// Whether there is a kernel for this node; it accepts operands with any strides.
pub(crate) fn takes(chip: &Chip, graph: &Graph, node: &Node) -> bool {
    let types: Vec<&TensorType> = node.inputs.iter().map(|&v| graph.ty(v)).collect();
    let op = node.op.get::<Attention>();
    op.is_some_and(|op| fits(chip, op, &types) || is_few(op, &types))
}

/// Whether the kernel for few keys supports it.
fn is_few(op: &Attention, types: &[&TensorType]) -> bool {
    let there = types
        .iter()
        .all(|t| t.numel() > 0 && i32::try_from(t.numel()).is_ok());
    there
        && FLOATS.contains(&types[0].dtype)
        && types[1].shape[2] <= few::KEYS
        && op.softcap.is_none()
}

fn fits(chip: &Chip, op: &Attention, types: &[&TensorType]) -> bool {
    let plain = !op.mask && !op.bias && !op.causal && op.softcap.is_none();
    let [q, _, v] = types else {
        return false;
    };
    let most = match q.dtype {
        DType::F32 => DIM_MOST_F32,
        _ => DIM_MOST,
    };
    let head = |t: &TensorType| t.shape[3].is_multiple_of(2) && t.shape[3] <= most;
    let there = types
        .iter()
        .all(|t| t.numel() > 0 && i32::try_from(t.numel()).is_ok());
    let scaled = op.scale_for(q.shape[3]) > 0.0;
    plain && scaled && chip.multiplies(q.dtype) && head(q) && head(v) && there
}

/// Returns the kernel of a node, if it is a supported attention.
pub(crate) fn lower(chip: &Chip, cx: &NodeContext<'_, Cube>) -> Option<Kernel<Cube>> {
    let op = cx.node.op.get::<Attention>()?;
    let types: Vec<&TensorType> = cx.inputs.iter().collect();
    if !fits(chip, op, &types) {
        return is_few(op, &types).then(|| over_few(op, cx));
    }
    let aligns = [0, 1, 2].map(|i| cx.logical(i));
    let leave = cx.physical();
    let (q, v) = (&cx.inputs[0].shape, &cx.inputs[2].shape);
    let work = Work {
        batch: q[0],
        heads: q[1],
        queries: q[2],
        keys: v[2],
        dim: q[3],
        value: v[3],
        scale: op.scale_for(q[3]) as f32 * std::f32::consts::LOG2_E,
        arithmetic: super::arithmetic(cx.graph, cx.inputs[0].dtype),
    };
    Some(Box::new(move |args| {
        let operands = [0, 1, 2].map(|i| aligns[i].view(args.take(i)));
        let out = work.run(operands);
        args.set(0, Align::view(&leave, Tensor::Float(out)));
        Ok(())
    }))
}

/// Returns the kernel of an attention over few keys.
fn over_few(op: &Attention, cx: &NodeContext<'_, Cube>) -> Kernel<Cube> {
    let aligns: Vec<Align> = (0..cx.inputs.len()).map(|i| cx.logical(i)).collect();
    let leave = cx.physical();
    let (q, v) = (&cx.inputs[0].shape, &cx.inputs[2].shape);
    let few = Few {
        shape: [q[0], q[1], q[2], v[3]],
        keys: v[2],
        dim: q[3],
        scale: op.scale_for(q[3]) as f32,
        causal: op.causal,
    };
    let (mask, bias) = (op.mask, op.bias);
    Box::new(move |args| {
        let mut operand = |i: usize| readable(aligns[i].view(args.take(i)));
        let operands = [0, 1, 2].map(&mut operand);
        let mask = mask.then(|| operand(3));
        let bias = bias.then(|| operand(3 + usize::from(mask.is_some())));
        let out = few.run(operands, mask, bias);
        args.set(0, Align::view(&leave, Tensor::Float(out)));
        Ok(())
    })
}

/// The sizes of an attention over few keys.
struct Few {
    /// Batch, heads, queries, and the dimension of values.
    shape: [usize; 4],
    keys: usize,
    dim: usize,
    scale: f32,
    causal: bool,
}

impl Few {
    #[allow(unsafe_code)]
    fn run(
        &self,
        [q, k, v]: [CubeTensor; 3],
        mask: Option<CubeTensor>,
        bias: Option<CubeTensor>,
    ) -> CubeTensor {
        let [batch, heads, queries, value] = self.shape;
        let mut lengths = vec![self.dim];
        for operand in [&q, &k] {
            let start = operand.handle.offset_start.unwrap_or(0) as usize;
            lengths.push(start / operand.dtype.size());
            lengths.extend(&operand.meta.strides()[..3]);
        }
        let each = line(&lengths, q.dtype);
        let out = heads_inside(&q, self.shape);
        let places = |t: Option<&CubeTensor>| {
            // A dimension that is broadcast has one element, wherever its stride points.
            let stride = |i: usize| {
                t.map_or(0, |t| match t.meta.shape()[i] {
                    1 => 0,
                    _ => t.meta.strides()[i] as u32,
                })
            };
            PlacesLaunch::new(stride(0), stride(1), stride(2), stride(3))
        };
        let of_mask = mask.as_ref().map_or(element(&q), element);
        // SAFETY: no plane writes beyond the last query; rows beyond the last key are not read; a tensor's
        // memory covers its strides.
        unsafe {
            few::attend_few::launch_unchecked(
                &q.client,
                CubeCount::Static(
                    queries.div_ceil(few::QUERIES) as u32,
                    heads as u32,
                    batch as u32,
                ),
                CubeDim::new_1d(few::UNITS as u32),
                each,
                argument(&q, each),
                argument(&k, each),
                argument(&v, 1),
                mask.as_ref().map(|t| argument(t, 1)).into(),
                bias.as_ref().map(|t| argument(t, 1)).into(),
                argument(&out, 1),
                rows(&q, each),
                rows(&k, each),
                rows(&v, 1),
                rows(&out, 1),
                places(mask.as_ref()),
                places(bias.as_ref()),
                queries as u32,
                self.keys as u32,
                (self.dim / each) as u32,
                value as u32,
                self.scale,
                self.causal,
                [element(&q), of_mask],
            );
        }
        out
    }
}

/// A tensor `[B,H,M,E]` with the layout `[B,M,H,E]`, so that the permute after attention, which makes the heads of a
/// position contiguous, copies nothing.
fn heads_inside(like: &CubeTensor, [batch, heads, queries, value]: [usize; 4]) -> CubeTensor {
    let lies = empty(like, &[batch, queries, heads, value], like.dtype);
    Cube::float_swap_dims(lies, 1, 2)
}

/// The strides of an operand's rows, in vectors of `each`.
fn rows(t: &CubeTensor, each: usize) -> RowsLaunch {
    let s = t.meta.strides();
    let [batch, head, row] = [0, 1, 2].map(|i| (s[i] / each) as u32);
    RowsLaunch::new(batch, head, row)
}

/// The sizes of an attention.
struct Work {
    batch: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    dim: usize,
    value: usize,
    /// With the factor from base e to base 2.
    scale: f32,
    arithmetic: Arithmetic,
}

impl Work {
    #[allow(unsafe_code)]
    fn run(&self, operands: [Tensor<Cube>; 3]) -> CubeTensor {
        let operands = operands.map(readable);
        let mut lengths = vec![self.dim, self.value];
        for operand in &operands {
            let start = operand.handle.offset_start.unwrap_or(0) as usize;
            lengths.push(start / operand.dtype.size());
            lengths.extend(&operand.meta.strides()[..3]);
        }
        let each = line(&lengths, operands[0].dtype);
        let [q, k, v] = &operands;
        let out = heads_inside(q, [self.batch, self.heads, self.queries, self.value]);
        // SAFETY: rows beyond the last query and key are neither read nor written; a tensor's memory
        // covers its strides.
        unsafe {
            flash::attend::launch_unchecked(
                &q.client,
                CubeCount::Static(
                    self.queries.div_ceil(CUBE_QUERIES) as u32,
                    self.heads as u32,
                    self.batch as u32,
                ),
                CubeDim::new_1d(UNITS as u32),
                each,
                argument(q, each),
                argument(k, each),
                argument(v, each),
                argument(&out, 1),
                rows(q, each),
                rows(k, each),
                rows(v, each),
                rows(&out, 1),
                self.queries as u32,
                self.keys as u32,
                self.scale,
                Heads::new(self.dim, self.value, self.arithmetic),
                element(q),
            );
        }
        out
    }
}

/// Returns the operand itself if its rows are contiguous and aligned, else a contiguous copy.
fn readable(tensor: Tensor<Cube>) -> CubeTensor {
    let t = match tensor {
        Tensor::Float(t) | Tensor::Int(t) | Tensor::Bool(t) => t,
    };
    let start = t.handle.offset_start.unwrap_or(0) as usize / t.dtype.size();
    let strides = t.meta.strides();
    let even = start.is_multiple_of(2) && strides[..3].iter().all(|s| s.is_multiple_of(2));
    if strides[3] == 1 && even && !t.meta.is_tiled() {
        t
    } else {
        in_sequence(Tensor::Float(t))
    }
}
