//! The processor's vectors, found at run time.

use std::sync::LazyLock;

use pulp::{Arch, Simd, WithSimd};

static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Runs `op` compiled for the widest vectors that this processor has. What it calls must be
/// `inline(always)` to be compiled so.
pub(crate) fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
    ARCH.dispatch(op)
}

/// Vectors as the micro-kernels use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Floats in a vector.
    pub(crate) lanes: usize,
    /// Vectors side by side in a panel of weights: with six rows of accumulators, as many as the
    /// registers hold.
    pub(crate) vectors: usize,
}

impl Geometry {
    /// This processor's.
    pub(crate) fn here() -> Self {
        static HERE: LazyLock<Geometry> = LazyLock::new(|| dispatch(Measure));
        *HERE
    }

    /// Columns of a whole panel.
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
