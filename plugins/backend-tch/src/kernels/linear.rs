//! Linear layers, the operations after them in a region, and a norm before them.

use burn_tch::LibTorch;
use mirage_burn::{Align, Kernel};
use mirage_ir::regions::{KnownRegion, LayerNormLinear, LinearAct};
use tch::TchError;

use super::{Cx, Operands, activation::activate, kernel, norm::Norm};

pub(super) fn lower(cx: &Cx<'_>) -> Option<Kernel<LibTorch>> {
    if let Some(op) = LayerNormLinear::of_region(&cx.node.op) {
        return Some(normed(cx, &op));
    }
    let fused = LinearAct::of(&cx.node.op, cx.inputs.len())?;
    let call = Call::of(cx, 1, fused.bias.then_some(2));
    let x = cx.logical(0);
    let residual = fused.residual.then(|| cx.inputs.len() - 1);
    let residual = residual.map(|i| (i, cx.logical(i)));
    let activation = fused.activation;
    Some(kernel(cx.physical(), move |args| {
        let x = args.seen(0, &x);
        let mut y = call.run(&x, args)?;
        if let Some((i, align)) = &residual {
            y = y.f_add_(&args.seen(*i, align))?;
        }
        activate(y, activation)
    }))
}

fn normed(cx: &Cx<'_>, op: &LayerNormLinear) -> Kernel<LibTorch> {
    let beta = op.beta.then_some(2);
    let weight = 2 + usize::from(op.beta);
    let call = Call::of(cx, weight, op.bias.then_some(weight + 1));
    let norm = Norm::of_layer(op.norm, &cx.inputs[0]);
    let (x, activation) = (cx.logical(0), op.activation);
    kernel(cx.physical(), move |args| {
        let x = args.seen(0, &x);
        let (gamma, beta) = (args.plain(1), beta.map(|i| args.plain(i)));
        let x = norm.run(&x, Some(&gamma), beta.as_ref())?;
        activate(call.run(&x, args)?, activation)
    })
}

/// Multiplies by a weight `[in,out]` and adds the bias in the same call.
struct Call {
    weight: usize,
    align: Align,
    bias: Option<usize>,
    /// Reshapes x to a matrix.
    rows: [i64; 2],
    /// Returns the result's logical shape.
    shape: Vec<i64>,
}

impl Call {
    fn of(cx: &Cx<'_>, weight: usize, bias: Option<usize>) -> Self {
        let inside = cx.inputs[weight].shape[0];
        Call {
            weight,
            align: cx.logical(weight),
            bias,
            rows: [(cx.inputs[0].numel() / inside.max(1)) as i64, inside as i64],
            shape: cx.outputs[0].shape.iter().map(|&n| n as i64).collect(),
        }
    }

    fn run(&self, x: &tch::Tensor, args: &mut Operands<'_, '_>) -> Result<tch::Tensor, TchError> {
        let x = x.f_reshape(self.rows)?;
        let weight = args.seen(self.weight, &self.align);
        let y = match self.bias {
            Some(bias) => args.plain(bias).f_addmm(&x, &weight)?,
            None => x.f_mm(&weight)?,
        };
        y.f_view(&self.shape[..])
    }
}
