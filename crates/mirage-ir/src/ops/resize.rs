//! Resampling of images and feature maps.

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{
    OpError, Operation, TensorType,
    interp::{Tensor, index},
    op_ensure,
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<GridSample>(), kind::<Resize>()];

/// `resize(x [N,C,H,W])` to another height and width. The output keeps the order of x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Height and width of the output.
    pub size: [usize; 2],
    /// The interpolation.
    pub mode: ResizeMode,
    /// Whether the centres of the corner elements are aligned: input = output·(n−1)/(m−1), and 0 if m is 1.
    /// Otherwise the edges are (half-pixel centres): input = (output + ½)·n/m − ½. No effect on the nearest
    /// modes.
    pub align_corners: bool,
}

/// The interpolation of `resize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeMode {
    /// The element at ⌊output·n/m⌋, in exact arithmetic.
    ///
    /// Engines compute ⌊output·(n/m)⌋ from a rounded n/m, burn-flex in f64 and libtorch in f32. For a few
    /// sizes they take the element before: from 30 to 22, output 11 is element 15 here and 14 in burn-flex.
    /// [`Resize::differs_from_rounded`] returns these outputs; capture warns about them.
    Nearest,
    /// The element at ⌊(output + ½)·n/m⌋, in exact arithmetic. Engines may differ as for `Nearest`.
    NearestExact,
    /// Linear in both directions; the border element is repeated.
    Bilinear,
    /// Cubic convolution with a = −0.75 in both directions; the border element is repeated.
    Bicubic,
}

/// `grid_sample(x [N,C,H,W], grid [N,h,w,2])` → `[N,C,h,w]`: samples x at the coordinates in the grid, for
/// example to warp a frame along an optical flow. The output keeps the order of x.
///
/// An element of the grid is (column, row), where −1 and 1 are the edges of x. In half precision,
/// coordinates and sums are computed in a wider dtype. The result for a coordinate that is not finite is
/// undefined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridSample {
    /// The interpolation.
    pub mode: SampleMode,
    /// The elements outside of x.
    pub padding: SamplePadding,
    /// Whether −1 and 1 are the centres of the corner elements: input = (grid + 1)·(n−1)/2. Otherwise they are
    /// the edges: input = (grid + 1)·n/2 − ½.
    pub align_corners: bool,
}

/// The interpolation of `grid_sample`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleMode {
    /// Linear in both directions.
    Bilinear,
    /// The nearest element, the even one of two.
    Nearest,
}

/// The elements outside of the sampled tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplePadding {
    /// The nearest element of the border.
    Border,
    /// The tensor mirrored repeatedly: at the centres of the corner elements with `align_corners`, else at
    /// their edges.
    Reflection,
    /// Zeros.
    Zeros,
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
    /// Returns the input elements of one dimension, and their weights, for output element `o` of `m` from
    /// `n` inputs.
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

    /// Returns the outputs of one dimension, of `m` from `n`, for which an engine that rounds n/m to f64, such
    /// as burn-flex, takes the input element before. Empty for modes that are not nearest.
    pub fn differs_from_rounded(&self, n: usize, m: usize) -> Vec<usize> {
        let shift = match self.mode {
            ResizeMode::Nearest => 0.0,
            ResizeMode::NearestExact => 0.5,
            ResizeMode::Bilinear | ResizeMode::Bicubic => return Vec::new(),
        };
        let rounded = |o: usize| ((o as f64 + shift) * (n as f64 / m as f64)).floor() as usize;
        let differs = |o: &usize| self.taps(*o, n, m)[0].0 != rounded(*o).min(n - 1);
        (0..m).filter(differs).collect()
    }

    /// Returns the position of output element `o` of `m` among `n` input elements: the element before it and
    /// the distance from that.
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

