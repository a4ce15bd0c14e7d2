//! Differences between a tensor and a reference.

use super::{Elements, Tensor};
use crate::{OpError, op_ensure};

/// The difference between a candidate and a reference. All fields are 0 for equal tensors, and infinite if
/// an element of one is NaN or infinite and the other's is not the same. A candidate of zeros has relative
/// differences of 1 from a reference that is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Difference {
    /// The largest absolute difference of two elements.
    pub max_abs: f64,
    /// `max_abs` divided by the reference's largest finite absolute value.
    pub max_rel: f64,
    /// The Euclidean norm of the difference divided by that of the reference.
    pub rel_l2: f64,
}

impl Tensor {
    /// Whether both have the same shape, class and elements. Floats are compared by their bits: 0 differs
    /// from −0, and a NaN equals the same NaN.
    pub fn same_bits(&self, other: &Tensor) -> bool {
        let elements = match (self.elements(), other.elements()) {
            (Elements::Float(a), Elements::Float(b)) => {
                let bits = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                bits(a) == bits(b)
            }
            (a, b) => a == b,
        };
        self.shape() == other.shape() && elements
    }
}

impl Difference {
    /// Compares two tensors of the same shape and class; integers and bools are compared as numbers.
    pub fn between(candidate: &Tensor, reference: &Tensor) -> Result<Self, OpError> {
        op_ensure!(
            candidate.shape() == reference.shape(),
            "the candidate's shape is {:?}, the reference's {:?}",
            candidate.shape(),
            reference.shape()
        );
        match (candidate.elements(), reference.elements()) {
            (Elements::Float(c), Elements::Float(r)) => {
                let scale = r.iter().copied().filter(|x| x.is_finite());
                Ok(summarize(
                    c.iter().zip(r).map(|(&c, &r)| distance(c, r)),
                    scale,
                ))
            }
            (Elements::Int(c), Elements::Int(r)) => {
                let distances = c
                    .iter()
                    .zip(r)
                    .map(|(&c, &r)| (i128::from(c) - i128::from(r)).abs() as f64);
                Ok(summarize(distances, r.iter().map(|&x| x as f64)))
            }
            (Elements::Bool(c), Elements::Bool(r)) => {
                let distances = c.iter().zip(r).map(|(c, r)| f64::from(u8::from(c != r)));
                Ok(summarize(
                    distances,
                    r.iter().map(|&x| f64::from(u8::from(x))),
                ))
            }
            (c, r) => Err(OpError::new(format!(
                "the candidate holds {}, the reference {}",
                c.class(),
                r.class()
            ))),
        }
    }

    /// Returns the larger of each number, to combine several tensors.
    pub fn max(self, other: Self) -> Self {
        Difference {
            max_abs: self.max_abs.max(other.max_abs),
            max_rel: self.max_rel.max(other.max_rel),
            rel_l2: self.rel_l2.max(other.rel_l2),
        }
    }
}

fn distance(candidate: f64, reference: f64) -> f64 {
    if candidate == reference || (candidate.is_nan() && reference.is_nan()) {
        return 0.0;
    }
    let d = (candidate - reference).abs();
    if d.is_finite() { d } else { f64::INFINITY }
}

fn summarize(
    distances: impl Iterator<Item = f64>,
    reference: impl Iterator<Item = f64>,
) -> Difference {
    let (mut max_abs, mut squares) = (0.0f64, 0.0);
    for d in distances {
        max_abs = max_abs.max(d);
        squares += d * d;
    }
    let (mut scale, mut norm) = (0.0f64, 0.0);
    for r in reference {
        scale = scale.max(r.abs());
        norm += r * r;
    }
    Difference {
        max_abs,
        max_rel: ratio(max_abs, scale),
        rel_l2: ratio(f64::sqrt(squares), f64::sqrt(norm)),
    }
}

/// `a / b` of numbers that are not negative; 0 if `a` is, whatever `b` is.
fn ratio(a: f64, b: f64) -> f64 {
    if a == 0.0 { 0.0 } else { a / b }
}
