//! Regions of functions of elements: every tensor is read and written once.

pub(crate) mod run;

use burn_cubecl::Cube;
use cubecl::CubeDim;
use mirage_burn::{Kernel, NodeContext, Tensor};
use mirage_ir::{
    DType, Graph, Node, TensorType,
    ops::{Binary, Region, Unary},
    same_layout,
};
use mirage_runtime::elementwise::{Program, Step};

use self::run::Reach;
use super::device::{argument, cubes, element, empty, in_sequence, line};

/// Operands that the kernel takes at most.
const OPERANDS_MOST: usize = 4;
const UNITS: usize = 256;

/// The kernel of a node, if it is a region that the kernel has all of.
#[allow(unsafe_code)]
pub(crate) fn lower(cx: &NodeContext<'_, Cube>) -> Option<Kernel<Cube>> {
    let program = program(cx.graph, cx.node)?;
    let out = &cx.outputs[0];
    let operands = cx.inputs.len();
    let small = i32::try_from(out.numel()).is_ok();
    if operands == 0 || operands > OPERANDS_MOST || out.numel() == 0 || !small {
        return None;
    }
    let mut reach = [Reach::Whole; OPERANDS_MOST];
    for (of_operand, ty) in reach.iter_mut().zip(&cx.inputs) {
        *of_operand = reach_of(ty, out)?;
    }
    let shape = out.physical_shape();
    let innermost = shape.last().copied().unwrap_or(1);
    let (len, dtype) = (out.numel(), super::dtype(out.dtype)?);
    let one = reach[..operands].contains(&Reach::One);
    let each = if one {
        1
    } else {
        line(&[innermost], burn_backend::DType::F16)
    };
    Some(Box::new(move |args| {
        let operands: Vec<_> = (0..args.count())
            .map(|i| in_sequence(args.take(i)))
            .collect();
        let result = empty(&operands[0], &shape, dtype);
        let further = |i: usize| operands.get(i).map(|t| argument(t, each));
        let type_of = |i: usize| element(operands.get(i).unwrap_or(&operands[0]));
        // SAFETY: no unit goes beyond the result; an operand is as long as its reach says.
        unsafe {
            run::run::launch_unchecked(
                &result.client,
                cubes(len / each, UNITS),
                CubeDim::new_1d(UNITS as u32),
                each,
                argument(&operands[0], each),
                further(1).into(),
                further(2).into(),
                further(3).into(),
                argument(&result, each),
                (innermost / each) as u32,
                (len / each) as u32,
                reach,
                program.clone(),
                [
                    type_of(0),
                    type_of(1),
                    type_of(2),
                    type_of(3),
                    element(&result),
                ],
            );
        }
        args.set(0, Tensor::Float(result));
        Ok(())
    }))
}

/// The program of a region of floats that the kernel computes as defined. A bool may occur inside the
/// region, but not as an operand or a result: the engine stores it in its own way.
fn program(graph: &Graph, node: &Node) -> Option<Program> {
    node.op.get::<Region>()?;
    let body = node.op.body()?;
    let is_float = |dtype| matches!(dtype, DType::F32 | DType::F16 | DType::BF16);
    let mut ports = body.inputs().iter().chain(body.outputs());
    if !ports.all(|port| is_float(body.ty(port.value).dtype)) {
        return None;
    }
    let program = Program::of(graph, node)?;
    program
        .steps
        .iter()
        .all(|&s| is_computed(s))
        .then_some(program)
}

/// Whether the kernel computes this step as it is defined.
pub(crate) fn is_computed(step: Step) -> bool {
    match step {
        Step::Unary(f, _) => !matches!(f, Unary::IsInf | Unary::IsNan | Unary::Sign),
        Step::Binary(f, ..) | Step::WithScalar(f, ..) => f != Binary::Rem,
        Step::ToByte(_) => false,
        Step::Select(..) | Step::ToBool(_) | Step::ToF16(_) | Step::ToBf16(_) | Step::Copy(_) => {
            true
        }
    }
}

/// How an operand's elements belong to the result's, if it is in one of the ways known.
fn reach_of(operand: &TensorType, out: &TensorType) -> Option<Reach> {
    if operand.shape == out.shape && same_layout(&out.shape, &operand.order, &out.order) {
        return Some(Reach::Whole);
    }
    if operand.numel() == 1 {
        return Some(Reach::One);
    }
    // Of the result's innermost dimension all, of the others one.
    let innermost = out.order.dims().next_back()?;
    let only = operand
        .shape
        .iter()
        .enumerate()
        .all(|(d, &n)| n == if d == innermost { out.shape[d] } else { 1 });
    only.then_some(Reach::Innermost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(operand: &str, out: &str) -> Option<Reach> {
        let parse = |t: &str| t.parse::<TensorType>().expect("a type");
        reach_of(&parse(operand), &parse(out))
    }

    #[test]
    fn operands_are_whole_innermost_or_one() {
        let out = "f16[2,8,4,4]@[0,2,3,1]";
        assert_eq!(reach("f16[2,8,4,4]@[0,2,3,1]", out), Some(Reach::Whole));
        assert_eq!(reach("f32[2,8,4,4]@[0,2,3,1]", out), Some(Reach::Whole));
        assert_eq!(reach("f16[1,8,1,1]", out), Some(Reach::Innermost));
        assert_eq!(reach("f16[1,1,1,1]", out), Some(Reach::One));
        assert_eq!(reach("f16[2,8,1,1]", out), None);
        assert_eq!(reach("f16[2,8,4,4]", out), None);
        assert_eq!(reach("f16[1,8,1,1]", "f16[2,8,4,4]"), None);
    }
}
