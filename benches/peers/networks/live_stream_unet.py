"""The live-stream diffusion U-Net: one forward pass is a whole frame of one step. Names are those of
Mirage's parameters in PyTorch's layout."""

import math

import torch
from torch import nn
from torch.nn import functional


def conv3x3(inflow, to, stride=1):
    return nn.Conv2d(inflow, to, 3, stride=stride, padding=1)


class ResidualBlock(nn.Module):
    def __init__(self, inflow, to, time_dim, groups):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inflow)
        self.conv1 = conv3x3(inflow, to)
        self.time = nn.Linear(time_dim, to)
        self.norm2 = nn.GroupNorm(groups, to)
        self.conv2 = conv3x3(to, to)
        self.skip = nn.Conv2d(inflow, to, 1) if inflow != to else None

    def forward(self, x, time):
        hidden = self.conv1(functional.silu(self.norm1(x)))
        hidden = hidden + self.time(time)[:, :, None, None]
        hidden = self.conv2(functional.silu(self.norm2(hidden)))
        return (x if self.skip is None else self.skip(x)) + hidden


class Attention(nn.Module):
    def __init__(self, dim, context_dim, head_dim):
        super().__init__()
        self.heads = dim // head_dim
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(context_dim, dim, bias=False)
        self.value = nn.Linear(context_dim, dim, bias=False)
        self.output = nn.Linear(dim, dim)

    def forward(self, x, context, visible=None):
        """`visible` is true for the keys that may be seen, `[1, 1, 1, M]`."""
        query, key, value = (
            tokens.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for tokens in (self.query(x), self.key(context), self.value(context))
        )
        if visible is not None:
            # Every engine takes a mask with a row for each query; not all take one row for all.
            visible = visible.expand(1, 1, query.shape[2], -1)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=visible)
        return self.output(mixed.transpose(1, 2).flatten(2))


