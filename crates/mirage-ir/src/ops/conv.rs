//! Convolutions of one, two or three spatial dimensions.

use serde::{Deserialize, Serialize};

use super::rules;
use crate::{OpError, Operation, Order, TensorType, op_ensure};

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

/// What both kinds check of x, weight and bias; `(in, out)` are the weight's dimensions 0 and 1 put
/// as channels of input and output. Gives the number of spatial dimensions.
fn common(
    inputs: &[&TensorType],
    groups: usize,
    weight_in: usize,
    out: usize,
) -> Result<usize, OpError> {
    let (x, w) = (inputs[0], inputs[1]);
    rules::same_float(inputs)?;
    op_ensure!((3..=5).contains(&x.rank()), "x must have 1 to 3 spatial dimensions, got {x}");
    op_ensure!(groups > 0 && out % groups == 0, "{groups} groups do not divide {out} output channels");
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
        rules::arity(inputs, 2..=3)?;
        let (x, w) = (inputs[0], inputs[1]);
        rules::rank("weight", w, x.rank())?;
        let spatial = common(inputs, self.groups, w.shape[1] * self.groups, w.shape[0])?;
        rules::positive("stride", &self.stride, spatial)?;
        rules::positive("dilation", &self.dilation, spatial)?;
        op_ensure!(self.padding.len() == spatial, "padding must be {spatial} numbers");
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
        Ok(vec![TensorType { dtype: x.dtype, shape, order: x.order.clone() }])
    }

    fn flops(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        // Each output element: one multiply-add per element of its filter.
        let filter: usize = inputs[1].shape[1..].iter().product();
        2 * (outputs[0].numel() * filter) as u64
    }
}

impl Operation for ConvTranspose {
    const NAMES: &'static [&'static str] = &["conv_transpose"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 2..=3)?;
        let (x, w) = (inputs[0], inputs[1]);
        rules::rank("weight", w, x.rank())?;
        let out = w.shape[1] * self.groups;
        let spatial = common(inputs, self.groups, w.shape[0], out)?;
        rules::positive("stride", &self.stride, spatial)?;
        rules::positive("dilation", &self.dilation, spatial)?;
        rules::positive("kernel", &w.shape[2..], spatial)?;
        op_ensure!(
            self.padding.len() == spatial && self.output_padding.len() == spatial,
            "padding and output_padding must be {spatial} numbers"
        );
        let mut shape = vec![x.shape[0], out];
        for i in 0..spatial {
            let reach = self.dilation[i] * (w.shape[2 + i] - 1) + 1;
            let full = (x.shape[2 + i].max(1) - 1) * self.stride[i] + reach + self.output_padding[i];
            op_ensure!(full > 2 * self.padding[i], "padding {:?} leaves no output", self.padding);
            shape.push(full - 2 * self.padding[i]);
        }
        Ok(vec![TensorType { dtype: x.dtype, shape, order: x.order.clone() }])
    }

    fn flops(&self, inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        // Each input element: one multiply-add per element of its filter.
        let filter: usize = inputs[1].shape[1..].iter().product();
        2 * (inputs[0].numel() * filter) as u64
    }
}
