//! DDIM (Song et al. 2021, "Denoising Diffusion Implicit Models"), towards a frame.

use mirage_model::Schedule;

use crate::StreamError;

/// The maximum number of denoising steps per frame.
pub const MAX_STEPS: usize = 50;

/// How a frame is sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerConfig {
    /// Denoising steps per frame, 1 to [`MAX_STEPS`].
    pub steps: usize,
    /// 0: no noise between steps (DDIM); 1: as much as the forward process has (DDPM).
    pub eta: f64,
    /// How much of the frame is noised before denoising, above 0 to 1: 1 starts from (nearly) pure
    /// noise, small values keep close to the frame.
    pub strength: f64,
}

impl Default for SamplerConfig {
    fn default() -> Self {
        SamplerConfig {
            steps: 2,
            eta: 0.0,
            strength: 0.6,
        }
    }
}

/// One step: x' = `keep`·x + `clean`·x0 + `noise`·n, with x0 the model's prediction at `timestep`
/// and n fresh noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerStep {
    /// The timestep of x, in `0..train_timesteps`.
    pub timestep: usize,
    /// The factor on x.
    pub keep: f64,
    /// The factor on the predicted clean picture.
    pub clean: f64,
    /// The factor on fresh noise; 0 without `eta` and at the last step.
    pub noise: f64,
}

/// The steps of a frame, and how its first sample is made: `signal`·frame + `noise`·n.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// The factor on the frame in the first sample.
    pub signal: f64,
    /// The factor on noise in the first sample.
    pub noise: f64,
    /// The steps, from the noisiest timestep down.
    pub steps: Vec<SamplerStep>,
}

impl Trajectory {
    /// The trajectory for a model's schedule.
    ///
    /// Timesteps run evenly from `strength`·T − 1 down towards 0. With ᾱ of a step and ᾱ' of the next
    /// (1 after the last), σ² = η²·(1−ᾱ')/(1−ᾱ)·(1−ᾱ/ᾱ') and
    /// x' = √ᾱ'·x0 + √(1−ᾱ'−σ²)·(x − √ᾱ·x0)/√(1−ᾱ) + σ·n.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn plan(schedule: &Schedule, config: &SamplerConfig) -> Result<Self, StreamError> {
        config.check(schedule.train_timesteps)?;
        let alphas = schedule.alphas_cumprod();
        let start = (config.strength * alphas.len() as f64).round().max(1.0);
        let timestep = |i: usize| {
            let t = start * (config.steps - i) as f64 / config.steps as f64;
            (t.round() as usize).clamp(1, alphas.len()) - 1
        };
        let steps = (0..config.steps)
            .map(|i| {
                let t = timestep(i);
                let next = if i + 1 < config.steps {
                    alphas[timestep(i + 1)]
                } else {
                    1.0
                };
                SamplerStep::between(t, alphas[t], next, config.eta)
            })
            .collect();
        let first = alphas[timestep(0)];
        Ok(Trajectory {
            signal: first.sqrt(),
            noise: (1.0 - first).sqrt(),
            steps,
        })
    }

    /// Noise pictures that a frame takes: one for the first sample and one for each step with noise.
    pub fn draws(&self) -> usize {
        1 + self.steps.iter().filter(|s| s.noise > 0.0).count()
    }
}

impl SamplerStep {
    fn between(timestep: usize, alpha: f64, next: f64, eta: f64) -> Self {
        let variance = eta * eta * (1.0 - next) / (1.0 - alpha) * (1.0 - alpha / next);
        let keep = ((1.0 - next - variance).max(0.0) / (1.0 - alpha)).sqrt();
        SamplerStep {
            timestep,
            keep,
            clean: next.sqrt() - keep * alpha.sqrt(),
            noise: variance.max(0.0).sqrt(),
        }
    }
}

impl SamplerConfig {
    fn check(&self, train_timesteps: usize) -> Result<(), StreamError> {
        let most = MAX_STEPS.min(train_timesteps);
        if self.steps == 0 || self.steps > most {
            return Err(StreamError::Setting(format!(
                "steps must be 1 to {most}, got {}",
                self.steps
            )));
        }
        if !(0.0..=1.0).contains(&self.eta) {
            return Err(StreamError::Setting(format!(
                "eta must be 0 to 1, got {}",
                self.eta
            )));
        }
        if !(self.strength > 0.0 && self.strength <= 1.0) {
            return Err(StreamError::Setting(format!(
                "strength must be above 0 and at most 1, got {}",
                self.strength
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mirage_model::{BetaSchedule, Prediction};

    use super::*;

    fn schedule() -> Schedule {
        Schedule {
            train_timesteps: 1000,
            betas: BetaSchedule::ScaledLinear,
            beta_start: 0.00085,
            beta_end: 0.012,
            prediction: Prediction::Sample,
        }
    }

    fn plan(steps: usize, eta: f64, strength: f64) -> Trajectory {
        Trajectory::plan(
            &schedule(),
            &SamplerConfig {
                steps,
                eta,
                strength,
            },
        )
        .unwrap()
    }

    /// With a perfect model every step lands on the forward process: x' = √ᾱ'·x0 + √(1−ᾱ')·ε.
    #[test]
    fn a_perfect_model_stays_on_the_forward_process() {
        let alphas = schedule().alphas_cumprod();
        let (x0, eps) = (0.37, -1.2);
        for (steps, strength) in [(1, 1.0), (4, 0.6), (50, 1.0)] {
            let trajectory = plan(steps, 0.0, strength);
            let mut x = trajectory.signal * x0 + trajectory.noise * eps;
            for step in &trajectory.steps {
                let a = alphas[step.timestep];
                assert!((x - (a.sqrt() * x0 + (1.0 - a).sqrt() * eps)).abs() < 1e-9);
                x = step.keep * x + step.clean * x0;
            }
            assert!(
                (x - x0).abs() < 1e-9,
                "{steps} steps end at the clean picture"
            );
        }
    }

    /// With η the noise's variance is kept: factors on independent unit noise square-sum to 1 − ᾱ'.
    #[test]
    fn eta_keeps_the_variance_of_the_forward_process() {
        let alphas = schedule().alphas_cumprod();
        for eta in [0.3, 1.0] {
            let trajectory = plan(10, eta, 1.0);
            assert_eq!(
                trajectory.draws(),
                10,
                "one first sample, nine steps with noise"
            );
            for pair in trajectory.steps.windows(2) {
                let (a, next) = (alphas[pair[0].timestep], alphas[pair[1].timestep]);
                let kept = pair[0].keep * (1.0 - a).sqrt();
                assert!((kept.powi(2) + pair[0].noise.powi(2) - (1.0 - next)).abs() < 1e-9);
            }
            assert_eq!(trajectory.steps[9].noise, 0.0);
        }
    }

    #[test]
    fn timesteps_fall_from_strength_to_the_last() {
        let t: Vec<usize> = plan(4, 0.0, 0.5).steps.iter().map(|s| s.timestep).collect();
        assert_eq!(t, [499, 374, 249, 124]);
        assert_eq!(plan(1, 0.0, 1.0).steps[0].timestep, 999);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for (steps, eta, strength, word) in [
            (0, 0.0, 0.5, "steps"),
            (51, 0.0, 0.5, "steps"),
            (1, 1.5, 0.5, "eta"),
            (1, 0.0, 0.0, "strength"),
            (1, f64::NAN, 0.5, "eta"),
        ] {
            let error = Trajectory::plan(
                &schedule(),
                &SamplerConfig {
                    steps,
                    eta,
                    strength,
                },
            )
            .unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
