//! Resampling of pictures.

use serde::{Deserialize, Serialize};

use super::rules;
use crate::{OpError, Operation, TensorType, op_ensure};

/// `resize(x [N,C,H,W])` to another height and width. The output keeps the order of x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Height and width of the output.
    pub size: [usize; 2],
    /// How an output element is made of input elements.
    pub mode: ResizeMode,
    /// Whether the centres of the corner elements stay in place: input = output·(n−1)/(m−1).
    /// Otherwise the edges do (half-pixel centres): input = (output + ½)·n/m − ½. Without effect on
    /// the nearest modes.
    pub align_corners: bool,
}

/// How resampling makes an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeMode {
    /// The element at ⌊output·n/m⌋.
    Nearest,
    /// The element at ⌊(output + ½)·n/m⌋.
    NearestExact,
    /// Linear in both directions; the border element is repeated.
    Bilinear,
    /// Cubic convolution with a = −0.75 in both directions; the border element is repeated.
    Bicubic,
}

impl Operation for Resize {
    const NAMES: &'static [&'static str] = &["resize"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        rules::same_float(inputs)?;
        let x = inputs[0];
        rules::rank("x", x, 4)?;
        rules::positive("size", &self.size, 2)?;
        op_ensure!(x.shape[2] > 0 && x.shape[3] > 0, "{x} is empty");
        let mut out = x.clone();
        out.shape[2..].copy_from_slice(&self.size);
        Ok(vec![out])
    }

    fn flops(&self, _inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        let taps = match self.mode {
            ResizeMode::Nearest | ResizeMode::NearestExact => 0,
            ResizeMode::Bilinear => 8,
            ResizeMode::Bicubic => 32,
        };
        taps * outputs[0].numel() as u64
    }
}
