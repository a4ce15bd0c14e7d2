//! Finds operations whose result is zero for channels of zeros.

use mirage_ir::{
    Op,
    ops::{
        AdaptiveAvgPool, AvgPool, BatchNorm, Binary, Cast, Flip, MaxPool, Pad, PadMode, Reorder,
        Resize, Slice, Unary, WithScalar,
    },
};

/// Padding of a value with zeros: the new value has `size` channels along `axis`.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Extra {
    pub(super) axis: usize,
    pub(super) own: usize,
    pub(super) size: usize,
}

/// Whether the operation can give zeros for channels of zeros, and mixes no channels.
pub(super) fn may_keep_zeros(op: &Op) -> bool {
    // These work on each channel alone, so zeros stay zeros.
    let anywhere = Extra {
        axis: usize::MAX,
        own: 0,
        size: 0,
    };
    let is_moved = op.is::<Slice>() || op.is::<Pad>() || op.is::<Flip>();
    is_moved || op.is::<Binary>() || op.is::<BatchNorm>() || kept(op, anywhere).is_some()
}

/// Returns the operation for an operand with more channels, if it gives zeros for them.
pub(super) fn kept(op: &Op, extra: Extra) -> Option<Op> {
    let Extra { axis, own, size } = extra;
    if let Some(slice) = op.get::<Slice>() {
        let whole = slice.start[axis] == 0 && slice.end[axis] == own && slice.step[axis] == 1;
        let mut wider = slice.clone();
        wider.end[axis] = size;
        return whole.then(|| wider.into());
    }
    let keeps = if let Some(f) = op.get::<Unary>() {
        zero_at_zero(*f)
    } else if let Some(f) = op.get::<WithScalar>() {
        zero_with(f.f, f.value.as_f64())
    } else if let Some(cast) = op.get::<Cast>() {
        cast.dtype.is_float()
    } else if let Some(pad) = op.get::<Pad>() {
        let zeros = pad.mode != PadMode::Constant || pad.value.is_none_or(|v| v.as_f64() == 0.0);
        zeros && pad.before[axis] == 0 && pad.after[axis] == 0
    } else if let Some(flip) = op.get::<Flip>() {
        !flip.dims.contains(&axis)
    } else {
        let by_channel = op.is::<MaxPool>()
            || op.is::<AvgPool>()
            || op.is::<AdaptiveAvgPool>()
            || op.is::<Resize>();
        op.is::<Reorder>() || (by_channel && (axis == 1 || axis == usize::MAX))
    };
    keeps.then(|| op.clone())
}

/// Whether f(0) = 0, in the operand's dtype.
fn zero_at_zero(f: Unary) -> bool {
    use Unary::*;
    matches!(
        f,
        Abs | Asin
            | Atan
            | Ceil
            | Erf
            | Floor
            | Gelu
            | GeluTanh
            | Log1p
            | Neg
            | Relu
            | Round
            | Sign
            | Silu
            | Sin
            | Sinh
            | Sqrt
            | Square
            | Tan
            | Tanh
            | Trunc
    )
}

/// Whether f(0, c) = 0, in the operand's dtype.
fn zero_with(f: Binary, c: f64) -> bool {
    match f {
        Binary::Mul => c.is_finite(),
        Binary::Div => c != 0.0 && !c.is_nan(),
        Binary::Add | Binary::Sub => c == 0.0,
        Binary::Max => c <= 0.0,
        Binary::Min => c >= 0.0,
        Binary::Pow => c > 0.0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use mirage_ir::{DType, Operation, TensorType, interp::Tensor};

    use super::*;

    /// Evaluates f on an element that is 0; `None` if the result is not a float.
    fn at_zero(op: &impl Operation) -> Option<f64> {
        let ty = TensorType::new(DType::F32, [1]);
        let out = op.infer(&[&ty]).ok()?;
        let zero = Tensor::zeros(&ty);
        let result = op.eval(&[&zero], &out).ok()?;
        result[0].floats().ok().map(|v| v[0])
    }

    #[test]
    fn functions_that_keep_zeros_are_those_with_a_zero_at_zero() {
        for f in Unary::ALL {
            assert_eq!(zero_at_zero(*f), at_zero(f) == Some(0.0), "{f:?}");
        }
    }

    #[test]
    fn functions_with_a_scalar_keep_zeros_by_what_they_give() {
        for &f in Binary::ALL {
            for c in [-2.0, -0.5, 0.0, 0.5, 1.0, f64::INFINITY, f64::NAN] {
                let gives = at_zero(&WithScalar::float(f, c)) == Some(0.0);
                // A remainder of 0 is 0 too, but is not needed.
                if f != Binary::Rem {
                    assert_eq!(zero_with(f, c), gives, "{f:?} with {c}");
                }
            }
        }
    }
}
