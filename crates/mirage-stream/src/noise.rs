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
#[derive(Clone, Debug)]
pub struct Noise {
    seed: u64,
    policy: NoisePolicy,
    len: usize,
}

impl Noise {
    /// Noise of `len` elements a frame.
    pub fn new(seed: u64, policy: NoisePolicy, len: usize) -> Self {
        Noise { seed, policy, len }
    }

    /// Whether every frame's noise is that of frame 0.
    pub fn is_fixed(&self) -> bool {
        self.policy == NoisePolicy::Fixed
    }

    /// The noise of a frame, numbered from 0.
    pub fn frame(&self, index: u64) -> Vec<f32> {
        let index = if self.is_fixed() { 0 } else { index };
        // Frames of one seed must not share streams with frames of the next seed.
        let mut rng = StdRng::seed_from_u64(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ index);
        let mut noise = Vec::with_capacity(self.len + 1);
        while noise.len() < self.len {
            // Box and Muller 1958.
            let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
            let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
            noise.extend([(radius * cos) as f32, (radius * sin) as f32]);
        }
        noise.truncate(self.len);
        noise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_standard_normal_and_repeats() {
        let noise = Noise::new(7, NoisePolicy::Fresh, 100_001);
        let a = noise.frame(3);
        assert_eq!(a, noise.frame(3));
        assert_ne!(a, noise.frame(4));
        assert_ne!(a, Noise::new(8, NoisePolicy::Fresh, 100_001).frame(3));
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
        let noise = Noise::new(7, NoisePolicy::Fixed, 16);
        assert_eq!(noise.frame(0), noise.frame(99));
    }
}
