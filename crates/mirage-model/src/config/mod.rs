//! Model configurations: the network, the default frame size and the noise schedule.
//!
//! A configuration is a built-in preset or a TOML file, with optional `key=value` overrides. Unknown keys are errors that
//! suggest the most similar key.

mod overrides;
mod parse;
mod presets;
mod schedule;
mod validate;

use serde::{Deserialize, Serialize};

pub use presets::{Preset, presets};
pub use schedule::{BetaSchedule, Prediction, Schedule};

/// A model: its name, default frame size, noise schedule and network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Name of the model in reports.
    pub name: String,
    /// One line for `models list`.
    pub description: String,
    /// Default frame size.
    pub size: Size,
    /// The noise schedule that the network was trained for.
    pub schedule: Schedule,
    /// The network.
    pub network: NetworkConfig,
}

/// Size of a frame in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
}

/// The kinds of network, selected by the key `network.kind`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NetworkConfig {
    /// [`LiveStreamUNet`](crate::LiveStreamUNet).
    LiveStreamUnet(LiveStreamUNetConfig),
    /// [`StressNetwork`](crate::StressNetwork).
    Stress(StressConfig),
}

impl NetworkConfig {
    /// Returns the value of `network.kind`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::LiveStreamUnet(_) => "live-stream-unet",
            Self::Stress(_) => "stress",
        }
    }
}

/// Shape of a [`LiveStreamUNet`](crate::LiveStreamUNet).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveStreamUNetConfig {
    /// Channels at full resolution; a multiple of 8.
    pub channels: usize,
    /// Channels of each level as a multiple of `channels`. Each level after the first halves the sides.
    pub multipliers: Vec<usize>,
    /// Residual blocks per level, down and up; full resolution has one more on the way up.
    pub blocks: usize,
    /// Groups of every group norm; divides the channels of every level and leaves at least two channels a group.
    pub norm_groups: usize,
    /// Self-attention.
    pub attention: AttentionConfig,
    /// The context memory.
    pub memory: MemoryConfig,
}

/// The self-attention of a [`LiveStreamUNet`](crate::LiveStreamUNet). The middle always has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionConfig {
    /// Levels (0 is full resolution) that end in a transformer block, down and up.
    pub levels: Vec<usize>,
    /// Channels a head; a multiple of 8 that divides the channels of each of `levels` and of the last level.
    pub head_dim: usize,
}

/// The ring buffer of tokens that a [`LiveStreamUNet`](crate::LiveStreamUNet) writes once a frame and reads by
/// cross-attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryConfig {
    /// Number of remembered frames. Attention has one more key, a learned token; hardware is fastest if `slots + 1` is a
    /// multiple of 8.
    pub slots: usize,
    /// Width of a token; a multiple of 8.
    pub dim: usize,
    /// Levels whose transformer blocks read the memory, a part of `attention.levels`. The middle always reads it.
    pub levels: Vec<usize>,
}

/// Shape of a [`StressNetwork`](crate::StressNetwork).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StressConfig {
    /// Channels of the first U-Net at full resolution; a multiple of 16. The second has half as many.
    pub base_channels: usize,
}

impl LiveStreamUNetConfig {
    /// Channels of every level, full resolution first.
    #[must_use]
    pub fn level_channels(&self) -> Vec<usize> {
        self.multipliers
            .iter()
            .map(|multiplier| multiplier * self.channels)
            .collect()
    }

    /// How often the network halves the sides of a frame.
    #[must_use]
    pub fn halvings(&self) -> usize {
        self.multipliers.len().saturating_sub(1)
    }
}
