//! Selection of the processor's vector extensions at run time.

use std::sync::LazyLock;

use pulp::{Arch, Simd, WithSimd};

static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Runs `op` compiled for the widest vectors of this processor. Functions that it calls must be
/// `inline(always)`.
pub(crate) fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
    ARCH.dispatch(op)
}

/// The vector sizes of micro-kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Floats in a vector.
    pub(crate) lanes: usize,
    /// Vectors in a row of a weight panel: with six rows of accumulators, they fill the
    /// registers.
    pub(crate) vectors: usize,
}

impl Geometry {
    /// Returns those of this processor.
    pub(crate) fn here() -> Self {
        static HERE: LazyLock<Geometry> = LazyLock::new(|| dispatch(Measure));
        *HERE
    }

    /// Returns the number of columns of a panel.
    pub(crate) fn width(self) -> usize {
        self.lanes * self.vectors
    }
}

struct Measure;

impl WithSimd for Measure {
    type Output = Geometry;

    fn with_simd<S: Simd>(self, _simd: S) -> Geometry {
        Geometry {
            lanes: S::F32_LANES,
            vectors: if S::REGISTER_COUNT >= 32 { 4 } else { 2 },
        }
    }
}
