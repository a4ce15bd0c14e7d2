//! Masks and biases of attention scores.

use mirage_ir::TensorType;

use mirage_runtime::planned::View;

/// Returns the strides of a broadcast row-major operand: 0 along repeated dimensions.
pub(super) fn steps(ty: &TensorType) -> [usize; 4] {
    let (strides, repeats) = (ty.strides(), broadcast(ty));
    std::array::from_fn(|d| if repeats[d] { 0 } else { strides[d] })
}

/// The dimensions along which an operand is repeated.
pub(super) fn broadcast(ty: &TensorType) -> [bool; 4] {
    std::array::from_fn(|d| ty.shape[d] == 1)
}

/// The mask and the bias.
#[derive(Clone, Copy)]
pub(super) struct Extra<'a> {
    pub(super) mask: Option<(&'a [u8], [usize; 4])>,
    pub(super) bias: Option<(View<'a>, [bool; 4])>,
}

impl Extra<'_> {
    /// Applies mask and bias to the scores of one query with the keys from `first` on.
    #[inline(always)]
    pub(super) fn apply(&self, [batch, head, query]: [usize; 3], first: usize, scores: &mut [f32]) {
        if let Some((bias, repeats)) = self.bias {
            let step = |d: usize| if repeats[d] { 0 } else { bias.strides[d] };
            let row = bias.start + batch * step(0) + head * step(1) + query * step(2);
            for (n, score) in scores.iter_mut().enumerate() {
                *score += bias.elements[row + (first + n) * step(3)];
            }
        }
        if let Some((mask, steps)) = self.mask {
            let row = batch * steps[0] + head * steps[1] + query * steps[2];
            for (n, score) in scores.iter_mut().enumerate() {
                if mask[row + (first + n) * steps[3]] != 0 {
                    *score = f32::NEG_INFINITY;
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.mask.is_none() && self.bias.is_none()
    }
}
