//! One of the two U-Nets.

use burn::{
    module::Module,
    nn::conv::{Conv2d, Conv2dConfig},
    tensor::{
        Device, Tensor,
        module::{interpolate, max_pool2d},
        ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions},
    },
};

use super::block::{AttentionBlock, HeavyBlock};

/// Five resolutions, with attention in all but the first on the way down; the way up has none.
#[derive(Module, Debug)]
pub(super) struct UNet {
    enc1: HeavyBlock,
    enc2: HeavyBlock,
    attn1: AttentionBlock,
    enc3: HeavyBlock,
    attn2: AttentionBlock,
    enc4: HeavyBlock,
    attn3: AttentionBlock,
    bottleneck: (HeavyBlock, AttentionBlock, HeavyBlock),
    dec4: HeavyBlock,
    dec3: HeavyBlock,
    dec2: HeavyBlock,
    dec1: HeavyBlock,
    output: Conv2d,
}

impl UNet {
    /// `base` channels at full resolution, a multiple of 8.
    pub(super) fn new(from: usize, to: usize, base: usize, device: &Device) -> Self {
        let block = |from, to| HeavyBlock::new(from, to, device);
        let attention = |channels| AttentionBlock::new(channels, device);
        Self {
            enc1: block(from, base),
            enc2: block(base, 2 * base),
            attn1: attention(2 * base),
            enc3: block(2 * base, 4 * base),
            attn2: attention(4 * base),
            enc4: block(4 * base, 8 * base),
            attn3: attention(8 * base),
            bottleneck: (
                block(8 * base, 16 * base),
                attention(16 * base),
                block(16 * base, 8 * base),
            ),
            dec4: block(16 * base, 4 * base),
            dec3: block(8 * base, 2 * base),
            dec2: block(4 * base, base),
            dec1: block(2 * base, base),
            output: Conv2dConfig::new([base, to], [1, 1]).init(device),
        }
    }

    /// `[B, from, H, W]` to `[B, to, H, W]`; the sides are multiples of 16.
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let skip1 = self.enc1.forward(x);
        let skip2 = self.attn1.forward(self.enc2.forward(halve(skip1.clone())));
        let skip3 = self.attn2.forward(self.enc3.forward(halve(skip2.clone())));
        let skip4 = self.attn3.forward(self.enc4.forward(halve(skip3.clone())));
        let (enter, attention, leave) = &self.bottleneck;
        let x = leave.forward(attention.forward(enter.forward(halve(skip4.clone()))));
        let x = self.dec4.forward(join(x, skip4));
        let x = self.dec3.forward(join(x, skip3));
        let x = self.dec2.forward(join(x, skip2));
        let x = self.dec1.forward(join(x, skip1));
        self.output.forward(x)
    }
}

/// Halves both sides by the largest of 2×2.
fn halve(x: Tensor<4>) -> Tensor<4> {
    max_pool2d(x, MaxPoolOptions::new([2, 2]))
}

/// `x` with both sides doubled, bilinear with half-pixel centres, before `skip` along the channels.
fn join(x: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let options = InterpolateOptions::new(InterpolateMode::Bilinear)
        .with_align_corners(false)
        .with_output_size([2 * height, 2 * width]);
    Tensor::cat(vec![interpolate(x, options), skip], 1)
}