impl Operation for GridSample {
    const NAMES: &'static [&'static str] = &["grid_sample"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 2..=2)?;
        rules::same_float(inputs)?;
        let (x, grid) = (inputs[0], inputs[1]);
        rules::rank("x", x, 4)?;
        rules::rank("grid", grid, 4)?;
        op_ensure!(x.shape[2] > 0 && x.shape[3] > 0, "{x} is empty");
        rules::shape("grid", grid, &[x.shape[0], grid.shape[1], grid.shape[2], 2])?;
        let mut out = x.clone();
        out.shape[2..].copy_from_slice(&grid.shape[1..3]);
        Ok(vec![out])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (x, shape, out) = (inputs[0].floats()?, inputs[0].shape(), &outputs[0].shape);
        let grid = inputs[1].floats()?;
        let values = index::map(out, |i| {
            let place = 2 * ((i[0] * out[2] + i[2]) * out[3] + i[3]);
            let columns = self.taps(grid[place], shape[3]);
            let rows = self.taps(grid[place + 1], shape[2]);
            let plane = (i[0] * out[1] + i[1]) * shape[2] * shape[3];
            let row = |y: usize| -> f64 {
                columns
                    .iter()
                    .map(|&(column, w)| w * x[plane + y * shape[3] + column])
                    .sum()
            };
            rows.iter().map(|&(y, w)| w * row(y)).sum()
        });
        Ok(vec![Tensor::float(out.as_slice(), values)?])
    }

    fn flops(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        let taps = match self.mode {
            SampleMode::Bilinear => 8,
            SampleMode::Nearest => 0,
        };
        // Each coordinate is scaled once, for all channels.
        rules::operations(&[taps, outputs[0].numel()])
            .saturating_add(rules::operations(&[2, inputs[1].numel()]))
    }
}

impl GridSample {
    /// Returns the input elements of one dimension of `n`, and their weights, for a coordinate of the grid.
    fn taps(&self, coordinate: f64, n: usize) -> Vec<(usize, f64)> {
        let at = self.place(coordinate, n as f64);
        let (weights, first) = match self.mode {
            SampleMode::Bilinear => (vec![1.0 - (at - at.floor()), at - at.floor()], at.floor()),
            SampleMode::Nearest => (vec![1.0], at.round_ties_even()),
        };
        let last = n as f64 - 1.0;
        weights
            .into_iter()
            .zip([first, first + 1.0])
            .filter(|(_, i)| self.padding != SamplePadding::Zeros || (0.0..=last).contains(i))
            .map(|(w, i)| (i.clamp(0.0, last) as usize, w))
            .collect()
    }

    /// Returns the position of a coordinate of the grid among `n` elements: inside, or at most half an element
    /// outside, unless the outside is zeros.
    fn place(&self, coordinate: f64, n: f64) -> f64 {
        let (at, low, high) = if self.align_corners {
            ((coordinate + 1.0) * (n - 1.0) / 2.0, 0.0, n - 1.0)
        } else {
            ((coordinate + 1.0) * n / 2.0 - 0.5, -0.5, n - 0.5)
        };
        match self.padding {
            SamplePadding::Zeros => at,
            SamplePadding::Border => at.clamp(0.0, n - 1.0),
            // A single element mirrors to itself.
            SamplePadding::Reflection if high <= low => low,
            SamplePadding::Reflection => {
                let span = high - low;
                span - ((at - low).rem_euclid(2.0 * span) - span).abs() + low
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_places_differ_from_rounded_ones_at_few_sizes() {
        let resize = |mode| Resize {
            size: [1, 1],
            mode,
            align_corners: false,
        };
        let nearest = resize(ResizeMode::Nearest);
        assert_eq!(nearest.differs_from_rounded(30, 22), [11]);
        assert_eq!(nearest.taps(11, 30, 22), [(15, 1.0)]);
        assert!(!nearest.differs_from_rounded(122, 14).is_empty());
        for (n, m) in [(32, 64), (64, 32), (48, 16), (7, 5), (360, 720)] {
            assert!(nearest.differs_from_rounded(n, m).is_empty(), "{n} to {m}");
        }
        let bilinear = resize(ResizeMode::Bilinear);
        assert!(bilinear.differs_from_rounded(30, 22).is_empty());
    }
}