class CrossAttention(nn.Module):
    def __init__(self, dim, context_dim, head_dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attention = Attention(dim, context_dim, head_dim)

    def forward(self, tokens, context):
        return self.attention(self.norm(tokens), *context)


class TransformerBlock(nn.Module):
    def __init__(self, dim, head_dim, context_dim):
        super().__init__()
        self.self_norm = nn.LayerNorm(dim)
        self.self_attention = Attention(dim, dim, head_dim)
        self.cross = CrossAttention(dim, context_dim, head_dim) if context_dim else None
        self.mlp_norm = nn.LayerNorm(dim)
        self.mlp1 = nn.Linear(dim, 4 * dim)
        self.mlp2 = nn.Linear(4 * dim, dim)

    def forward(self, x, context):
        height, width = x.shape[2:]
        tokens = x.flatten(2).transpose(1, 2)
        normed = self.self_norm(tokens)
        tokens = tokens + self.self_attention(normed, normed)
        if self.cross is not None:
            tokens = tokens + self.cross(tokens, context)
        tokens = tokens + self.mlp2(functional.gelu(self.mlp1(self.mlp_norm(tokens))))
        return tokens.transpose(1, 2).unflatten(2, (height, width))


class Resampling(nn.Module):
    """A convolution that halves the sides, or doubling them by the nearest pixel and a convolution."""

    def __init__(self, channels, down):
        super().__init__()
        self.down = down
        self.conv = conv3x3(channels, channels, stride=2 if down else 1)

    def forward(self, x):
        if not self.down:
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.conv(x)


class Plan:
    """What every level is built from."""

    def __init__(self, config):
        self.config = config
        self.channels = [config["channels"] * m for m in config["multipliers"]]
        self.time_dim = 4 * self.channels[0]
        self.memory = config["memory"]

    def residual(self, inflow, to):
        return ResidualBlock(inflow, to, self.time_dim, self.config["norm_groups"])

    def transformer(self, dim, reads_memory):
        context_dim = self.memory["dim"] if reads_memory else None
        return TransformerBlock(dim, self.config["attention"]["head_dim"], context_dim)

    def level_transformer(self, level):
        if level not in self.config["attention"]["levels"]:
            return None
        return self.transformer(self.channels[level], level in self.memory["levels"])


class DownLevel(nn.Module):
    def __init__(self, plan, level, inflow):
        super().__init__()
        to = plan.channels[level]
        flows = [inflow] + [to] * (plan.config["blocks"] - 1)
        self.block = nn.ModuleList(plan.residual(flow, to) for flow in flows)
        self.transformer = plan.level_transformer(level)
        last = level + 1 == len(plan.channels)
        self.downsample = None if last else Resampling(to, down=True)

    def forward(self, x, time, context, skips):
        for at, block in enumerate(self.block):
            x = block(x, time)
            if self.transformer is not None and at + 1 == len(self.block):
                x = self.transformer(x, context)
            skips.append(x)
        return x if self.downsample is None else self.downsample(x)


class Middle(nn.Module):
    def __init__(self, plan):
        super().__init__()
        channels = plan.channels[-1]
        self.block1 = plan.residual(channels, channels)
        self.transformer = plan.transformer(channels, True)
        self.block2 = plan.residual(channels, channels)

    def forward(self, x, time, context):
        return self.block2(self.transformer(self.block1(x, time), context), time)


class UpLevel(nn.Module):
    def __init__(self, plan, level, inflow, skips):
        super().__init__()
        to = plan.channels[level]
        self.block = nn.ModuleList()
        for _ in range(plan.config["blocks"] + (level == 0)):
            self.block.append(plan.residual(inflow + skips.pop(), to))
            inflow = to
        self.transformer = plan.level_transformer(level)
        self.upsample = Resampling(to, down=False) if level > 0 else None

    def forward(self, x, time, context, skips):
        for block in self.block:
            x = block(torch.cat([x, skips.pop()], 1), time)
        if self.transformer is not None:
            x = self.transformer(x, context)
        return x if self.upsample is None else self.upsample(x)


class TimestepEmbedding(nn.Module):
    """Sinusoids of the timestep, in f32 whatever the weights are, through an MLP."""

    def __init__(self, channels, dim):
        super().__init__()
        half = channels // 2
        steps = [math.exp(-math.log(10_000.0) * i / half) for i in range(half)]
        # Not a buffer: a network of half precision keeps them in f32, one without weights has them.
        self.frequencies = torch.tensor(steps, device="cpu")
        self.linear1 = nn.Linear(channels, dim)
        self.linear2 = nn.Linear(dim, dim)

    def forward(self, timestep):
        angles = timestep.float()[:, None] * self.frequencies
        sinusoids = torch.cat([angles.cos(), angles.sin()], 1).to(self.linear1.weight.dtype)
        return functional.silu(self.linear2(functional.silu(self.linear1(sinusoids))))


class ContextMemory(nn.Module):
    """The ring buffer of one token a frame. Slots that no frame was written to yet are not seen."""

    def __init__(self, channels, slots, dim):
        super().__init__()
        self.slots = slots
        self.empty = nn.Parameter(torch.zeros(dim))
        self.write_norm = nn.LayerNorm(channels)
        self.write = nn.Linear(channels, dim)
        self.index = torch.arange(-1, slots, device="cpu")

    def read(self, memory, frames):
        """The tokens `[B, 1 + slots, dim]`, and which of them are seen, `[1, 1, 1, 1 + slots]`."""
        dtype = self.empty.dtype
        empty = self.empty[None, None].expand(memory.shape[0], 1, -1)
        visible = (self.index < frames)[None, None, None]
        return torch.cat([empty, memory.to(dtype)], 1), visible

    def updated(self, memory, frames, features):
        pooled = features.flatten(2).mean(2)[:, None]
        token = self.write(self.write_norm(pooled)).float()
        written = (self.index[1:] == frames % self.slots)[None, :, None]
        return torch.where(written, token, memory), frames + 1


class LiveStreamUNet(nn.Module):
    INPUTS = ("sample", "frame", "previous", "timestep", "memory", "frames")
    OUTPUTS = ("output", "memory", "frames")

    def __init__(self, config):
        super().__init__()
        plan = Plan(config)
        first, last = plan.channels[0], plan.channels[-1]
        self.mix = nn.Conv2d(9, 3, 1)
        self.input = conv3x3(9, first)
        self.time = TimestepEmbedding(first, plan.time_dim)
        skips, inflow = [first], first
        self.down = nn.ModuleList()
        for level, to in enumerate(plan.channels):
            self.down.append(DownLevel(plan, level, inflow))
            skips += [to] * config["blocks"]
            inflow = to
        self.middle = Middle(plan)
        self.up = nn.ModuleList()
        for level in reversed(range(len(plan.channels))):
            self.up.append(UpLevel(plan, level, inflow, skips))
            inflow = plan.channels[level]
        self.output_norm = nn.GroupNorm(config["norm_groups"], first)
        self.output = conv3x3(first, 3)
        self.detail = nn.Parameter(torch.ones(3))
        self.memory = ContextMemory(last, plan.memory["slots"], plan.memory["dim"])
        self.blend = nn.Parameter(torch.zeros(1))

    def forward(self, sample, frame, previous, timestep, memory, frames):
        """Pictures are f32 `[B, 3, H, W]` in [-1, 1], `timestep` is i64 `[B]`, `memory` is f32
        `[B, slots, dim]`, `frames` is i64 `[1]`; gives the picture and the new state. In between it is
        computed in the dtype of the weights."""
        dtype = self.mix.weight.dtype
        context = self.memory.read(memory, frames)
        time = self.time(timestep)
        pictures = torch.cat([frame, previous, sample], 1).to(dtype)

        x = self.input(pictures)
        skips = [x]
        for level in self.down:
            x = level(x, time, context, skips)
        x = features = self.middle(x, time, context)
        for level in self.up:
            x = level(x, time, context, skips)
        texture = self.output(functional.silu(self.output_norm(x)))

        picture = self.mix(pictures) + self.detail[:, None, None] * torch.tanh(texture)
        picture = picture.clamp(-1.0, 1.0).float()
        weight = torch.sigmoid(self.blend.float()) * (frames > 0)
        output = picture + (previous - picture) * weight
        return output, *self.memory.updated(memory, frames, features)
