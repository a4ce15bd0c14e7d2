//! Validates configurations, so that building a network cannot fail or exhaust memory.

use super::{LiveStreamUNetConfig, ModelConfig, NetworkConfig, Schedule, Size, StressConfig};
use crate::ModelError;

/// A key and what its value must be.
type Complaint = (&'static str, String);

const MAX_SIDE: usize = 16_384;
/// `2^MAX_HALVINGS` is the longest side.
const MAX_HALVINGS: usize = MAX_SIDE.ilog2() as usize;
const MAX_CHANNELS: usize = 16_384;
const MAX_LEVELS: usize = 8;
/// The widest layers of the stress network have 16 times its base channels.
const MAX_STRESS_CHANNELS: usize = MAX_CHANNELS / 16;
/// How often the stress network halves the sides.
const STRESS_HALVINGS: usize = 4;

impl ModelConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// If a value is invalid or the network does not support the default size. Names the first such key and what it must be.
    pub fn validate(&self) -> Result<(), ModelError> {
        let complaint = self
            .check_name()
            .and_then(|()| schedule(&self.schedule))
            .and_then(|()| match &self.network {
                NetworkConfig::LiveStreamUnet(network) => live_stream_unet(network),
                NetworkConfig::Stress(network) => stress(network),
            });
        complaint.map_err(|(key, reason)| ModelError::InvalidConfig {
            model: self.name.clone(),
            key: key.to_owned(),
            reason,
        })?;
        self.validate_size(self.size)
    }

    /// Returns the number that both sides of a frame must be a multiple of.
    #[must_use]
    pub fn side_multiple(&self) -> usize {
        1 << self.halvings()
    }

    /// Returns how often the network halves the sides of a frame.
    fn halvings(&self) -> usize {
        match &self.network {
            NetworkConfig::LiveStreamUnet(network) => network.halvings(),
            NetworkConfig::Stress(_) => STRESS_HALVINGS,
        }
    }

    /// Checks that the network supports `size`.
    ///
    /// # Errors
    /// If a side is zero, too large or not a multiple of [`side_multiple`](Self::side_multiple). Names the multiple and the
    /// nearest supported size.
    pub fn validate_size(&self, size: Size) -> Result<(), ModelError> {
        size.check_halvings(&self.name, self.halvings())
    }

    fn check_name(&self) -> Result<(), Complaint> {
        require(!self.name.trim().is_empty(), "name", || {
            "must not be empty".to_owned()
        })
    }
}

impl Size {
    /// Checks the size for a network that halves the sides `halvings` times; `model` names it in the error.
    ///
    /// # Errors
    /// [`ModelError::Size`] if a side is zero, above 16384 or not a multiple of `2^halvings`. Names the multiple and the
    /// nearest supported size.
    pub fn check_halvings(self, model: &str, halvings: usize) -> Result<(), ModelError> {
        let multiple = 1 << halvings.min(MAX_HALVINGS);
        let fits = |side: usize| side > 0 && side <= MAX_SIDE && side.is_multiple_of(multiple);
        if fits(self.width) && fits(self.height) {
            return Ok(());
        }
        let nearest = |side: usize| {
            let side = side.clamp(multiple, MAX_SIDE / multiple * multiple);
            (side + multiple / 2) / multiple * multiple
        };
        Err(ModelError::Size {
            model: model.to_owned(),
            width: self.width,
            height: self.height,
            multiple,
            max: MAX_SIDE / multiple * multiple,
            halvings,
            nearest_width: nearest(self.width),
            nearest_height: nearest(self.height),
        })
    }
}

fn require(
    holds: bool,
    key: &'static str,
    reason: impl FnOnce() -> String,
) -> Result<(), Complaint> {
    if holds { Ok(()) } else { Err((key, reason())) }
}

fn within(
    value: usize,
    range: std::ops::RangeInclusive<usize>,
    key: &'static str,
) -> Result<(), Complaint> {
    require(range.contains(&value), key, || {
        format!(
            "must be from {} to {}, not {value}",
            range.start(),
            range.end()
        )
    })
}

