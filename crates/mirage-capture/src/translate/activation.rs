//! Activations. Those without an operation in the graph are translated by burn's definitions.

use burn_ir::{ActivationOperationIr, HardSigmoidOpIr};
use mirage_ir::ops::{Binary, Reduce, ReduceFn, Select, Softmax, Unary, WithScalar};

use super::{Refusal, Rule, Sketch, sketch::Val};

pub(super) fn translate(op: &ActivationOperationIr, s: &mut Sketch) -> Rule {
    use ActivationOperationIr as A;
    match op {
        A::Relu(op) => s.unary(Unary::Relu, op),
        A::Gelu(op) => s.unary(Unary::Gelu, op),
        A::Sigmoid(op) => s.unary(Unary::Sigmoid, op),
        A::LeakyRelu(op) => {
            let x = s.x(&op.lhs)?;
            let value = s.scalar(op.rhs, x)?;
            let scaled = s.op(
                WithScalar {
                    f: Binary::Mul,
                    value,
                },
                &[x],
            )?;
            let y = below_zero(s, x, scaled)?;
            s.bind(&op.out, y)
        }
        A::PRelu(op) => {
            let (x, alpha) = (s.x(&op.lhs)?, s.x(&op.rhs)?);
            let scaled = s.op(Binary::Mul, &[x, alpha])?;
            let y = below_zero(s, x, scaled)?;
            s.bind(&op.out, y)
        }
        A::HardSigmoid(op) => hard_sigmoid(op, s),
        A::LogSigmoid(op) => {
            let x = s.x(&op.input)?;
            let y = log_sigmoid(s, x)?;
            s.bind(&op.out, y)
        }
        A::Softmax(op) => {
            let x = s.x(&op.input)?;
            let y = s.op(Softmax { dim: op.axis }, &[x])?;
            s.bind(&op.out, y)
        }
        A::Softmin(op) => {
            let x = s.x(&op.input)?;
            let x = s.op(Unary::Neg, &[x])?;
            let y = s.op(Softmax { dim: op.axis }, &[x])?;
            s.bind(&op.out, y)
        }
        A::LogSoftmax(op) => {
            let x = s.x(&op.input)?;
            let y = log_softmax(s, x, op.axis)?;
            s.bind(&op.out, y)
        }
        A::ReluBackward(_)
        | A::GeluBackward(_)
        | A::SigmoidBackward(_)
        | A::LogSigmoidBackward(_) => Err(Refusal::NoRule),
    }
}

/// Returns `scaled` where x is below 0, else x.
fn below_zero(s: &mut Sketch, x: Val, scaled: Val) -> Rule<Val> {
    let below = s.with(Binary::Lt, x, 0.0)?;
    s.op(Select {}, &[below, scaled, x])
}

/// Adds min(max(alpha·x + beta, 0), 1).
fn hard_sigmoid(op: &HardSigmoidOpIr, s: &mut Sketch) -> Rule {
    let x = s.x(&op.tensor)?;
    let (alpha, beta) = (s.scalar(op.alpha, x)?, s.scalar(op.beta, x)?);
    let y = s.op(
        WithScalar {
            f: Binary::Mul,
            value: alpha,
        },
        &[x],
    )?;
    let y = s.op(
        WithScalar {
            f: Binary::Add,
            value: beta,
        },
        &[y],
    )?;
    let y = s.with(Binary::Max, y, 0.0)?;
    let y = s.with(Binary::Min, y, 1.0)?;
    s.bind(&op.out, y)
}

/// Adds min(x, 0) − log(1 + e^−|x|), which neither overflows nor cancels.
fn log_sigmoid(s: &mut Sketch, x: Val) -> Rule<Val> {
    let low = s.with(Binary::Min, x, 0.0)?;
    let y = s.op(Unary::Abs, &[x])?;
    let y = s.op(Unary::Neg, &[y])?;
    let y = s.op(Unary::Exp, &[y])?;
    let y = s.op(Unary::Log1p, &[y])?;
    s.op(Binary::Sub, &[low, y])
}

/// Adds x − max − log(sum(e^(x − max))), which stays finite where softmax underflows.
fn log_softmax(s: &mut Sketch, x: Val, dim: usize) -> Rule<Val> {
    let max = s.op(
        Reduce {
            f: ReduceFn::Max,
            dims: vec![dim],
        },
        &[x],
    )?;
    let shifted = s.op(Binary::Sub, &[x, max])?;
    let sum = s.op(Unary::Exp, &[shifted])?;
    let sum = s.op(
        Reduce {
            f: ReduceFn::Sum,
            dims: vec![dim],
        },
        &[sum],
    )?;
    let log = s.op(Unary::Log, &[sum])?;
    s.op(Binary::Sub, &[shifted, log])
}
