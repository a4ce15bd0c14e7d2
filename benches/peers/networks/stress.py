"""The benchmark network: two U-Nets in a row and a temporal stage. Names are those of its checkpoints."""

import torch
from torch import nn
from torch.nn import functional

HEADS = 16
CONVOLUTIONS = 4


class HeavyBlock(nn.Module):
    """Four times: 3×3 convolution, batch norm, SiLU."""

    def __init__(self, inflow, to):
        super().__init__()
        flows = [inflow] + [to] * (CONVOLUTIONS - 1)
        self.conv_layers = nn.ModuleList(nn.Conv2d(flow, to, 3, padding=1) for flow in flows)
        self.norms = nn.ModuleList(nn.BatchNorm2d(to) for _ in flows)

    def forward(self, x):
        for conv, norm in zip(self.conv_layers, self.norms):
            x = functional.silu(norm(conv(x)))
        return x


class AttentionBlock(nn.Module):
    """Self-attention over the pixels in 16 heads, then a GELU MLP, both on a layer norm and around a skip."""

    def __init__(self, channels):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.q_proj = nn.Linear(channels, channels)
        self.k_proj = nn.Linear(channels, channels)
        self.v_proj = nn.Linear(channels, channels)
        self.out_proj = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.ffn = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )

    def forward(self, x):
        _, channels, height, width = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.attend(self.norm1(tokens))
        tokens = tokens + self.ffn(self.norm2(tokens))
        return tokens.transpose(1, 2).unflatten(2, (height, width))

    def attend(self, x):
        query, key, value = (
            layer(x).unflatten(2, (HEADS, -1)).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class UNet(nn.Module):
    def __init__(self, inflow, to, base):
        super().__init__()
        self.enc1 = HeavyBlock(inflow, base)
        self.enc2 = HeavyBlock(base, 2 * base)
        self.attn1 = AttentionBlock(2 * base)
        self.enc3 = HeavyBlock(2 * base, 4 * base)
        self.attn2 = AttentionBlock(4 * base)
        self.enc4 = HeavyBlock(4 * base, 8 * base)
        self.attn3 = AttentionBlock(8 * base)
        self.bottleneck = nn.Sequential(
            HeavyBlock(8 * base, 16 * base),
            AttentionBlock(16 * base),
            HeavyBlock(16 * base, 8 * base),
        )
        self.dec4 = HeavyBlock(16 * base, 4 * base)
        self.dec3 = HeavyBlock(8 * base, 2 * base)
        self.dec2 = HeavyBlock(4 * base, base)
        self.dec1 = HeavyBlock(2 * base, base)
        self.output = nn.Conv2d(base, to, 1)

    def forward(self, x):
        skip1 = self.enc1(x)
        skip2 = self.attn1(self.enc2(halve(skip1)))
        skip3 = self.attn2(self.enc3(halve(skip2)))
        skip4 = self.attn3(self.enc4(halve(skip3)))
        x = self.bottleneck(halve(skip4))
        x = self.dec4(join(x, skip4))
        x = self.dec3(join(x, skip3))
        x = self.dec2(join(x, skip2))
        x = self.dec1(join(x, skip1))
        return self.output(x)


def halve(x):
    return functional.max_pool2d(x, 2)


def join(x, skip):
    """`x` with both sides doubled, before `skip`."""
    x = functional.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=False)
    return torch.cat([x, skip], 1)


class StressNetwork(nn.Module):
    INPUTS = ("input", "previous", "timestep")
    OUTPUTS = ("output",)

    def __init__(self, base, timesteps):
        super().__init__()
        self.timesteps = timesteps
        self.unets = nn.ModuleList([UNet(4, 3, base), UNet(3, 3, base // 2)])
        self.temporal_processor = nn.Sequential(
            HeavyBlock(6, base), AttentionBlock(base), HeavyBlock(base, 3)
        )

    def forward(self, input, previous, timestep):
        """Pictures are f32 `[B, 3, H, W]`, `timestep` is i64 `[B]`; gives f32 `[B, 3, H, W]`. In between it
        is computed in the dtype of the weights."""
        dtype = self.unets[0].output.weight.dtype
        batch, _, height, width = input.shape
        plane = (timestep.float() / self.timesteps).reshape(batch, 1, 1, 1)
        x = torch.cat([input, plane.expand(batch, 1, height, width)], 1).to(dtype)
        for unet in self.unets:
            x = unet(x)
        x = torch.cat([x, previous.to(dtype)], 1)
        return (self.temporal_processor(x).float(),)
