//! Pooling over spatial dimensions. Outputs keep the order of x.

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{
    OpError, Operation, TensorType,
    interp::{Tensor, index, window},
    op_ensure,
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[
    kind::<AdaptiveAvgPool>(),
    kind::<AvgPool>(),
    kind::<MaxPool>(),
];

/// `max_pool(x [N,C,spatial…])`: the largest element of each window; padding does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPool {
    /// Window sizes, one a spatial dimension.
    pub kernel: Vec<usize>,
    /// Steps, one a spatial dimension.
    pub stride: Vec<usize>,
    /// Elements on each side, one a spatial dimension.
    pub padding: Vec<usize>,
    /// Distance of the window's elements, one a spatial dimension.
    pub dilation: Vec<usize>,
    /// Whether the last window may extend past the end.
    pub ceil_mode: bool,
}

/// `avg_pool(x [N,C,spatial…])`: the mean of each window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvgPool {
    /// Window sizes, one a spatial dimension.
    pub kernel: Vec<usize>,
    /// Steps, one a spatial dimension.
    pub stride: Vec<usize>,
    /// Zeros on each side, one a spatial dimension.
    pub padding: Vec<usize>,
    /// Whether padding counts in the mean's divisor. Elements past the end of the padding never count.
    pub count_include_pad: bool,
    /// Whether the last window may extend past the end.
    pub ceil_mode: bool,
}

/// `adaptive_avg_pool(x [N,C,spatial…])`: output i is the mean of ⌊i·n/m⌋..⌈(i+1)·n/m⌉ of n inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveAvgPool {
    /// The spatial shape of the output.
    pub size: Vec<usize>,
}

struct Windows<'a> {
    kernel: &'a [usize],
    stride: &'a [usize],
    padding: &'a [usize],
    dilation: &'a [usize],
    ceil: bool,
}

fn infer(inputs: &[&TensorType], w: Windows) -> Result<Vec<TensorType>, OpError> {
    rules::arity(inputs, 1..=1)?;
    rules::same_float(inputs)?;
    let x = inputs[0];
    op_ensure!(
        (3..=5).contains(&x.rank()),
        "x must have 1 to 3 spatial dimensions, got {x}"
    );
    let n = x.rank() - 2;
    rules::positive("kernel", w.kernel, n)?;
    rules::positive("stride", w.stride, n)?;
    rules::positive("dilation", w.dilation, n)?;
    op_ensure!(
        w.padding.len() == n
            && w.padding
                .iter()
                .zip(w.kernel)
                .all(|(p, k)| p.saturating_mul(2) <= *k),
        "padding {:?} is more than half of the kernel {:?}",
        w.padding,
        w.kernel
    );
    let mut out = x.clone();
    for i in 0..n {
        out.shape[2 + i] = rules::window(
            x.shape[2 + i],
            w.kernel[i],
            w.stride[i],
            w.padding[i],
            w.dilation[i],
            w.ceil,
        )?;
    }
    Ok(vec![out])
}

impl Operation for MaxPool {
    const NAMES: &'static [&'static str] = &["max_pool"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        let MaxPool {
            kernel,
            stride,
            padding,
            dilation,
            ceil_mode,
        } = self;
        infer(
            inputs,
            Windows {
                kernel,
                stride,
                padding,
                dilation,
                ceil: *ceil_mode,
            },
        )
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let MaxPool {
            kernel,
            stride,
            padding,
            dilation,
            ..
        } = self;
        let windows = window::Windows {
            space: &inputs[0].shape()[2..],
            kernel,
            stride,
            padding,
            dilation,
        };
        let x = inputs[0].floats()?;
        pooled(inputs[0], &outputs[0].shape, |plane, place| {
            windows
                .taps(place)
                .iter()
                .map(|t| x[plane + t.space])
                .fold(f64::NEG_INFINITY, super::binary::max)
        })
    }

    fn flops(&self, _inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        self.kernel.iter().fold(outputs[0].numel() as u64, |n, &k| {
            n.saturating_mul(k as u64)
        })
    }
}

impl Operation for AvgPool {
    const NAMES: &'static [&'static str] = &["avg_pool"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        let dilation = vec![1; self.kernel.len()];
        let AvgPool {
            kernel,
            stride,
            padding,
            ceil_mode,
            ..
        } = self;
        infer(
            inputs,
            Windows {
                kernel,
                stride,
                padding,
                dilation: &dilation,
                ceil: *ceil_mode,
            },
        )
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let AvgPool {
            kernel,
            stride,
            padding,
            ..
        } = self;
        let dilation = &vec![1; kernel.len()];
        let windows = window::Windows {
            space: &inputs[0].shape()[2..],
            kernel,
            stride,
            padding,
            dilation,
        };
        let x = inputs[0].floats()?;
        pooled(inputs[0], &outputs[0].shape, |plane, place| {
            let taps = windows.taps(place);
            let count = if self.count_include_pad {
                windows.padded_size(place)
            } else {
                taps.len()
            };
            taps.iter().map(|t| x[plane + t.space]).sum::<f64>() / count as f64
        })
    }

    fn flops(&self, _inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        self.kernel.iter().fold(outputs[0].numel() as u64, |n, &k| {
            n.saturating_mul(k as u64)
        })
    }
}

impl Operation for AdaptiveAvgPool {
    const NAMES: &'static [&'static str] = &["adaptive_avg_pool"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        rules::same_float(inputs)?;
        let x = inputs[0];
        op_ensure!(
            (3..=5).contains(&x.rank()),
            "x must have 1 to 3 spatial dimensions, got {x}"
        );
        rules::positive("size", &self.size, x.rank() - 2)?;
        op_ensure!(x.shape[2..].iter().all(|&d| d > 0), "{x} is empty");
        let mut out = x.clone();
        out.shape[2..].copy_from_slice(&self.size);
        Ok(vec![out])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (x, space, size) = (inputs[0].floats()?, &inputs[0].shape()[2..], &self.size);
        let strides = index::strides(space);
        pooled(inputs[0], &outputs[0].shape, |plane, place| {
            let start: Vec<usize> = (0..size.len())
                .map(|d| place[d] * space[d] / size[d])
                .collect();
            let shape: Vec<usize> = (0..size.len())
                .map(|d| ((place[d] + 1) * space[d]).div_ceil(size[d]) - start[d])
                .collect();
            let first = plane + index::offset(&start, &strides);
            let elements = index::map(&shape, |i| x[first + index::offset(i, &strides)]);
            elements.iter().sum::<f64>() / elements.len() as f64
        })
    }

    fn flops(&self, inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        inputs[0].numel() as u64
    }
}

/// Computes a tensor of shape `out` by calling `f` for each position of each plane (sample and channel),
/// with the plane's offset in x.
fn pooled(
    x: &Tensor,
    out: &[usize],
    f: impl Fn(usize, &[usize]) -> f64,
) -> Result<Vec<Tensor>, OpError> {
    let plane: usize = x.shape()[2..].iter().product();
    let values = index::map(out, |i| f((i[0] * out[1] + i[1]) * plane, &i[2..]));
    Ok(vec![Tensor::float(out, values)?])
}
