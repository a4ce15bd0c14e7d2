//! Steps on registers, each a vectorized loop.

use mirage_ir::ops::{Binary, Unary};
use mirage_runtime::elementwise::Step;

use super::super::math;
use super::round;

/// Computes a step for every element; `register` returns a lower register.
#[inline(always)]
pub(super) fn run<'a>(step: Step, register: impl Fn(usize) -> &'a [f32], out: &mut [f32]) {
    match step {
        Step::Unary(f, a) => unary(f, register(a), out),
        Step::Binary(f, a, b) => binary(f, register(a), register(b), out),
        Step::WithScalar(f, a, number) => with_scalar(f, register(a), number.get(), out),
        Step::Select(c, a, b) => {
            let (a, b) = (register(a), register(b));
            for (((out, c), a), b) in out.iter_mut().zip(register(c)).zip(a).zip(b) {
                *out = if *c != 0.0 { *a } else { *b };
            }
        }
        Step::ToBool(a) => map(register(a), out, |x| truth(x != 0.0)),
        Step::ToF16(a) => map(register(a), out, round::to_f16),
        Step::ToBf16(a) => map(register(a), out, round::to_bf16),
        Step::ToByte(a) => map(register(a), out, |x| f32::from(x as u8)),
        Step::Copy(a) => out.copy_from_slice(register(a)),
    }
}

#[inline(always)]
fn truth(condition: bool) -> f32 {
    if condition { 1.0 } else { 0.0 }
}

#[inline(always)]
fn map(x: &[f32], out: &mut [f32], f: impl Fn(f32) -> f32) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = f(*x);
    }
}

#[inline(always)]
fn zip(a: &[f32], b: &[f32], out: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = f(*a, *b);
    }
}

#[inline(always)]
fn unary(f: Unary, x: &[f32], out: &mut [f32]) {
    match f {
        Unary::Abs => map(x, out, f32::abs),
        Unary::Acos => map(x, out, f32::acos),
        Unary::Asin => map(x, out, f32::asin),
        Unary::Atan => map(x, out, f32::atan),
        Unary::Ceil => map(x, out, f32::ceil),
        Unary::Cos => map(x, out, f32::cos),
        Unary::Cosh => map(x, out, f32::cosh),
        Unary::Erf => map(x, out, math::erf),
        Unary::Exp => map(x, out, math::exp),
        Unary::Floor => map(x, out, f32::floor),
        Unary::Gelu => map(x, out, math::gelu),
        Unary::GeluTanh => map(x, out, math::gelu_tanh),
        Unary::IsInf => map(x, out, |x| truth(x.abs() == f32::INFINITY)),
        Unary::IsNan => map(x, out, |x| truth(x.is_nan())),
        Unary::Log => map(x, out, f32::ln),
        Unary::Log1p => map(x, out, f32::ln_1p),
        Unary::Neg => map(x, out, |x| -x),
        Unary::Not => map(x, out, |x| 1.0 - x),
        Unary::Recip => map(x, out, f32::recip),
        Unary::Relu => map(x, out, math::relu),
        Unary::Round => map(x, out, f32::round_ties_even),
        Unary::Rsqrt => map(x, out, |x| x.sqrt().recip()),
        Unary::Sigmoid => map(x, out, math::sigmoid),
        Unary::Sign => map(x, out, |x| truth(x > 0.0) - truth(x < 0.0)),
        Unary::Silu => map(x, out, math::silu),
        Unary::Sin => map(x, out, f32::sin),
        Unary::Sinh => map(x, out, f32::sinh),
        Unary::Sqrt => map(x, out, f32::sqrt),
        Unary::Square => map(x, out, |x| x * x),
        Unary::Tan => map(x, out, f32::tan),
        Unary::Tanh => map(x, out, math::tanh),
        Unary::Trunc => map(x, out, f32::trunc),
    }
}

#[inline(always)]
fn binary(f: Binary, a: &[f32], b: &[f32], out: &mut [f32]) {
    match f {
        Binary::Add => zip(a, b, out, |a, b| a + b),
        Binary::Sub => zip(a, b, out, |a, b| a - b),
        Binary::Mul => zip(a, b, out, |a, b| a * b),
        Binary::Div => zip(a, b, out, |a, b| a / b),
        Binary::Max => zip(a, b, out, larger),
        Binary::Min => zip(a, b, out, smaller),
        Binary::Pow => zip(a, b, out, f32::powf),
        Binary::Rem => zip(a, b, out, remainder),
        Binary::And => zip(a, b, out, |a, b| a * b),
        Binary::Or => zip(a, b, out, larger),
        Binary::Eq => zip(a, b, out, |a, b| truth(a == b)),
        Binary::Ne | Binary::Xor => zip(a, b, out, |a, b| truth(a != b)),
        Binary::Ge => zip(a, b, out, |a, b| truth(a >= b)),
        Binary::Gt => zip(a, b, out, |a, b| truth(a > b)),
        Binary::Le => zip(a, b, out, |a, b| truth(a <= b)),
        Binary::Lt => zip(a, b, out, |a, b| truth(a < b)),
    }
}

#[inline(always)]
fn with_scalar(f: Binary, x: &[f32], b: f32, out: &mut [f32]) {
    match f {
        Binary::Add => map(x, out, |a| a + b),
        Binary::Sub => map(x, out, |a| a - b),
        Binary::Mul => map(x, out, |a| a * b),
        Binary::Div => map(x, out, |a| a / b),
        Binary::Max => map(x, out, |a| larger(a, b)),
        Binary::Min => map(x, out, |a| smaller(a, b)),
        Binary::Pow => map(x, out, |a| a.powf(b)),
        Binary::Rem => map(x, out, |a| remainder(a, b)),
        Binary::And => map(x, out, |a| a * b),
        Binary::Or => map(x, out, |a| larger(a, b)),
        Binary::Eq => map(x, out, |a| truth(a == b)),
        Binary::Ne | Binary::Xor => map(x, out, |a| truth(a != b)),
        Binary::Ge => map(x, out, |a| truth(a >= b)),
        Binary::Gt => map(x, out, |a| truth(a > b)),
        Binary::Le => map(x, out, |a| truth(a <= b)),
        Binary::Lt => map(x, out, |a| truth(a < b)),
    }
}

/// NaN if either is.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a.is_nan() || a > b { a } else { b }
}

/// NaN if either is.
#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if a.is_nan() || a < b { a } else { b }
}

/// With the sign of b.
#[inline(always)]
fn remainder(a: f32, b: f32) -> f32 {
    let r = a % b;
    if r != 0.0 && (r < 0.0) != (b < 0.0) {
        r + b
    } else {
        r
    }
}
