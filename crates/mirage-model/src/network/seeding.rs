//! Seeded weights of an untrained [`LiveStreamUNet`], chosen so that the output is a visible transformation of the frame.
//!
//! The mix slightly changes colour and contrast of the frame. The U-Net is random and adds bounded texture. Its weight
//! for the noisy sample is small, so that the texture is stable between frames. No weight is zero, so that every
//! parameter affects the output.

use super::live_stream_unet::LiveStreamUNet;
use crate::seed::{Distribution, Gaussian, ParameterSite, Seeding, standard};

/// Output colour by frame colour: warmer and with slightly less contrast. Rows sum to less than 1, so that feedback by the
/// previous output does not saturate.
const COLOUR: [[f32; 3]; 3] = [[0.86, 0.08, 0.0], [0.03, 0.82, 0.05], [0.0, 0.12, 0.74]];
const COLOUR_BIAS: [f32; 3] = [0.04, 0.0, -0.03];
/// Weights of the previous output and of the noisy sample in the mix.
const MIX_PREVIOUS: f32 = 0.04;
const MIX_SAMPLE: f32 = 0.015;
/// Weight of the noisy sample in the U-Net, relative to the frame.
const SAMPLE_GAIN: f32 = 0.06;
/// Maximum change of a colour by the texture, in the range −1 to 1.
const DETAIL: f32 = 0.28;
/// Its sigmoid, about a fifth, is the weight of the previous output in the next.
const BLEND: f32 = -1.4;

impl Seeding for LiveStreamUNet {
    fn distribution(site: &ParameterSite<'_>) -> Distribution {
        match site.path {
            "mix.weight" => Box::new(|at| Gaussian {
                mean: mix_weight(at / 9, at % 9),
                std: 0.01,
            }),
            "mix.bias" => Box::new(|at| Gaussian {
                mean: COLOUR_BIAS[at % 3],
                std: 0.005,
            }),
            "detail" => Box::new(|_| Gaussian {
                mean: DETAIL,
                std: 0.01,
            }),
            "blend" => Box::new(|_| Gaussian {
                mean: BLEND,
                std: 0.05,
            }),
            "input.weight" => {
                let plain = standard(site);
                Box::new(move |at| {
                    let from_sample = at / 9 % 9 >= 6;
                    plain(at).scaled(if from_sample { SAMPLE_GAIN } else { 1.0 })
                })
            }
            // Branches that are added to a skip are halved, so that they do not dominate with depth.
            path if is_branch_end(path) => {
                let plain = standard(site);
                Box::new(move |at| plain(at).scaled(0.5))
            }
            _ => standard(site),
        }
    }
}

fn is_branch_end(path: &str) -> bool {
    ["conv2.weight", "attention.output.weight", "mlp2.weight"]
        .iter()
        .any(|end| path.ends_with(end))
}

/// Weight of the mix from input channel `from` (frame, previous, sample) to colour `to`.
fn mix_weight(to: usize, from: usize) -> f32 {
    let same = to == from % 3;
    match from / 3 {
        0 => COLOUR[to][from],
        1 if same => MIX_PREVIOUS,
        2 if same => MIX_SAMPLE,
        _ => 0.0,
    }
}
