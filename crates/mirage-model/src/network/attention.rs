//! Attention as separate operations, which the pass `sdpa` replaces, and transformer blocks.

use burn::{
    module::Module,
    nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig},
    tensor::{
        Bool, Device, Tensor,
        activation::{gelu, softmax},
    },
};

use super::memory::Context;

/// Multi-head attention: softmax(q·kᵀ/√d)·v, then a linear layer.
///
/// Queries, keys and values have no bias: one on the keys would cancel in the softmax.
#[derive(Module, Debug)]
pub(crate) struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    heads: usize,
}

impl Attention {
    /// Tokens of `dim` features attend to tokens of `context_dim` with heads of `head_dim`, which divides `dim`.
    pub(crate) fn new(dim: usize, context_dim: usize, head_dim: usize, device: &Device) -> Self {
        let plain = |from: usize| LinearConfig::new(from, dim).with_bias(false).init(device);
        Self {
            query: plain(dim),
            key: plain(context_dim),
            value: plain(context_dim),
            output: LinearConfig::new(dim, dim).init(device),
            heads: dim / head_dim,
        }
    }

    /// `x` is `[B, N, dim]`, `context` is `[B, M, context_dim]`, `hidden` is `[1, 1, 1, M]` and true for masked keys, of which
    /// at least one must be false; returns `[B, N, dim]`.
    pub(crate) fn forward(
        &self,
        x: Tensor<3>,
        context: Tensor<3>,
        hidden: Option<Tensor<4, Bool>>,
    ) -> Tensor<3> {
        let [batch, tokens, dim] = x.dims();
        let query = self.split_heads(self.query.forward(x));
        let key = self.split_heads(self.key.forward(context.clone()));
        let value = self.split_heads(self.value.forward(context));

        let scale = ((dim / self.heads) as f64).sqrt().recip();
        let scores = query.matmul(key.swap_dims(2, 3)).mul_scalar(scale);
        let scores = match hidden {
            Some(hidden) => {
                let hidden = hidden.expand(scores.dims());
                scores.mask_fill(hidden, f32::NEG_INFINITY)
            }
            None => scores,
        };
        let mixed = softmax(scores, 3).matmul(value);
        self.output
            .forward(mixed.swap_dims(1, 2).reshape([batch, tokens, dim]))
    }

    /// `[B, N, heads·d]` to `[B, heads, N, d]`.
    fn split_heads(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, tokens, dim] = x.dims();
        x.reshape([batch, tokens, self.heads, dim / self.heads])
            .swap_dims(1, 2)
    }
}

/// Cross-attention to the context memory with its own norm.
#[derive(Module, Debug)]
pub(crate) struct CrossAttention {
    norm: LayerNorm,
    attention: Attention,
}

/// A pre-norm transformer block over the pixels of a feature map: self-attention, optional cross-attention to the context
/// memory, GELU MLP.
#[derive(Module, Debug)]
pub(crate) struct TransformerBlock {
    self_norm: LayerNorm,
    self_attention: Attention,
    cross: Option<CrossAttention>,
    mlp_norm: LayerNorm,
    mlp1: Linear,
    mlp2: Linear,
}

impl TransformerBlock {
    /// `context_dim` is the width of the memory's tokens for a block that reads it.
    pub(crate) fn new(
        dim: usize,
        head_dim: usize,
        context_dim: Option<usize>,
        device: &Device,
    ) -> Self {
        let norm = || LayerNormConfig::new(dim).init(device);
        Self {
            self_norm: norm(),
            self_attention: Attention::new(dim, dim, head_dim, device),
            cross: context_dim.map(|context_dim| CrossAttention {
                norm: norm(),
                attention: Attention::new(dim, context_dim, head_dim, device),
            }),
            mlp_norm: norm(),
            mlp1: LinearConfig::new(dim, 4 * dim).init(device),
            mlp2: LinearConfig::new(4 * dim, dim).init(device),
        }
    }

