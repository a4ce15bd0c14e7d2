//! Timesteps as vectors.

use burn::{
    module::Module,
    nn::{Linear, LinearConfig},
    tensor::{Device, Int, Tensor, activation::silu},
};

/// Sinusoids of the timestep through an MLP (linear, SiLU, linear), activated once more (SiLU) for the linear layers of the
/// residual blocks that all read it.
#[derive(Module, Debug)]
pub(crate) struct TimestepEmbedding {
    /// Angular frequencies, `[1, channels / 2]`: a constant, no parameter.
    frequencies: Tensor<2>,
    linear1: Linear,
    linear2: Linear,
}

const MAX_PERIOD: f64 = 10_000.0;

impl TimestepEmbedding {
    /// `channels` sinusoids in, `dim` features out.
    pub(crate) fn new(channels: usize, dim: usize, device: &Device) -> Self {
        let half = channels / 2;
        let frequencies: Vec<f32> = (0..half)
            .map(|i| (-MAX_PERIOD.ln() * i as f64 / half as f64).exp() as f32)
            .collect();
        Self {
            frequencies: Tensor::<1>::from_floats(frequencies.as_slice(), device).unsqueeze(),
            linear1: LinearConfig::new(channels, dim).init(device),
            linear2: LinearConfig::new(dim, dim).init(device),
        }
    }

    /// `[B]` timesteps to `[B, dim]` activated features.
    pub(crate) fn forward(&self, timestep: Tensor<1, Int>) -> Tensor<2> {
        let angles = timestep.float().unsqueeze_dim::<2>(1) * self.frequencies.clone();
        let sinusoids = Tensor::cat(vec![angles.clone().cos(), angles.sin()], 1);
        silu(self.linear2.forward(silu(self.linear1.forward(sinusoids))))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::DType;

    use super::*;

    #[test]
    fn sinusoids_are_the_published_ones() {
        let device = Device::flex();
        let embedding = TimestepEmbedding::new(8, 4, &device);
        let values = |tensor: Tensor<2>| -> Vec<f64> {
            tensor
                .into_data()
                .convert::<f64>()
                .try_to_vec()
                .expect("floats")
        };
        let timestep = Tensor::<1, Int>::from_data([37_i64, 0].as_slice(), (&device, DType::I64));
        let out = values(embedding.forward(timestep));
        let linear = |layer: &Linear, x: &[f64], to: usize| -> Vec<f64> {
            let (weight, bias) = (
                values(layer.weight.val()),
                layer.bias.as_ref().expect("bias").val(),
            );
            let bias = values(bias.unsqueeze());
            (0..to)
                .map(|o| {
                    bias[o]
                        + x.iter()
                            .enumerate()
                            .map(|(i, x)| x * weight[i * to + o])
                            .sum::<f64>()
                })
                .collect()
        };
        let activate =
            |x: Vec<f64>| -> Vec<f64> { x.iter().map(|x| x / (1.0 + (-x).exp())).collect() };
        for (row, t) in [37.0_f64, 0.0].iter().enumerate() {
            let angles: Vec<f64> = (0..4)
                .map(|i| t / 10_000_f64.powf(f64::from(i) / 4.0))
                .collect();
            let sinusoids: Vec<f64> = angles
                .iter()
                .map(|a| a.cos())
                .chain(angles.iter().map(|a| a.sin()))
                .collect();
            let hidden = activate(linear(&embedding.linear1, &sinusoids, 4));
            let wanted = activate(linear(&embedding.linear2, &hidden, 4));
            for (out, wanted) in out[row * 4..].iter().zip(&wanted) {
                assert!((out - wanted).abs() < 1e-5, "{out} {wanted}");
            }
        }
    }
}
