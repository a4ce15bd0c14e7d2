//! Resampling of pictures.

use serde::{Deserialize, Serialize};

use super::rules;
use crate::{
    OpError, Operation, TensorType,
    interp::{Tensor, index},
    op_ensure,
};

/// `resize(x [N,C,H,W])` to another height and width. The output keeps the order of x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Height and width of the output.
    pub size: [usize; 2],
    /// How an output element is made of input elements.
    pub mode: ResizeMode,
    /// Whether the centres of the corner elements stay in place: input = output·(n−1)/(m−1), and 0
    /// where m is 1.
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

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (x, shape, out) = (inputs[0].floats()?, inputs[0].shape(), &outputs[0].shape);
        let [rows, columns] = [0, 1].map(|d| {
            (0..self.size[d])
                .map(|o| self.taps(o, shape[2 + d], self.size[d]))
                .collect::<Vec<_>>()
        });
        let values = index::map(out, |i| {
            let plane = (i[0] * out[1] + i[1]) * shape[2] * shape[3];
            let row = |y: usize| -> f64 {
                columns[i[3]]
                    .iter()
                    .map(|&(column, w)| w * x[plane + y * shape[3] + column])
                    .sum()
            };
            rows[i[2]].iter().map(|&(y, w)| w * row(y)).sum()
        });
        Ok(vec![Tensor::float(out.as_slice(), values)?])
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

impl Resize {
    /// The input elements of one dimension, and their weights, that make output element `o` of `m`
    /// from `n`.
    pub fn taps(&self, o: usize, n: usize, m: usize) -> Vec<(usize, f64)> {
        let (weights, first) = match self.mode {
            ResizeMode::Nearest => return vec![(o * n / m, 1.0)],
            ResizeMode::NearestExact => return vec![((2 * o + 1) * n / (2 * m), 1.0)],
            ResizeMode::Bilinear => {
                let (floor, t) = self.source(o, n, m);
                (vec![1.0 - t, t], floor)
            }
            ResizeMode::Bicubic => {
                let (floor, t) = self.source(o, n, m);
                (
                    [1.0 + t, t, 1.0 - t, 2.0 - t].map(cubic).to_vec(),
                    floor - 1,
                )
            }
        };
        let last = n as i64 - 1;
        weights
            .into_iter()
            .zip(first..)
            .map(|(w, i)| (i.clamp(0, last) as usize, w))
            .collect()
    }

    /// Where output element `o` of `m` lies among `n` input elements: the one before it and how far
    /// behind that it is.
    fn source(&self, o: usize, n: usize, m: usize) -> (i64, f64) {
        let (o, n, m) = (o as f64, n as f64, m as f64);
        let at = match (self.align_corners, m > 1.0) {
            (true, true) => o * (n - 1.0) / (m - 1.0),
            (true, false) => 0.0,
            (false, _) => (o + 0.5) * n / m - 0.5,
        };
        (at.floor() as i64, at - at.floor())
    }
}

/// The weight of cubic convolution at this distance, 0 to 2.
fn cubic(distance: f64) -> f64 {
    const A: f64 = -0.75;
    let x = distance;
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    }
}
