//! Padding with a constant in one dimension.

use burn_cubecl::Cube;
use cubecl::{CubeDim, prelude::*};
use mirage_burn::{Kernel, NodeContext, Tensor};
use mirage_ir::ops::Pad;

use super::{
    FLOATS,
    device::{argument, cubes, element, empty, in_sequence, line},
    dtype,
};

/// Units of a cube.
pub(crate) const UNITS: usize = 256;

/// Rows of `x`, of `run` vectors, in rows of `pitch`, from `before` on. A unit for each vector.
#[cube(launch_unchecked)]
pub(crate) fn pad<E: Float, N: Size>(
    x: &[Vector<E, N>],
    out: &mut [Vector<E, N>],
    run: u32,
    pitch: u32,
    before: u32,
    value: f32,
    work: u32,
    #[define(E)] _dtype: ElemType,
) {
    let at = ABSOLUTE_POS as u32;
    if at < work {
        let row = at / pitch;
        let column = at % pitch;
        if column >= before && column < before + run {
            out[at as usize] = x[(row * run + column - before) as usize];
        } else {
            out[at as usize] = Vector::<E, N>::cast_from(Vector::<f32, N>::new(value));
        }
    }
}

/// Returns the kernel of a padding with a constant in one dimension.
#[allow(unsafe_code)]
pub(crate) fn lower(cx: &NodeContext<'_, Cube>) -> Option<Kernel<Cube>> {
    let op = cx.node.op.get::<Pad>()?;
    let value = op.value?.as_f64() as f32;
    let (x, out) = (&cx.inputs[0], &cx.outputs[0]);
    if !FLOATS.contains(&x.dtype) || i32::try_from(out.numel()).is_err() || x.numel() == 0 {
        return None;
    }
    let mut padded = (0..x.rank()).filter(|&d| op.before[d] + op.after[d] > 0);
    let (dim, None) = (padded.next()?, padded.next()) else {
        return None;
    };
    let (place, shape) = (cx.place(dim), out.physical_shape());
    let inner: usize = shape[place + 1..].iter().product();
    let (run, pitch) = (x.shape[dim] * inner, out.shape[dim] * inner);
    let before = op.before[dim] * inner;
    let each = line(&[run, pitch, before], dtype(x.dtype)?);
    let work = out.numel() / each;
    Some(Box::new(move |args| {
        let x = in_sequence(args.take(0));
        let out = empty(&x, &shape, x.dtype);
        // SAFETY: no unit goes beyond `work`, the vectors of the result; rows of x are `run` long.
        unsafe {
            pad::launch_unchecked(
                &x.client,
                cubes(work, UNITS),
                CubeDim::new_1d(UNITS as u32),
                each,
                argument(&x, each),
                argument(&out, each),
                (run / each) as u32,
                (pitch / each) as u32,
                (before / each) as u32,
                value,
                work as u32,
                element(&x),
            );
        }
        args.set(0, Tensor::Float(out));
        Ok(())
    }))
}
