//! Activations, in place on the result of a kernel or on an operand without other owners.

use burn_tch::{LibTorch, TchTensor};
use mirage_burn::{Kernel, Tensor, TypedArgs};
use mirage_ir::{ops::Unary, regions::Activation};
use tch::TchError;

use super::{Cx, words};

/// Applies the activation to a tensor without other owners.
pub(super) fn activate(
    mut x: tch::Tensor,
    activation: Activation,
) -> Result<tch::Tensor, TchError> {
    match activation {
        Activation::None => Ok(x),
        Activation::Gelu => x.f_gelu_("none"),
        Activation::GeluTanh => x.f_gelu_("tanh"),
        Activation::Relu => x.f_relu_(),
        Activation::Sigmoid => x.f_sigmoid_(),
        Activation::Silu => x.f_silu_(),
        Activation::Tanh => x.f_tanh_(),
    }
}

/// Applies the activation to a tensor that may have other owners.
pub(super) fn activated(x: &tch::Tensor, activation: Activation) -> Result<tch::Tensor, TchError> {
    match activation {
        Activation::None => Ok(x.shallow_clone()),
        Activation::Gelu => x.f_gelu("none"),
        Activation::GeluTanh => x.f_gelu("tanh"),
        Activation::Relu => x.f_relu(),
        Activation::Sigmoid => x.f_sigmoid(),
        Activation::Silu => x.f_silu(),
        Activation::Tanh => x.f_tanh(),
    }
}

/// Functions that are one call in libtorch but not in the generic kernels.
pub(super) fn lower(cx: &Cx<'_>) -> Option<Kernel<LibTorch>> {
    let f = *cx.node.op.get::<Unary>()?;
    let activation = Activation::of(f).filter(|_| cx.inputs[0].dtype.is_float())?;
    Some(Box::new(move |args| {
        let x = args.float(0);
        let y = match x.can_mut() {
            true => {
                let storage = x.storage;
                activate(x.tensor, activation).map(|y| TchTensor { tensor: y, storage })
            }
            false => activated(&x.tensor, activation).map(TchTensor::new),
        };
        args.set(0, Tensor::Float(y.map_err(words)?));
        Ok(())
    }))
}
