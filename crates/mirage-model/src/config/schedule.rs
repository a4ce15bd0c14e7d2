//! Noise schedules.

use serde::{Deserialize, Serialize};

/// The forward process `x_t = sqrt(ᾱ_t)·x0 + sqrt(1 − ᾱ_t)·noise` for `t` in `0..train_timesteps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Number of timesteps that the network was trained on.
    pub train_timesteps: usize,
    /// How the betas change from the first timestep to the last.
    pub betas: BetaSchedule,
    /// First beta; unused by the cosine schedule.
    pub beta_start: f64,
    /// Last beta; unused by the cosine schedule.
    pub beta_end: f64,
    /// What the network predicts.
    pub prediction: Prediction,
}

/// How the betas change from the first timestep to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BetaSchedule {
    /// Linear from `beta_start` to `beta_end` (Ho et al. 2020).
    Linear,
    /// Their square roots are linear (Rombach et al. 2022).
    ScaledLinear,
    /// From a squared cosine of ᾱ with offset 0.008, no beta above 0.999 (Nichol and Dhariwal 2021).
    Cosine,
}

/// What a network predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Prediction {
    /// The clean frame x0 in [-1, 1].
    Sample,
}

impl Default for Schedule {
    /// 1000 timesteps, betas from 0.00085 to 0.012 with linear square roots (Rombach et al. 2022).
    fn default() -> Self {
        Self {
            train_timesteps: 1000,
            betas: BetaSchedule::ScaledLinear,
            beta_start: 0.00085,
            beta_end: 0.012,
            prediction: Prediction::Sample,
        }
    }
}

impl Schedule {
    /// `β_t` for every timestep.
    #[must_use]
    pub fn betas(&self) -> Vec<f64> {
        let count = self.train_timesteps;
        let position = |t: usize| t as f64 / (count.max(2) - 1) as f64;
        let between = |from: f64, to: f64, t: usize| from + (to - from) * position(t);
        match self.betas {
            BetaSchedule::Linear => (0..count)
                .map(|t| between(self.beta_start, self.beta_end, t))
                .collect(),
            BetaSchedule::ScaledLinear => (0..count)
                .map(|t| between(self.beta_start.sqrt(), self.beta_end.sqrt(), t).powi(2))
                .collect(),
            BetaSchedule::Cosine => {
                let alpha_bar = |t: usize| {
                    let u = (t as f64 / count as f64 + 0.008) / 1.008;
                    (u * std::f64::consts::FRAC_PI_2).cos().powi(2)
                };
                (0..count)
                    .map(|t| (1.0 - alpha_bar(t + 1) / alpha_bar(t)).min(0.999))
                    .collect()
            }
        }
    }

    /// Returns `ᾱ_t`, the product of `1 − β` up to and including timestep `t`, for every timestep; it falls from near 1 to 0.
    #[must_use]
    pub fn alphas_cumprod(&self) -> Vec<f64> {
        self.betas()
            .into_iter()
            .scan(1.0, |product, beta| {
                *product *= 1.0 - beta;
                Some(*product)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(betas: BetaSchedule) -> Schedule {
        Schedule {
            train_timesteps: 1000,
            betas,
            beta_start: 0.00085,
            beta_end: 0.012,
            prediction: Prediction::Sample,
        }
    }

    #[test]
    fn signal_falls_monotonically_for_every_kind() {
        for kind in [
            BetaSchedule::Linear,
            BetaSchedule::ScaledLinear,
            BetaSchedule::Cosine,
        ] {
            let alphas = schedule(kind).alphas_cumprod();
            assert_eq!(alphas.len(), 1000);
            assert!(
                alphas
                    .windows(2)
                    .all(|pair| pair[0] > pair[1] && pair[1] > 0.0),
                "{kind:?}"
            );
            assert!(
                alphas[0] > 0.99 && alphas[999] < 0.01,
                "{kind:?}: {} {}",
                alphas[0],
                alphas[999]
            );
        }
    }

    #[test]
    fn scaled_linear_matches_stable_diffusion() {
        // ᾱ at both ends as the published scheduler has them.
        let alphas = schedule(BetaSchedule::ScaledLinear).alphas_cumprod();
        assert!((alphas[0] - 0.99915).abs() < 1e-12);
        assert!(
            (alphas[999] - 0.004_660_099).abs() < 1e-6,
            "{}",
            alphas[999]
        );
    }
}