fn multiple_of_8(value: usize, key: &'static str) -> Result<(), Complaint> {
    require(value > 0 && value.is_multiple_of(8), key, || {
        format!("must be a positive multiple of 8, not {value}")
    })?;
    within(value, 8..=MAX_CHANNELS, key)
}

fn schedule(schedule: &Schedule) -> Result<(), Complaint> {
    within(
        schedule.train_timesteps,
        1..=100_000,
        "schedule.train_timesteps",
    )?;
    let (start, end) = (schedule.beta_start, schedule.beta_end);
    require(start > 0.0 && start < 1.0, "schedule.beta_start", || {
        format!("must be between 0 and 1, not {start}")
    })?;
    require(end >= start && end < 1.0, "schedule.beta_end", || {
        format!("must be between beta_start and 1, not {end}")
    })
}

fn live_stream_unet(network: &LiveStreamUNetConfig) -> Result<(), Complaint> {
    multiple_of_8(network.channels, "network.channels")?;
    within(
        network.multipliers.len(),
        1..=MAX_LEVELS,
        "the number of network.multipliers",
    )?;
    for multiplier in &network.multipliers {
        within(
            *multiplier,
            1..=MAX_CHANNELS / network.channels,
            "each of network.multipliers",
        )?;
    }
    within(network.blocks, 1..=16, "network.blocks")?;
    let groups = network.norm_groups;
    for channels in network.level_channels() {
        // With one channel for each group, the norm would cancel the timestep and every bias before it.
        require(
            groups > 0 && channels.is_multiple_of(groups) && channels / groups >= 2,
            "network.norm_groups",
            || format!("must divide {channels} channels into groups of two or more, not {groups}"),
        )?;
    }
    attention(network)?;
    memory(network)
}

fn stress(network: &StressConfig) -> Result<(), Complaint> {
    const KEY: &str = "network.base_channels";
    let base = network.base_channels;
    require(base > 0 && base.is_multiple_of(16), KEY, || {
        format!("must be a positive multiple of 16, not {base}")
    })?;
    within(base, 16..=MAX_STRESS_CHANNELS, KEY)
}

fn attention(network: &LiveStreamUNetConfig) -> Result<(), Complaint> {
    const LEVELS: &str = "network.attention.levels";
    let channels = network.level_channels();
    let head_dim = network.attention.head_dim;
    multiple_of_8(head_dim, "network.attention.head_dim")?;
    for level in &network.attention.levels {
        within(*level, 0..=channels.len() - 1, LEVELS)?;
    }
    no_repeats(&network.attention.levels, LEVELS)?;
    let middle = channels.len() - 1;
    for level in network.attention.levels.iter().chain([&middle]) {
        require(
            channels[*level].is_multiple_of(head_dim),
            "network.attention.head_dim",
            || {
                format!(
                    "must divide the {} channels of level {level}, not {head_dim}",
                    channels[*level]
                )
            },
        )?;
    }
    Ok(())
}

fn memory(network: &LiveStreamUNetConfig) -> Result<(), Complaint> {
    const LEVELS: &str = "network.memory.levels";
    within(network.memory.slots, 1..=4096, "network.memory.slots")?;
    multiple_of_8(network.memory.dim, "network.memory.dim")?;
    no_repeats(&network.memory.levels, LEVELS)?;
    for level in &network.memory.levels {
        require(network.attention.levels.contains(level), LEVELS, || {
            format!("must be levels of network.attention.levels; {level} is not")
        })?;
    }
    Ok(())
}

fn no_repeats(levels: &[usize], key: &'static str) -> Result<(), Complaint> {
    let repeated = levels
        .iter()
        .enumerate()
        .find(|(at, level)| levels[..*at].contains(level));
    match repeated {
        None => Ok(()),
        Some((_, level)) => Err((key, format!("has level {level} twice"))),
    }
}
