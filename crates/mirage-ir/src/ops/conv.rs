//! Convolutions of one, two or three spatial dimensions.

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{
    OpError, Operation, Order, TensorType,
    interp::{
        Tensor, index,
        window::{Tap, Windows},
    },
    op_ensure,
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Conv>(), kind::<ConvTranspose>()];

/// `conv(x [N,C,spatial…], weight [O,C/groups,kernel…], bias [O]?)`: cross-correlation, zero padding
/// on both sides. The output keeps the order of x; the weight and the bias are row-major or
/// channels last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Steps of the kernel, one a spatial dimension.
    pub stride: Vec<usize>,
    /// Zeros added on each side, one a spatial dimension.
    pub padding: Vec<usize>,
    /// Distance of the kernel's elements, one a spatial dimension.
    pub dilation: Vec<usize>,
    /// Groups of channels that are convolved apart.
    pub groups: usize,
}

/// `conv_transpose(x [N,C,spatial…], weight [C,O/groups,kernel…], bias [O]?)`: the gradient of a
/// convolution with respect to its input. The output keeps the order of x.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvTranspose {
    /// Steps of the kernel on the output.
    pub stride: Vec<usize>,
    /// Elements cut from each side of the output.
    pub padding: Vec<usize>,
    /// Elements added to the far side of the output.
    pub output_padding: Vec<usize>,
    /// Distance of the kernel's elements.
    pub dilation: Vec<usize>,
    /// Groups of channels that are convolved apart.
    pub groups: usize,
}

/// x and weight, after the checks of their number, dtypes and ranks.
fn operands<'a>(inputs: &[&'a TensorType]) -> Result<(&'a TensorType, &'a TensorType), OpError> {
    rules::arity(inputs, 2..=3)?;
    rules::same_float(inputs)?;
    let (x, w) = (inputs[0], inputs[1]);
    op_ensure!(
        (3..=5).contains(&x.rank()),
        "x must have 1 to 3 spatial dimensions, got {x}"
    );
    rules::rank("weight", w, x.rank())?;
    Ok((x, w))
}

/// What both kinds check of x, weight and bias; `(in, out)` are the weight's dimensions 0 and 1 put
/// as channels of input and output. Gives the number of spatial dimensions.
fn common(
    inputs: &[&TensorType],
    groups: usize,
    weight_in: usize,
    out: usize,
) -> Result<usize, OpError> {
    let (x, w) = (inputs[0], inputs[1]);
    op_ensure!(
        groups > 0 && out.is_multiple_of(groups),
        "{groups} groups do not divide {out} output channels"
    );
    op_ensure!(
        x.shape[1] == weight_in,
        "x has {} channels, the weight {w} with {groups} groups takes {weight_in}",
        x.shape[1]
    );
    op_ensure!(
        x.is_row_major() || x.order == Order::channels_last(x.rank()),
        "x must be row-major or channels last, got {x}"
    );
    if let Some(bias) = inputs.get(2) {
        rules::shape("bias", bias, &[out])?;
    }
    Ok(x.rank() - 2)
}

impl Operation for Conv {
    const NAMES: &'static [&'static str] = &["conv"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        let (x, w) = operands(inputs)?;
        let spatial = common(
            inputs,
            self.groups,
            w.shape[1].saturating_mul(self.groups),
            w.shape[0],
        )?;
        rules::positive("stride", &self.stride, spatial)?;
        rules::positive("dilation", &self.dilation, spatial)?;
        op_ensure!(
            self.padding.len() == spatial,
            "padding must be {spatial} numbers"
        );
        rules::positive("kernel", &w.shape[2..], spatial)?;
        let mut shape = vec![x.shape[0], w.shape[0]];
        for i in 0..spatial {
            shape.push(rules::window(
                x.shape[2 + i],
                w.shape[2 + i],
                self.stride[i],
                self.padding[i],
                self.dilation[i],
                false,
            )?);
        }
        Ok(vec![TensorType {
            dtype: x.dtype,
            shape,
            order: x.order.clone(),
        }])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (x, w, out) = (inputs[0].floats()?, inputs[1].floats()?, &outputs[0].shape);
        let bias = inputs.get(2).map(|b| b.floats()).transpose()?;
        let windows = Windows {
            space: &inputs[0].shape()[2..],
            kernel: &inputs[1].shape()[2..],
            stride: &self.stride,
            padding: &self.padding,
            dilation: &self.dilation,
        };
        let taps = index::map(&out[2..], |place| windows.taps(place));
        // Channels of one group: of the input and of the output.
        let [ins, outs] = [inputs[1].shape()[1], out[1] / self.groups];
        let [x_size, w_size] = [windows.space, windows.kernel].map(|s| s.iter().product::<usize>());
        let values = index::map(&[out[0], out[1], taps.len()], |i| {
            let [n, o, place] = [i[0], i[1], i[2]];
            let products = (0..ins).flat_map(|c| {
                let in_x = (n * ins * self.groups + o / outs * ins + c) * x_size;
                let in_w = (o * ins + c) * w_size;
                taps[place]
                    .iter()
                    .map(move |t: &Tap| x[in_x + t.space] * w[in_w + t.kernel])
            });
            products.sum::<f64>() + bias.map_or(0.0, |b| b[o])
        });
        Ok(vec![Tensor::float(out.as_slice(), values)?])
    }

    fn flops(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        // Each output element: one multiply-add per element of its filter.
        let filter = inputs[1].shape[1..].iter().product();
        rules::operations(&[2, outputs[0].numel(), filter])
    }
}

