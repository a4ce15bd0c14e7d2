//! The two kinds of blocks of the network.

use burn::{
    module::Module,
    nn::{Gelu, LayerNorm, LayerNormConfig, Linear, LinearConfig, conv::Conv2d},
    tensor::{
        Device, Tensor,
        activation::{silu, softmax},
    },
};

use crate::network::{batch_norm::BatchNorm, residual::conv3x3};

/// Convolutions of a heavy block.
const CONVOLUTIONS: usize = 4;
/// Heads of every attention.
pub(super) const HEADS: usize = 16;

/// Four times: 3×3 convolution, batch norm, SiLU.
#[derive(Module, Debug)]
pub(super) struct HeavyBlock {
    conv_layers: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
}

impl HeavyBlock {
    pub(super) fn new(from: usize, to: usize, device: &Device) -> Self {
        let inflow = |at| if at == 0 { from } else { to };
        Self {
            conv_layers: (0..CONVOLUTIONS)
                .map(|at| conv3x3(inflow(at), to, device))
                .collect(),
            norms: (0..CONVOLUTIONS)
                .map(|_| BatchNorm::new(to, device))
                .collect(),
        }
    }

    /// `[B, from, H, W]` to `[B, to, H, W]`.
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.conv_layers
            .iter()
            .zip(&self.norms)
            .fold(x, |x, (conv, norm)| silu(norm.forward(conv.forward(x))))
    }
}

/// A pre-norm transformer block over the pixels of a feature map: self-attention in 16 heads, GELU MLP.
///
/// Attention is written as separate operations, which the pass `sdpa` replaces.
#[derive(Module, Debug)]
pub(super) struct AttentionBlock {
    norm1: LayerNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    norm2: LayerNorm,
    /// Channels to four times as many, GELU, and back.
    ffn: (Linear, Gelu, Linear),
}

impl AttentionBlock {
    /// `channels` is a multiple of the number of heads.
    pub(super) fn new(channels: usize, device: &Device) -> Self {
        let norm = || LayerNormConfig::new(channels).init(device);
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        let projection = || linear(channels, channels);
        Self {
            norm1: norm(),
            q_proj: projection(),
            k_proj: projection(),
            v_proj: projection(),
            out_proj: projection(),
            norm2: norm(),
            ffn: (
                linear(channels, 4 * channels),
                Gelu::new(),
                linear(4 * channels, channels),
            ),
        }
    }

    /// `x` is `[B, channels, H, W]`, and so is the result.
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let tokens = x.reshape([batch, channels, height * width]).swap_dims(1, 2);
        let tokens = tokens.clone() + self.attend(self.norm1.forward(tokens));
        let (widen, activation, narrow) = &self.ffn;
        let hidden = activation.forward(widen.forward(self.norm2.forward(tokens.clone())));
        (tokens + narrow.forward(hidden))
            .swap_dims(1, 2)
            .reshape([batch, channels, height, width])
    }

    /// out_proj(softmax(q·kᵀ/√d)·v) on `[B, N, channels]`.
    fn attend(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, count, channels] = x.dims();
        let head_dim = channels / HEADS;
        let heads = |x: Tensor<3>| x.reshape([batch, count, HEADS, head_dim]).swap_dims(1, 2);
        let query = heads(self.q_proj.forward(x.clone()));
        let key = heads(self.k_proj.forward(x.clone()));
        let value = heads(self.v_proj.forward(x));
        let scores = query
            .matmul(key.swap_dims(2, 3))
            .mul_scalar((head_dim as f64).sqrt().recip());
        let mixed = softmax(scores, 3)
            .matmul(value)
            .swap_dims(1, 2)
            .reshape([batch, count, channels]);
        self.out_proj.forward(mixed)
    }
}
