//! The error of a frame against a reference.

mod ssim;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The differences of a frame from a reference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameError {
    /// The largest difference of two values, in the frame's unit.
    pub max_abs: f64,
    /// The norm of the differences by the norm of the reference, both Euclidean; `None` if the
    /// reference is all zero and the frame is not.
    pub relative_l2: Option<f64>,
    /// Peak signal-to-noise ratio over all values, dB; `None` if the frames are equal, where it is
    /// infinite.
    pub psnr_db: Option<f64>,
    /// Structural similarity, the mean over planes: 1 for equal frames, around 0 for unrelated ones;
    /// `None` if the window of 11×11 does not fit.
    pub ssim: Option<f64>,
}

/// Frames that cannot be compared.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FrameErrorFault {
    /// The number of values is not that of the shape.
    #[error("the {which} has {found} values, but its shape {shape:?} has {expected}")]
    Length {
        /// `frame` or `reference`.
        which: &'static str,
        /// Values that there are.
        found: usize,
        /// Values that there must be.
        expected: usize,
        /// The shape.
        shape: [usize; 4],
    },
    /// A value that is not a number, or infinite.
    #[error(
        "the {which} has {count} values that are NaN or infinite, the first at index {first}; a pass that lowers precision may overflow: keep these nodes in f32"
    )]
    NotFinite {
        /// `frame` or `reference`.
        which: &'static str,
        /// How many.
        count: usize,
        /// The first one's place, row-major.
        first: usize,
    },
    /// A range without extent.
    #[error("the range of values must be a positive number, got {range}")]
    Range {
        /// The range.
        range: f64,
    },
}

impl FrameError {
    /// Computes the error of a frame in NCHW, row-major. `range` is the difference of the largest and the
    /// smallest value that a frame can have: 2 for frames in [-1, 1].
    pub fn of(
        frame: &[f32],
        reference: &[f32],
        shape: [usize; 4],
        range: f64,
    ) -> Result<Self, FrameErrorFault> {
        check("frame", frame, shape)?;
        check("reference", reference, shape)?;
        if !range.is_finite() || range <= 0.0 {
            return Err(FrameErrorFault::Range { range });
        }
        let differences = || {
            frame
                .iter()
                .zip(reference)
                .map(|(&a, &b)| f64::from(a) - f64::from(b))
        };
        let max_abs = differences().map(f64::abs).fold(0.0, f64::max);
        let squares: f64 = differences().map(|d| d * d).sum();
        let norm: f64 = reference.iter().map(|&v| f64::from(v).powi(2)).sum();
        let relative_l2 = match (squares == 0.0, norm == 0.0) {
            (true, _) => Some(0.0),
            (false, true) => None,
            (false, false) => Some((squares / norm).sqrt()),
        };
        let mean_square = squares / frame.len().max(1) as f64;
        let psnr_db = (squares > 0.0).then(|| 10.0 * (range * range / mean_square).log10());
        Ok(FrameError {
            max_abs,
            relative_l2,
            psnr_db,
            ssim: ssim::mean(frame, reference, shape, range),
        })
    }
}

fn check(which: &'static str, values: &[f32], shape: [usize; 4]) -> Result<(), FrameErrorFault> {
    let expected = shape.iter().product();
    if values.len() != expected {
        return Err(FrameErrorFault::Length {
            which,
            found: values.len(),
            expected,
            shape,
        });
    }
    let mut wrong = values.iter().enumerate().filter(|(_, v)| !v.is_finite());
    match wrong.next() {
        Some((first, _)) => Err(FrameErrorFault::NotFinite {
            which,
            count: 1 + wrong.count(),
            first,
        }),
        None => Ok(()),
    }
}
