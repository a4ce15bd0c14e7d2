//! Convolutions and the operations after them in a region.

use burn_tch::LibTorch;
use mirage_burn::{Align, Kernel};
use mirage_ir::{
    Node, Op,
    ops::{Conv, GroupNorm},
    regions::{Activation, ConvAct, ConvNormAct, KnownRegion},
};
use tch::TchError;

use super::{Cx, Operands, activation::activate, kernel, norm::Norm};

/// A convolution with a residual or a norm, and an activation.
struct Fused {
    op: Conv,
    bias: bool,
    residual: bool,
    norm: Option<GroupNorm>,
    activation: Activation,
}

/// Whether a node's second operand is the weight of a convolution.
pub(super) fn is_convolution(node: &Node) -> bool {
    fused(&node.op, node.inputs.len()).is_some()
}

fn fused(op: &Op, operands: usize) -> Option<Fused> {
    if let Some(product) = ConvAct::of(op, operands) {
        return Some(Fused {
            op: product.op,
            bias: product.bias,
            residual: product.residual,
            norm: None,
            activation: product.activation,
        });
    }
    let region = ConvNormAct::of_region(op)?;
    Some(Fused {
        op: region.op,
        bias: region.bias,
        residual: false,
        norm: Some(region.norm),
        activation: region.activation,
    })
}

pub(super) fn lower(cx: &Cx<'_>) -> Option<Kernel<LibTorch>> {
    let fused = fused(&cx.node.op, cx.inputs.len())?;
    let call = Call::of(&fused.op, cx);
    let bias = fused.bias.then_some(2);
    let last = cx.inputs.len() - 1;
    let residual = fused.residual.then(|| (last, cx.logical(last)));
    let norm = fused.norm.map(|op| (Norm::of_groups(op), last));
    let activation = fused.activation;
    Some(kernel(cx.physical(), move |args| {
        let mut y = call.run(args, bias)?;
        if let Some((i, align)) = &residual {
            y = y.f_add_(&args.seen(*i, align))?;
        }
        if let Some((norm, beta)) = &norm {
            y = norm.run(&y, Some(&args.plain(beta - 1)), Some(&args.plain(*beta)))?;
        }
        activate(y, activation)
    }))
}

/// Returns the padding for libtorch, and the zeros to add around x before.
///
/// If an output element covers only padding, oneDNN in libtorch 2.9.0 reads invalid memory (in
/// `brgemm_convolution_fwd_t::perform_outwork`); then all padding is added to x.
fn padding(op: &Conv, kernel: &[usize]) -> (Vec<i64>, Vec<i64>) {
    let sides = op.padding.iter().zip(kernel).zip(&op.dilation);
    let mut sees_nothing = sides.map(|((&p, &k), &d)| p > d * k.saturating_sub(1));
    match sees_nothing.any(|nothing| nothing) {
        false => (op.padding.iter().map(|&p| p as i64).collect(), Vec::new()),
        true => {
            let both = op.padding.iter().rev().flat_map(|&p| [p as i64; 2]);
            (vec![0; op.padding.len()], both.collect())
        }
    }
}

/// A call of a convolution.
struct Call {
    x: Align,
    weight: Align,
    stride: Vec<i64>,
    padding: Vec<i64>,
    /// Zeros to add around x before the call, last dimension first, for each side.
    around: Vec<i64>,
    dilation: Vec<i64>,
    groups: i64,
}

impl Call {
    fn of(op: &Conv, cx: &Cx<'_>) -> Self {
        let numbers = |list: &[usize]| list.iter().map(|&n| n as i64).collect();
        let (padding, around) = padding(op, &cx.inputs[1].shape[2..]);
        Call {
            x: cx.logical(0),
            weight: cx.logical(1),
            stride: numbers(&op.stride),
            padding,
            around,
            dilation: numbers(&op.dilation),
            groups: op.groups as i64,
        }
    }

    fn run(
        &self,
        args: &mut Operands<'_, '_>,
        bias: Option<usize>,
    ) -> Result<tch::Tensor, TchError> {
        let (mut x, weight) = (args.seen(0, &self.x), args.seen(1, &self.weight));
        if !self.around.is_empty() {
            x = x.f_constant_pad_nd(&self.around)?;
        }
        let bias = bias.map(|i| args.plain(i));
        let (stride, padding, dilation) = (&self.stride, &self.padding, &self.dilation);
        match stride.len() {
            1 => x.f_conv1d(&weight, bias, stride, padding, dilation, self.groups),
            2 => x.f_conv2d(&weight, bias, stride, padding, dilation, self.groups),
            _ => x.f_conv3d(&weight, bias, stride, padding, dilation, self.groups),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use mirage_ir::{Order, TensorType};
    use tch::{Device, Kind, Tensor};

    use super::*;

    /// libtorch's channels-last format: the channels of a pixel are contiguous.
    fn is_channels_last(x: &Tensor) -> bool {
        let [_, c, h, w] = x.size4().map(<[i64; 4]>::from).unwrap();
        x.stride() == [h * w * c, 1, w * c, c]
    }

    #[test]
    fn channels_last_reaches_libtorch_and_comes_back_without_a_copy() {
        let held = |shape: [i64; 4]| Tensor::rand(shape, (Kind::Float, Device::Cpu));
        let order = Order::channels_last(4);
        let ty = |text: &str| {
            text.parse::<TensorType>()
                .unwrap()
                .with_order(order.clone())
        };
        let seen = |x: &Tensor, ty: &TensorType| {
            let x =
                mirage_burn::Tensor::<LibTorch>::Float(burn_tch::TchTensor::new(x.shallow_clone()));
            Align::to_logical(ty).view(x).into_float().tensor
        };
        // Physical shapes: [N,H,W,C] and [O,H,W,I].
        let x = seen(&held([1, 10, 12, 8]), &ty("f32[1,8,10,12]"));
        let weight = seen(&held([16, 3, 3, 8]), &ty("f32[16,8,3,3]"));
        assert!(is_channels_last(&x) && is_channels_last(&weight));
        let y = x.conv2d(&weight, None::<&Tensor>, [1, 1], [1, 1], [1, 1], 1);
        assert!(is_channels_last(&y));
        let at = y.data_ptr();
        let y = mirage_burn::Tensor::<LibTorch>::Float(burn_tch::TchTensor::new(y));
        let back = Align::from_logical(&ty("f32[1,16,10,12]"))
            .lay_out(y)
            .into_float()
            .tensor;
        assert_eq!(back.size(), [1, 10, 12, 16]);
        assert_eq!(back.data_ptr(), at);
    }
}
