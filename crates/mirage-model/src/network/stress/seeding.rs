//! Seeded weights of an untrained [`StressNetwork`], chosen so that the frame stays visible in the output.
//!
//! At full resolution, three pairs of channels carry the frame through enc1, the skip into dec1, dec1, output, and
//! the temporal stage. Before SiLU, the channels of a pair are p and −p for p = 2·(colour − 1/2), and the next convolution
//! computes the difference: silu(p) − silu(−p) = p. So the frame is not distorted, and its values are near zero, where a
//! low dtype is precise. The last block has only three channels: there, a carrier is 5 + 4·(colour − 1/2),
//! where SiLU is nearly the identity. The other channels are random. The statistics of their batch norms keep the variance
//! stable with depth, and they change the carriers slightly in each layer.
//!
//! The first convolution of each of the three stages that read a frame smooths it by a binomial 3×3 kernel, which removes
//! most of the sampler's noise.

use super::StressNetwork;
use crate::seed::{Distribution, Gaussian, ParameterSite, Seeding, standard};

/// Number of colours of a frame.
const COLOURS: usize = 3;
/// Number of carriers: first those of p, one for each colour, then those of −p.
const CARRIERS: usize = 2 * COLOURS;
/// Change of p from colour 0 to colour 1.
const SWING: f32 = 2.0;
/// A carrier of the last block for the colour 1/2: the argument of SiLU, and its value.
const CENTRE: f32 = 5.0;
const CENTRE_SILU: f32 = 4.966_536;
/// Change of such a carrier from colour 0 to colour 1.
const CENTRED_SWING: f32 = 4.0;
/// SiLU's slope at the centre, which is divided out.
const SLOPE: f32 = 1.026;
/// Weight of the previous frame in the temporal stage.
const PREVIOUS: f32 = 0.3;
/// Weights from random channels to carriers, relative to those among random channels.
const TEXTURE: f32 = 0.06;
/// Running variance and deviation of beta of random channels: the variance v after a layer, E[silu(√v·z)²]/0.6 + 0.3, has
/// a stable point near 0.7.
const VARIANCE: f32 = 0.6;
const BETA: f32 = 0.55;
/// Binomial kernel of a smoothing convolution.
const BINOMIAL: [f32; 3] = [0.25, 0.5, 0.25];

impl Seeding for StressNetwork {
    fn distribution(site: &ParameterSite<'_>) -> Distribution {
        match (Place::of(site.path), site.path.rsplit('.').next()) {
            (Place::Carrying(source), Some("weight")) => carrying_weight(source, site.shape),
            (Place::CarryingNorm(source), Some(field)) => carrying_norm(source, field),
            (Place::Norm, Some(field)) => random_norm(field),
            (Place::Output, _) => output(site.shape),
            (Place::BranchEnd, Some("weight")) => branch_end(site),
            (Place::Carrying(_), _) => {
                let plain = standard(site);
                Box::new(move |at| plain(at).scaled(0.5))
            }
            _ => standard(site),
        }
    }
}

/// Returns the sign of a colour in a carrier.
fn sign(carrier: usize) -> f32 {
    if carrier < COLOURS { 1.0 } else { -1.0 }
}

/// The channels from which a carrying convolution reads the frame; for a norm, those of its convolution.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    /// Colours, in the first channels.
    Picture,
    /// Colours of the output of the U-Nets, then of the previous frame.
    Pictures,
    /// Pairs in the first channels.
    Pairs,
    /// Pairs in the first channels of the second half.
    Skip,
    /// Pairs; there are three outputs, which the norm shifts to the centre.
    Narrowing,
    /// Three carriers around the centre.
    Centred,
    /// Three carriers around the centre, which the norm converts to colours.
    Last,
}

/// The layer of a parameter.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// A convolution of a heavy block at full resolution that carries the frame.
    Carrying(Source),
    /// Its batch norm.
    CarryingNorm(Source),
    /// Another batch norm.
    Norm,
    /// The last convolution of a U-Net.
    Output,
    /// A linear layer whose result is added to a skip.
    BranchEnd,
    Other,
}

impl Place {
    fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.split('.').collect();
        match parts[..] {
            ["unets", _, "output", _] => Self::Output,
            ["unets", _, block @ ("enc1" | "dec1"), list, at, _] => {
                Self::in_block(list, source(block, at))
            }
            ["temporal_processor", block @ ("0" | "2"), list, at, _] => {
                Self::in_block(list, source(block, at))
            }
            [.., "norms", _, _] => Self::Norm,
            [.., "out_proj", _] | [.., "ffn", "2", _] => Self::BranchEnd,
            _ => Self::Other,
        }
    }

    fn in_block(list: &str, source: Source) -> Self {
        match list {
            "norms" => Self::CarryingNorm(source),
            _ => Self::Carrying(source),
        }
    }
}

/// Returns the source of convolution `at` in the block of this name.
fn source(block: &str, at: &str) -> Source {
    match (block, at) {
        ("enc1", "0") => Source::Picture,
        ("dec1", "0") => Source::Skip,
        ("0", "0") => Source::Pictures,
        ("2", "0") => Source::Narrowing,
        ("2", "1" | "2") => Source::Centred,
        ("2", "3") => Source::Last,
        _ => Source::Pairs,
    }
}