    /// `x` is `[B, dim, H, W]`, and so is the result.
    pub(crate) fn forward(&self, x: Tensor<4>, context: &Context) -> Tensor<4> {
        let [batch, dim, height, width] = x.dims();
        let tokens = x.reshape([batch, dim, height * width]).swap_dims(1, 2);

        let normed = self.self_norm.forward(tokens.clone());
        let mut tokens = tokens + self.self_attention.forward(normed.clone(), normed, None);
        if let Some(cross) = &self.cross {
            let normed = cross.norm.forward(tokens.clone());
            let hidden = Some(context.hidden.clone());
            tokens = tokens
                + cross
                    .attention
                    .forward(normed, context.tokens.clone(), hidden);
        }
        let normed = self.mlp_norm.forward(tokens.clone());
        let tokens = tokens + self.mlp2.forward(gelu(self.mlp1.forward(normed)));

        tokens.swap_dims(1, 2).reshape([batch, dim, height, width])
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
        tensor
            .into_data()
            .convert::<f64>()
            .try_to_vec()
            .expect("floats")
    }

    fn tokens(count: usize, dim: usize, step: f32, device: &Device) -> Tensor<3> {
        let data: Vec<f32> = (0..count * dim)
            .map(|at| (at as f32 * step).sin())
            .collect();
        Tensor::from_data(TensorData::new(data, [1, count, dim]), device)
    }

    /// `[rows, from]` by a row-major weight `[from, to]`.
    fn product(x: &[f64], weight: &[f64], from: usize) -> Vec<f64> {
        let to = weight.len() / from;
        let row = |x: &[f64], at: usize| (0..from).map(|k| x[k] * weight[k * to + at]).sum();
        x.chunks(from)
            .flat_map(|x| (0..to).map(move |at| (x, at)))
            .map(|(x, at)| row(x, at))
            .collect()
    }

    /// The definition, head by head and token by token.
    fn oracle(
        layer: &Attention,
        x: &[f64],
        context: &[f64],
        dims: [usize; 2],
        visible: usize,
    ) -> Vec<f64> {
        let [dim, context_dim] = dims;
        let query = product(x, &values(layer.query.weight.val()), dim);
        let key = product(context, &values(layer.key.weight.val()), context_dim);
        let value = product(context, &values(layer.value.weight.val()), context_dim);
        let head_dim = dim / layer.heads;
        let mut mixed = vec![0.0; query.len()];
        for (token, query) in query.chunks(dim).enumerate() {
            for head in 0..layer.heads {
                let part = head * head_dim..(head + 1) * head_dim;
                let weights: Vec<f64> = key
                    .chunks(dim)
                    .take(visible)
                    .map(|key| {
                        let dot: f64 = part.clone().map(|c| query[c] * key[c]).sum();
                        (dot / (head_dim as f64).sqrt()).exp()
                    })
                    .collect();
                let total: f64 = weights.iter().sum();
                for c in part {
                    let sum: f64 = weights
                        .iter()
                        .zip(value.chunks(dim))
                        .map(|(w, value)| w * value[c])
                        .sum();
                    mixed[token * dim + c] = sum / total;
                }
            }
        }
        let bias = values(layer.output.bias.as_ref().expect("bias").val());
        product(&mixed, &values(layer.output.weight.val()), dim)
            .iter()
            .enumerate()
            .map(|(at, out)| out + bias[at % dim])
            .collect()
    }

    #[test]
    fn attention_is_its_definition() {
        let device = Device::flex();
        let (dim, context_dim, count, keys) = (16, 24, 5, 7);
        let layer = Attention::new(dim, context_dim, 8, &device);
        let (x, context) = (
            tokens(count, dim, 0.7, &device),
            tokens(keys, context_dim, 0.3, &device),
        );
        for visible in [keys, 3, 1] {
            let hidden: Vec<bool> = (0..keys).map(|key| key >= visible).collect();
            let hidden = Tensor::<1, Bool>::from_bool(hidden.as_slice(), &device);
            let hidden = (visible < keys).then(|| hidden.reshape([1, 1, 1, keys]));
            let out = values(layer.forward(x.clone(), context.clone(), hidden));
            let wanted = oracle(
                &layer,
                &values(x.clone()),
                &values(context.clone()),
                [dim, context_dim],
                visible,
            );
            assert_eq!(out.len(), wanted.len());
            for (out, wanted) in out.iter().zip(&wanted) {
                assert!(
                    (out - wanted).abs() < 1e-5,
                    "{visible} visible: {out} {wanted}"
                );
            }
            assert!(wanted.iter().any(|value| value.abs() > 1e-2));
        }
    }
}