impl Operation for ConvTranspose {
    const NAMES: &'static [&'static str] = &["conv_transpose"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        let (x, w) = operands(inputs)?;
        let out = w.shape[1].saturating_mul(self.groups);
        let spatial = common(inputs, self.groups, w.shape[0], out)?;
        op_ensure!(
            x.shape[1].is_multiple_of(self.groups),
            "{} groups do not divide {} input channels",
            self.groups,
            x.shape[1]
        );
        rules::positive("stride", &self.stride, spatial)?;
        rules::positive("dilation", &self.dilation, spatial)?;
        rules::positive("kernel", &w.shape[2..], spatial)?;
        op_ensure!(
            self.padding.len() == spatial && self.output_padding.len() == spatial,
            "padding and output_padding must be {spatial} numbers"
        );
        let mut shape = vec![x.shape[0], out];
        for i in 0..spatial {
            let reach = rules::length(self.dilation[i].checked_mul(w.shape[2 + i] - 1))? + 1;
            let steps = (x.shape[2 + i].max(1) - 1).checked_mul(self.stride[i]);
            let full = rules::length(steps)? + reach + rules::length(Some(self.output_padding[i]))?;
            let cut = rules::length(self.padding[i].checked_mul(2))?;
            op_ensure!(full > cut, "padding {:?} leaves no output", self.padding);
            shape.push(full - cut);
        }
        Ok(vec![TensorType {
            dtype: x.dtype,
            shape,
            order: x.order.clone(),
        }])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (x, w, out) = (inputs[0].floats()?, inputs[1].floats()?, &outputs[0].shape);
        // A place of the window on the output is an element of the input.
        let windows = Windows {
            space: &out[2..],
            kernel: &inputs[1].shape()[2..],
            stride: &self.stride,
            padding: &self.padding,
            dilation: &self.dilation,
        };
        let x_shape = inputs[0].shape();
        let taps = index::map(&x_shape[2..], |place| windows.taps(place));
        // Channels of one group: of the input and of the output.
        let [ins, outs] = [x_shape[1] / self.groups, inputs[1].shape()[1]];
        let [out_size, w_size] =
            [windows.space, windows.kernel].map(|s| s.iter().product::<usize>());
        let mut values = vec![0.0; outputs[0].numel()];
        for (i, &element) in x.iter().enumerate() {
            let [n, c, place] = [
                i / taps.len() / x_shape[1],
                i / taps.len() % x_shape[1],
                i % taps.len(),
            ];
            for o in 0..outs {
                let in_out = (n * out[1] + c / ins * outs + o) * out_size;
                let in_w = (c * outs + o) * w_size;
                for tap in &taps[place] {
                    values[in_out + tap.space] += element * w[in_w + tap.kernel];
                }
            }
        }
        if let Some(bias) = inputs.get(2) {
            let bias = bias.floats()?;
            values
                .iter_mut()
                .enumerate()
                .for_each(|(i, v)| *v += bias[i / out_size % out[1]]);
        }
        Ok(vec![Tensor::float(out.as_slice(), values)?])
    }

    fn flops(&self, inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        // Each input element: one multiply-add per element of its filter.
        let filter = inputs[1].shape[1..].iter().product();
        rules::operations(&[2, inputs[0].numel(), filter])
    }
}
