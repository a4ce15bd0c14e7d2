//! Functions of elements, alone and in regions of any shape: a list of steps over pieces of the
//! tensors that the nearest cache holds, so that every tensor is read and written once.

mod operand;
mod program;
mod steps;

use std::sync::Arc;

use burn_flex::{Flex, FlexTensor};
use mirage_backend::burn::{Kernel, NodeContext, Tensor};
use mirage_ir::DType;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use self::{operand::Walk, program::Program};
use super::{
    memory::{
        Pool, Scratch, WORTH_DIVIDING, elements, in_sequence, own_elements, reshaped, tensor,
        threads,
    },
    vector::dispatch,
};

/// Floats in all registers together: what the nearest cache holds with room for operands.
const REGISTERS: usize = 8 << 10;

pub(crate) fn lower(cx: &NodeContext<'_, Flex>, pool: &Arc<Pool>) -> Option<Kernel<Flex>> {
    let program = Program::of(cx.graph, cx.node)?;
    let out = &cx.outputs[0];
    if out.dtype != DType::F32 || out.numel() == 0 {
        return None;
    }
    let walk = Walk::new(out, &cx.inputs);
    let piece = (REGISTERS / program.registers()).clamp(64, 2048) / 16 * 16;
    let kernel = Elementwise {
        program,
        walk,
        piece,
    };
    let (shape, len, pool) = (out.physical_shape(), out.numel(), pool.clone());
    Some(Box::new(move |args| {
        let mut operands: Vec<FlexTensor> = (0..args.count())
            .map(|i| match args.take(i) {
                Tensor::Float(t) => in_sequence(t),
                other => in_sequence(other.into_bool()),
            })
            .collect();
        let whole = |i: usize| kernel.walk.is_whole(i) && operands[i].dtype() == F32;
        let in_place = (0..operands.len()).find(|&i| whole(i) && operands[i].is_unique());
        let mut result = in_place.map(|i| operands[i].clone());
        if let Some(i) = in_place {
            // The clone above must be the only one left: put something small in its place.
            operands[i] = tensor(Vec::new(), &[0]).into_float();
        }
        match result.as_mut().and_then(own_elements) {
            Some(own) => kernel.run(&operands, in_place, own),
            None => {
                if let (Some(i), Some(t)) = (in_place, result.take()) {
                    operands[i] = t;
                }
                let mut fresh = pool.take(len);
                kernel.run(&operands, None, &mut fresh);
                result = Some(tensor(fresh, &shape).into_float());
            }
        }
        operands.into_iter().for_each(|t| pool.give(t));
        if let Some(result) = result {
            args.set(0, reshaped(result, &shape));
        }
        Ok(())
    }))
}

const F32: burn_backend::DType = burn_backend::DType::F32;

/// The elements of an operand; a bool is a byte.
#[derive(Clone, Copy)]
enum Elements<'a> {
    Float(&'a [f32]),
    Bool(&'a [u8]),
    /// They stand where the result goes.
    Result,
}

#[derive(Clone, Debug)]
struct Elementwise {
    program: Program,
    walk: Walk,
    /// Elements of a register.
    piece: usize,
}

impl Elementwise {
    /// Computes `out`, which holds operand `in_place` if there is one.
    fn run(&self, operands: &[FlexTensor], in_place: Option<usize>, out: &mut [f32]) {
        let operands: Vec<Elements<'_>> = operands
            .iter()
            .enumerate()
            .map(|(i, t)| match t.dtype() {
                _ if in_place == Some(i) => Elements::Result,
                F32 => Elements::Float(elements(t)),
                _ => {
                    let start = t.layout().start_offset();
                    Elements::Bool(&t.bytes()[start..start + t.layout().num_elements()])
                }
            })
            .collect();
        let pieces = out.len().div_ceil(self.piece);
        let part = pieces.div_ceil(3 * threads()) * self.piece;
        let run = |(i, out): (usize, &mut [f32])| {
            dispatch(Part {
                kernel: self,
                operands: &operands,
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

/// A part of the result.
struct Part<'a> {
    kernel: &'a Elementwise,
    operands: &'a [Elements<'a>],
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
                    Elements::Float(_) if walk.is_whole(r) => {}
                    Elements::Float(x) => walk.gather(r, x, start, register, |x| x),
                    Elements::Bool(x) => {
                        walk.gather(r, x, start, register, |x| f32::from(u8::from(x != 0)));
                    }
                    Elements::Result => register.copy_from_slice(out),
                }
            }
            let last = program.steps.len() - 1;
            for (s, step) in program.steps.iter().enumerate() {
                let (lower, upper) = registers.split_at_mut((program.operands + s) * piece);
                let lower = &*lower;
                let register = |r: usize| match self.operands.get(r) {
                    Some(Elements::Float(x)) if walk.is_whole(r) => &x[start..start + n],
                    _ => &lower[r * piece..][..n],
                };
                let out = if s == last {
                    &mut *out
                } else {
                    &mut upper[..n]
                };
                step.run(register, out);
            }
        }
    }
}
