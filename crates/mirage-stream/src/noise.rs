//! The noise that frames start from.

use rand::{Rng, SeedableRng, rngs::StdRng};

/// Which noise each frame gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoisePolicy {
    /// The same in every frame, so that what does not move in the input does not flicker in the
    /// output.
    #[default]
    Fixed,
    /// Another one in every frame.
    Fresh,
}

/// Standard normal noise, the same for the same seed on every machine.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    seed: u64,
    policy: NoisePolicy,
}

impl Noise {
    /// The noise of a seed.
    pub fn new(seed: u64, policy: NoisePolicy) -> Self {
        Noise { seed, policy }
    }

    /// Whether every frame's noise is that of frame 0.
    pub fn is_fixed(&self) -> bool {
        self.policy == NoisePolicy::Fixed
    }

    /// Writes the noise of a frame, numbered from 0.
    pub fn fill(&self, index: u64, noise: &mut [f32]) {
        let index = if self.is_fixed() { 0 } else { index };
        // Frames of one seed must not share streams with frames of the next seed.
        let mut rng = StdRng::seed_from_u64(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ index);
        for pair in noise.chunks_mut(2) {
            // Box and Muller 1958. The functions of libm give the same bits everywhere; those of std are
            // the system's.
            let radius = libm::sqrt(-2.0 * libm::log(1.0 - rng.random::<f64>()));
            let (sin, cos) = libm::sincos(std::f64::consts::TAU * rng.random::<f64>());
            let values = [(radius * cos) as f32, (radius * sin) as f32];
            pair.copy_from_slice(&values[..pair.len()]);
        }
    }

    /// As [`Self::fill`], `len` elements in a new vector.
    pub fn frame(&self, index: u64, len: usize) -> Vec<f32> {
        let mut noise = vec![0.0; len];
        self.fill(index, &mut noise);
        noise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITS: [u32; 4] = [1_022_094_534, 3_214_685_409, 3_219_019_112, 3_208_497_791];

    #[test]
    fn is_standard_normal_and_repeats() {
        const LEN: usize = 100_001;
        let noise = Noise::new(7, NoisePolicy::Fresh);
        let a = noise.frame(3, LEN);
        assert_eq!(a, noise.frame(3, LEN));
        assert_eq!(a[..10], noise.frame(3, 10));
        assert_ne!(a, noise.frame(4, LEN));
        assert_ne!(a, Noise::new(8, NoisePolicy::Fresh).frame(3, LEN));
        let mean = a.iter().map(|&x| f64::from(x)).sum::<f64>() / a.len() as f64;
        let variance = a.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / a.len() as f64;
        let within = a.iter().filter(|x| x.abs() < 1.0).count() as f64 / a.len() as f64;
        assert!(
            mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02,
            "{mean} {variance}"
        );
        assert!((within - 0.6827).abs() < 0.01, "{within}");
    }

    #[test]
    fn fixed_noise_is_the_same_in_every_frame() {
        let noise = Noise::new(7, NoisePolicy::Fixed);
        assert_eq!(noise.frame(0, 16), noise.frame(99, 16));
    }

    #[test]
    fn bits_are_those_of_every_machine() {
        let bits = |x: f32| x.to_bits();
        let noise = Noise::new(7, NoisePolicy::Fixed).frame(0, 4);
        assert_eq!(noise.into_iter().map(bits).collect::<Vec<_>>(), BITS);
    }
}