/// A convolution's weights `[out, in, 3, 3]`: the carriers' kernels, and random ones.
fn carrying_weight(source: Source, shape: &[usize]) -> Distribution {
    let inputs = shape[1];
    let random = ((inputs * 9) as f32).sqrt().recip();
    Box::new(move |at| {
        let (to, from, tap) = (at / (9 * inputs), at / 9 % inputs, at % 9);
        let colours = matches!(source, Source::Picture | Source::Pictures);
        let centred = matches!(source, Source::Centred | Source::Last);
        let first = if source == Source::Skip {
            inputs / 2
        } else {
            0
        };
        let carrier = (first..first + CARRIERS).contains(&from);
        let (to_carrier, picture) = (to < CARRIERS, carrier || colours);
        let same_colour = from % COLOURS == (first + to) % COLOURS;
        let mean = match source {
            _ if !to_carrier || !picture || !same_colour => 0.0,
            // The channel after the colours is the plane of the timestep.
            Source::Picture if from < COLOURS => sign(to) * smooth(tap),
            Source::Pictures if from < COLOURS => sign(to) * (1.0 - PREVIOUS) * smooth(tap),
            Source::Pictures => sign(to) * PREVIOUS * smooth(tap),
            Source::Picture => 0.0,
            _ if tap != 4 => 0.0,
            Source::Centred | Source::Last => 1.0,
            Source::Pairs | Source::Skip | Source::Narrowing => sign(to) * sign(from - first),
        };
        let std = match (to_carrier, picture) {
            (true, true) if centred => 0.0005,
            (true, true) => 0.002,
            (true, false) => TEXTURE * random,
            (false, true) if colours => 1.5 * random,
            (false, _) => random,
        };
        Gaussian { mean, std }
    })
}

fn smooth(tap: usize) -> f32 {
    BINOMIAL[tap / 3] * BINOMIAL[tap % 3]
}

/// Weights `[in, out]` of a linear layer whose result is added to a skip: halved, so that the variance does not grow with
/// depth, and small for possible carriers.
fn branch_end(site: &ParameterSite<'_>) -> Distribution {
    let outputs = site.shape[1];
    let plain = standard(site);
    Box::new(move |at| {
        let carrier = at % outputs < CARRIERS;
        plain(at).scaled(if carrier { TEXTURE } else { 0.5 })
    })
}

/// The batch norm after such a convolution: to pairs, to around the centre, or to colours.
fn carrying_norm(source: Source, field: &str) -> Distribution {
    let from_colours = matches!(source, Source::Picture | Source::Pictures);
    let centred = matches!(source, Source::Centred | Source::Last);
    let (gamma, beta) = match source {
        Source::Narrowing => (CENTRED_SWING / SWING, CENTRE),
        Source::Centred => (1.0 / SLOPE, CENTRE),
        // silu(0.78 + 1.2·(colour − 1/2)) is near colour.
        Source::Last => (1.2 / CENTRED_SWING / SLOPE, 0.78),
        _ => (1.0, 0.0),
    };
    let (mean, std) = match field {
        "gamma" => (gamma, 0.01),
        "beta" => (beta, 0.01),
        "running_mean" if from_colours => (0.5, 0.005),
        "running_mean" if centred => (CENTRE_SILU, 0.01),
        "running_mean" => (0.0, 0.01),
        // Of a colour, such that dividing by its root gives the swing.
        _ if from_colours => (SWING.powi(-2), 0.004),
        _ => (1.0, 0.02),
    };
    let signed = from_colours && field == "running_mean";
    let other = random_norm(field);
    Box::new(move |at| match at < CARRIERS {
        true if signed => Gaussian {
            mean: sign(at) * mean,
            std,
        },
        true => Gaussian { mean, std },
        false => other(at),
    })
}

/// A batch norm over random channels. A number lies within 3.5 deviations of its mean, so no variance is near 0.
fn random_norm(field: &str) -> Distribution {
    let (mean, std) = match field {
        "gamma" => (1.0, 0.05),
        "beta" => (0.0, BETA),
        "running_mean" => (0.0, 0.1),
        _ => (VARIANCE, 0.03),
    };
    Box::new(move |_| Gaussian { mean, std })
}

/// The 1×1 convolution `[3, base, 1, 1]` from carriers back to colours, and its bias.
fn output(shape: &[usize]) -> Distribution {
    let &[_, inputs, ..] = shape else {
        return Box::new(|_| Gaussian {
            mean: 0.5,
            std: 0.005,
        });
    };
    let random = TEXTURE / SWING / (inputs as f32).sqrt();
    Box::new(move |at| {
        let (to, from) = (at / inputs, at % inputs);
        Gaussian {
            mean: if from < CARRIERS && from % COLOURS == to {
                sign(from) / SWING
            } else {
                0.0
            },
            std: if from < CARRIERS { 0.001 } else { random },
        }
    })
}
