//! Composition of permutes.

use mirage_ir::{ValueId, ops::Permute};
use mirage_pass::rewrite::View;

/// Composes a chain of permutes: returns x and axes such that `permute(x, axes)` equals
/// `permute(value, axes)`, where x is not a permute.
pub(crate) fn unpermuted(
    view: &View,
    mut value: ValueId,
    mut axes: Vec<usize>,
) -> (ValueId, Vec<usize>) {
    while let Some((inner, &[x])) = view.made_by::<Permute>(value) {
        axes = axes.iter().map(|&a| inner.axes[a]).collect();
        value = x;
    }
    (value, axes)
}

/// Whether a permute by these axes leaves every dimension where it is.
pub(crate) fn is_identity(axes: &[usize]) -> bool {
    axes.iter().enumerate().all(|(to, &from)| to == from)
}
