//! A scale and a shift of each channel, and an activation, in both memory orders.

use mirage_ir::regions::Activation;
use pulp::{Simd, WithSimd};

use super::activation::activate;

/// (x − mean)·scale + beta of a channel. Multiplying out would lose precision for a large mean.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) mean: f32,
    pub(crate) scale: f32,
    pub(crate) beta: f32,
}

impl Line {
    #[inline(always)]
    fn of(&self, x: f32) -> f32 {
        (x - self.mean) * self.scale + self.beta
    }
}

/// Computes contiguous elements of one channel; in place if there is no `x`.
pub(crate) struct Plane<'a> {
    pub(crate) x: Option<&'a [f32]>,
    pub(crate) line: Line,
    pub(crate) activation: Activation,
    pub(crate) out: &'a mut [f32],
}

impl WithSimd for Plane<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        // A part at a time, so that it is in the cache for the activation.
        for (j, out) in self.out.chunks_mut(1024).enumerate() {
            if let Some(x) = self.x {
                out.copy_from_slice(&x[j * 1024..][..out.len()]);
            }
            for x in out.iter_mut() {
                *x = self.line.of(*x);
            }
            activate(self.activation, out);
        }
    }
}

/// Computes positions with channels innermost; in place if there is no `x`.
pub(crate) struct Interleaved<'a> {
    pub(crate) x: Option<&'a [f32]>,
    /// A mean, a scale and a shift for each channel.
    pub(crate) means: &'a [f32],
    pub(crate) scales: &'a [f32],
    pub(crate) betas: &'a [f32],
    pub(crate) activation: Activation,
    pub(crate) out: &'a mut [f32],
}

impl WithSimd for Interleaved<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let channels = self.means.len();
        let part = (1024 / channels).max(1) * channels;
        for (j, out) in self.out.chunks_mut(part).enumerate() {
            if let Some(x) = self.x {
                out.copy_from_slice(&x[j * part..][..out.len()]);
            }
            for row in out.chunks_exact_mut(channels) {
                let lines = self.means.iter().zip(self.scales).zip(self.betas);
                for (x, ((mean, scale), beta)) in row.iter_mut().zip(lines) {
                    *x = (*x - mean) * scale + beta;
                }
            }
            activate(self.activation, out);
        }
    }
}
