//! A program, step by step, in the registers of each unit.

use cubecl::prelude::*;
use half::{bf16, f16};
use mirage_ir::{
    ops::{Binary, Unary},
    regions::Activation,
};
use mirage_runtime::elementwise::{Program, Step};

use crate::kernels::product::finish::activate;

/// How an operand's elements belong to the result's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// One for one.
    Whole,
    /// The innermost dimension's, again and again.
    Innermost,
    /// There is one for all.
    One,
}

/// A unit for each vector of the result. Operand i has the element type of its letter.
#[cube(launch_unchecked)]
pub(crate) fn run<A: Float, B: Float, C: Float, D: Float, R: Float, N: Size>(
    a: &[Vector<A, N>],
    b: ComptimeOption<&[Vector<B, N>]>,
    c: ComptimeOption<&[Vector<C, N>]>,
    d: ComptimeOption<&[Vector<D, N>]>,
    out: &mut [Vector<R, N>],
    innermost: u32,
    len: u32,
    #[comptime] reach: [Reach; 4],
    #[comptime] program: Program,
    #[define(A, B, C, D, R)] _dtypes: [ElemType; 5],
) {
    let at = ABSOLUTE_POS as u32;
    if at < len {
        let mut registers = Sequence::<Vector<f32, N>>::new();
        registers.push(Vector::<f32, N>::cast_from(
            a[place(at, innermost, comptime!(reach[0]))],
        ));
        #[comptime]
        match b {
            ComptimeOption::Some(b) => registers.push(Vector::<f32, N>::cast_from(
                b[place(at, innermost, comptime!(reach[1]))],
            )),
            ComptimeOption::None => {}
        }
        #[comptime]
        match c {
            ComptimeOption::Some(c) => registers.push(Vector::<f32, N>::cast_from(
                c[place(at, innermost, comptime!(reach[2]))],
            )),
            ComptimeOption::None => {}
        }
        #[comptime]
        match d {
            ComptimeOption::Some(d) => registers.push(Vector::<f32, N>::cast_from(
                d[place(at, innermost, comptime!(reach[3]))],
            )),
            ComptimeOption::None => {}
        }
        #[unroll]
        for i in 0..comptime!(program.steps.len()) {
            let value = step::<N>(&registers, comptime!(program.steps[i]));
            registers.push(value);
        }
        let last = *registers.index(comptime!(program.operands + program.steps.len() - 1));
        out[at as usize] = Vector::<R, N>::cast_from(last);
    }
}

#[cube]
fn place(at: u32, innermost: u32, #[comptime] reach: Reach) -> usize {
    match comptime!(reach) {
        Reach::Whole => at as usize,
        Reach::Innermost => (at % innermost) as usize,
        Reach::One => 0usize,
    }
}

#[cube]
fn step<N: Size>(registers: &Sequence<Vector<f32, N>>, #[comptime] step: Step) -> Vector<f32, N> {
    match comptime!(step) {
        Step::Unary(f, a) => unary::<N>(*registers.index(comptime!(a)), comptime!(f)),
        Step::Binary(f, a, b) => binary::<N>(
            *registers.index(comptime!(a)),
            *registers.index(comptime!(b)),
            comptime!(f),
        ),
        Step::WithScalar(f, a, number) => binary::<N>(
            *registers.index(comptime!(a)),
            Vector::<f32, N>::new(comptime!(number.get()).runtime()),
            comptime!(f),
        ),
        Step::Select(condition, a, b) => select_many(
            registers
                .index(comptime!(condition))
                .not_equal(&Vector::<f32, N>::new(0.0)),
            *registers.index(comptime!(a)),
            *registers.index(comptime!(b)),
        ),
        Step::ToBool(a) => truth::<N>(
            registers
                .index(comptime!(a))
                .not_equal(&Vector::<f32, N>::new(0.0)),
        ),
        Step::ToF16(a) => {
            Vector::<f32, N>::cast_from(Vector::<f16, N>::cast_from(*registers.index(comptime!(a))))
        }
        Step::ToBf16(a) => Vector::<f32, N>::cast_from(Vector::<bf16, N>::cast_from(
            *registers.index(comptime!(a)),
        )),
        // No program that reaches the kernel rounds to bytes.
        Step::Copy(a) | Step::ToByte(a) => *registers.index(comptime!(a)),
    }
}

#[cube]
fn truth<N: Size>(condition: Vector<bool, N>) -> Vector<f32, N> {
    select_many(
        condition,
        Vector::<f32, N>::new(1.0),
        Vector::<f32, N>::new(0.0),
    )
}

#[cube]
fn unary<N: Size>(x: Vector<f32, N>, #[comptime] f: Unary) -> Vector<f32, N> {
    let one = Vector::<f32, N>::new(1.0);
    match comptime!(f) {
        Unary::Abs => x.abs(),
        Unary::Acos => x.acos(),
        Unary::Asin => x.asin(),
        Unary::Atan => x.atan(),
        Unary::Ceil => x.ceil(),
        Unary::Cos => x.cos(),
        Unary::Cosh => x.cosh(),
        Unary::Erf => x.erf(),
        Unary::Exp => x.exp(),
        Unary::Floor => x.floor(),
        Unary::Gelu => activate::<N>(x, Activation::Gelu),
        Unary::GeluTanh => activate::<N>(x, Activation::GeluTanh),
        Unary::Log => x.ln(),
        Unary::Log1p => x.log1p(),
        Unary::Neg => -x,
        Unary::Not => one - x,
        Unary::Recip => one / x,
        Unary::Relu => activate::<N>(x, Activation::Relu),
        Unary::Round => x.round(),
        Unary::Rsqrt => one / x.sqrt(),
        Unary::Sigmoid => activate::<N>(x, Activation::Sigmoid),
        Unary::Silu => activate::<N>(x, Activation::Silu),
        Unary::Sin => x.sin(),
        Unary::Sinh => x.sinh(),
        Unary::Sqrt => x.sqrt(),
        Unary::Square => x * x,
        Unary::Tan => x.tan(),
        Unary::Tanh => x.tanh(),
        Unary::Trunc => x.trunc(),
        // A program has none of these.
        Unary::IsInf | Unary::IsNan | Unary::Sign => x,
    }
}

#[cube]
fn binary<N: Size>(a: Vector<f32, N>, b: Vector<f32, N>, #[comptime] f: Binary) -> Vector<f32, N> {
    match comptime!(f) {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul | Binary::And => a * b,
        Binary::Div => a / b,
        Binary::Max => kept(a, b, a.greater_than(&b)),
        Binary::Min => kept(a, b, a.less_than(&b)),
        Binary::Pow => a.powf(b),
        Binary::Or => a.max(b),
        Binary::Eq => truth::<N>(a.equal(&b)),
        Binary::Ne | Binary::Xor => truth::<N>(a.not_equal(&b)),
        Binary::Ge => truth::<N>(a.greater_equal(&b)),
        Binary::Gt => truth::<N>(a.greater_than(&b)),
        Binary::Le => truth::<N>(a.less_equal(&b)),
        Binary::Lt => truth::<N>(a.less_than(&b)),
        // A program has none.
        Binary::Rem => a,
    }
}

/// a where `wins` holds or a is NaN, else b: so NaN if either is.
#[cube]
fn kept<N: Size>(a: Vector<f32, N>, b: Vector<f32, N>, wins: Vector<bool, N>) -> Vector<f32, N> {
    select_many(a.not_equal(&a), a, select_many(wins, a, b))
}
