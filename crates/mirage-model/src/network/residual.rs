//! The convolutional parts: residual blocks, halving and doubling the resolution.

use burn::{
    module::Module,
    nn::{
        GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
    },
    tensor::{
        Device, Tensor,
        activation::silu,
        module::interpolate,
        ops::{InterpolateMode, InterpolateOptions},
    },
};

/// A 3×3 convolution that keeps the sides.
pub(crate) fn conv3x3(from: usize, to: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([from, to], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init(device)
}

/// Group norm, SiLU, 3×3 convolution, twice, around a skip; the timestep comes in between.
#[derive(Module, Debug)]
pub(crate) struct ResidualBlock {
    norm1: GroupNorm,
    conv1: Conv2d,
    time: Linear,
    norm2: GroupNorm,
    conv2: Conv2d,
    /// 1×1, where the channels change.
    skip: Option<Conv2d>,
}

impl ResidualBlock {
    pub(crate) fn new(
        from: usize,
        to: usize,
        time_dim: usize,
        groups: usize,
        device: &Device,
    ) -> Self {
        Self {
            norm1: GroupNormConfig::new(groups, from).init(device),
            conv1: conv3x3(from, to, device),
            time: LinearConfig::new(time_dim, to).init(device),
            norm2: GroupNormConfig::new(groups, to).init(device),
            conv2: conv3x3(to, to, device),
            skip: (from != to).then(|| Conv2dConfig::new([from, to], [1, 1]).init(device)),
        }
    }

    /// `x` is `[B, from, H, W]`, `time` the activated embedding, `[B, time_dim]`; gives `[B, to, H, W]`.
    pub(crate) fn forward(&self, x: Tensor<4>, time: Tensor<2>) -> Tensor<4> {
        let hidden = self.conv1.forward(silu(self.norm1.forward(x.clone())));
        let [batch, channels, _, _] = hidden.dims();
        let shift = self.time.forward(time).reshape([batch, channels, 1, 1]);
        let hidden = self.conv2.forward(silu(self.norm2.forward(hidden + shift)));
        let skip = match &self.skip {
            Some(conv) => conv.forward(x),
            None => x,
        };
        skip + hidden
    }
}

/// Halves both sides by a 3×3 convolution with stride 2.
#[derive(Module, Debug)]
pub(crate) struct Downsample {
    conv: Conv2d,
}

impl Downsample {
    pub(crate) fn new(channels: usize, device: &Device) -> Self {
        let conv = Conv2dConfig::new([channels, channels], [3, 3])
            .with_stride([2, 2])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(device);
        Self { conv }
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.conv.forward(x)
    }
}

/// Doubles both sides by the nearest pixel, then a 3×3 convolution.
#[derive(Module, Debug)]
pub(crate) struct Upsample {
    conv: Conv2d,
}

impl Upsample {
    pub(crate) fn new(channels: usize, device: &Device) -> Self {
        Self {
            conv: conv3x3(channels, channels, device),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let options = InterpolateOptions::new(InterpolateMode::Nearest)
            .with_output_size([2 * height, 2 * width]);
        self.conv.forward(interpolate(x, options))
    }
}
