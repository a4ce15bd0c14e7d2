//! Elementwise operations and regions: a list of steps on pieces of the tensors that fit into the nearest
//! cache, so that every tensor is read and written once.

mod operand;
mod round;
mod steps;

use mirage_ir::{DType, TensorType};
use mirage_runtime::{
    NodeContext,
    elementwise::Program,
    planned::{HostKernel, Operand},
};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

pub(crate) use self::operand::Walk;
use super::{
    memory::{Scratch, WORTH_DIVIDING, threads},
    vector::dispatch,
};

/// Floats in all registers together: they fit into the nearest cache beside the operands.
const REGISTERS: usize = 8 << 10;

pub(crate) fn lower(cx: &NodeContext<'_>) -> Option<HostKernel> {
    let program = Program::of(cx.graph, cx.node)?;
    let out = &cx.outputs[0];
    let takes = |t: &TensorType| matches!(t.dtype, DType::F32 | DType::Bool);
    if out.dtype != DType::F32 || out.numel() == 0 || !cx.inputs.iter().all(takes) {
        return None;
    }
    let walk = Walk::new(out, &cx.inputs);
    let piece = (REGISTERS / program.registers()).clamp(64, 2048) / 16 * 16;
    let kernel = Elementwise {
        program,
        walk,
        piece,
    };
    let whole = |&i: &usize| cx.inputs[i].dtype == DType::F32 && kernel.walk.is_whole(i);
    let in_place: Vec<usize> = (0..cx.inputs.len()).filter(whole).collect();
    let compute = HostKernel::new(move |x, mut space| kernel.run(x, space.result()));
    Some(compute.in_place(in_place))
}

#[derive(Clone, Debug)]
struct Elementwise {
    program: Program,
    walk: Walk,
    /// Elements of a register.
    piece: usize,
}

impl Elementwise {
    /// Computes `out`.
    fn run(&self, operands: &[Operand<'_>], out: &mut [f32]) {
        let pieces = out.len().div_ceil(self.piece);
        let part = pieces.div_ceil(3 * threads()) * self.piece;
        let run = |(i, out): (usize, &mut [f32])| {
            dispatch(Part {
                kernel: self,
                operands,
                start: i * part,
                out,
            });
        };
        if out.len() < WORTH_DIVIDING {
            run((0, out));
        } else {
            out.par_chunks_mut(part)
                .with_max_len(1)
                .enumerate()
                .for_each(run);
        }
    }
}

/// Computes a part of the result.
struct Part<'a> {
    kernel: &'a Elementwise,
    operands: &'a [Operand<'a>],
    start: usize,
    out: &'a mut [f32],
}

impl WithSimd for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Elementwise {
            program,
            walk,
            piece,
        } = self.kernel;
        let mut scratch = Scratch::new(0, program.registers() * piece);
        let registers = scratch.elements();
        for (i, out) in self.out.chunks_mut(*piece).enumerate() {
            let (start, n) = (self.start + i * piece, out.len());
            for (r, operand) in self.operands.iter().enumerate() {
                let register = &mut registers[r * piece..][..n];
                match operand {
                    Operand::Float(_) if walk.is_whole(r) => {}
                    Operand::Bool(x) => {
                        walk.gather(r, x, start, register, |x| f32::from(u8::from(x != 0)));
                    }
                    Operand::InResult => register.copy_from_slice(out),
                    other => walk.gather(r, other.floats(), start, register, |x| x),
                }
            }
            let last = program.steps.len() - 1;
            for (s, step) in program.steps.iter().enumerate() {
                let (lower, upper) = registers.split_at_mut((program.operands + s) * piece);
                let lower = &*lower;
                let register = |r: usize| match self.operands.get(r) {
                    Some(Operand::Float(x)) if walk.is_whole(r) => &x[start..start + n],
                    _ => &lower[r * piece..][..n],
                };
                let out = if s == last {
                    &mut *out
                } else {
                    &mut upper[..n]
                };
                steps::run(*step, register, out);
            }
        }
    }
}
