//! Activations on slices.

use mirage_ir::regions::Activation;

use super::math;

/// Replaces every element by its activation.
#[inline(always)]
pub(crate) fn activate(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::None => {}
        Activation::Gelu => map(values, math::gelu),
        Activation::GeluTanh => map(values, math::gelu_tanh),
        Activation::Relu => map(values, math::relu),
        Activation::Sigmoid => map(values, math::sigmoid),
        Activation::Silu => map(values, math::silu),
        Activation::Tanh => map(values, math::tanh),
    }
}

#[inline(always)]
fn map(values: &mut [f32], f: impl Fn(f32) -> f32) {
    for x in values {
        *x = f(*x);
    }
}
