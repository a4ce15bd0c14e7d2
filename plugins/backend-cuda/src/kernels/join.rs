//! Concatenation, by a kernel for each tensor except the first.

use burn_cubecl::Cube;
use cubecl::{CubeDim, prelude::*};
use mirage_burn::{Kernel, NodeContext, Tensor};
use mirage_ir::ops::Concat;

use super::{
    FLOATS,
    device::{argument, cubes, element, empty, in_sequence, line},
    dtype,
};

/// Units of a cube.
pub(crate) const UNITS: usize = 256;

/// Rows of `a`, each with the row of `b` behind it. A unit for each vector.
#[cube(launch_unchecked)]
pub(crate) fn join<E: Numeric, N: Size>(
    a: &[Vector<E, N>],
    b: &[Vector<E, N>],
    out: &mut [Vector<E, N>],
    run_a: u32,
    run_b: u32,
    work: u32,
    #[define(E)] _dtype: ElemType,
) {
    let at = ABSOLUTE_POS as u32;
    if at < work {
        let run = run_a + run_b;
        let row = at / run;
        let column = at % run;
        if column < run_a {
            out[at as usize] = a[(row * run_a + column) as usize];
        } else {
            out[at as usize] = b[(row * run_b + column - run_a) as usize];
        }
    }
}

/// The maximum number of tensors, because the first is copied once for each other one.
const MOST: usize = 4;

/// Returns the kernel of a concatenation of a few tensors.
#[allow(unsafe_code)]
pub(crate) fn lower(cx: &NodeContext<'_, Cube>) -> Option<Kernel<Cube>> {
    let concat = cx.node.op.get::<Concat>()?;
    let out = &cx.outputs[0];
    let counted = i32::try_from(out.numel()).is_ok() && cx.inputs.iter().all(|t| t.numel() > 0);
    if !FLOATS.contains(&out.dtype) || !counted || !(2..=MOST).contains(&cx.inputs.len()) {
        return None;
    }
    // The operands have the result's order, in which everything behind the dimension is contiguous.
    let place = cx.place(concat.dim);
    let narrow = dtype(out.dtype)?;
    let shapes: Vec<Vec<usize>> = cx.inputs.iter().map(|t| t.physical_shape()).collect();
    Some(Box::new(move |args| {
        let mut joined = in_sequence(args.take(0));
        let mut shape = shapes[0].clone();
        for (i, next) in shapes.iter().enumerate().skip(1) {
            let run = |shape: &[usize]| shape[place..].iter().product::<usize>();
            let (run_a, run_b) = (run(&shape), run(next));
            let each = line(&[run_a, run_b], narrow);
            shape[place] += next[place];
            let work = shape.iter().product::<usize>() / each;
            let b = in_sequence(args.take(i));
            let out = empty(&joined, &shape, joined.dtype);
            // SAFETY: no unit goes beyond `work`, the vectors of the result, whose rows are those of both.
            unsafe {
                join::launch_unchecked(
                    &b.client,
                    cubes(work, UNITS),
                    CubeDim::new_1d(UNITS as u32),
                    each,
                    argument(&joined, each),
                    argument(&b, each),
                    argument(&out, each),
                    (run_a / each) as u32,
                    (run_b / each) as u32,
                    work as u32,
                    element(&b),
                );
            }
            joined = out;
        }
        args.set(0, Tensor::Float(joined));
        Ok(())
    }))
}
