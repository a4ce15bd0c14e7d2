//! The end of a product: partial sums added up, bias, residual and activation, in f32 until the
//! result is rounded once.

use cubecl::prelude::*;
use mirage_ir::regions::Activation;

/// Where the partial sums of a vector of the result lie; everything counts vectors.
#[derive(CubeLaunch, CubeType)]
pub(crate) struct Parts {
    /// Vectors in a row of the result, and of all of it.
    pub(crate) columns: u32,
    pub(crate) len: u32,
    /// Vectors in a row of a part, and in a part.
    pub(crate) pitch: u32,
    pub(crate) part: u32,
    pub(crate) parts: u32,
}

/// `activation(Σ partial + bias + residual)`; a unit for each vector of the result.
#[cube(launch_unchecked)]
pub(crate) fn finish<F: Float, N: Size>(
    partial: &[Vector<f32, N>],
    bias: ComptimeOption<&[Vector<F, N>]>,
    residual: ComptimeOption<&[Vector<F, N>]>,
    out: &mut [Vector<F, N>],
    parts: Parts,
    #[comptime] activation: Activation,
    #[define(F)] _dtype: ElemType,
) {
    let at = ABSOLUTE_POS as u32;
    if at < parts.len {
        let row = at / parts.columns;
        let column = at % parts.columns;
        let mut place = row * parts.pitch + column;
        let mut sum = Vector::<f32, N>::new(0.0);
        for _ in 0..parts.parts {
            sum += partial[place as usize];
            place += parts.part;
        }
        #[comptime]
        match bias {
            ComptimeOption::Some(bias) => sum += Vector::<f32, N>::cast_from(bias[column as usize]),
            ComptimeOption::None => {}
        }
        #[comptime]
        match residual {
            ComptimeOption::Some(residual) => {
                sum += Vector::<f32, N>::cast_from(residual[at as usize])
            }
            ComptimeOption::None => {}
        }
        out[at as usize] = Vector::<F, N>::cast_from(activate::<N>(sum, activation));
    }
}

/// The activation of f32 elements.
#[cube]
pub(crate) fn activate<N: Size>(
    x: Vector<f32, N>,
    #[comptime] activation: Activation,
) -> Vector<f32, N> {
    let one = Vector::<f32, N>::new(1.0);
    match comptime!(activation) {
        Activation::None => x,
        Activation::Gelu => {
            let half = Vector::<f32, N>::new(0.5);
            half * x * (one + (x * Vector::<f32, N>::new(0.707_106_77)).erf())
        }
        Activation::GeluTanh => {
            let half = Vector::<f32, N>::new(0.5);
            let cubic = one + Vector::<f32, N>::new(0.044_715) * x * x;
            half * x * (one + (Vector::<f32, N>::new(0.797_884_6) * x * cubic).tanh())
        }
        Activation::Relu => x.max(Vector::<f32, N>::new(0.0)),
        Activation::Sigmoid => one / (one + (-x).exp()),
        Activation::Silu => x / (one + (-x).exp()),
        Activation::Tanh => x.tanh(),
    }
}
