//! Computes one time per node from several frames, so that the times of nodes add up to the frame's.

use serde::Serialize;

use crate::stats::quantile;

/// The times of frames of one program: some were profiled, others ran plain between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frames {
    /// Whose clock timed the nodes.
    pub clock: Clock,
    /// Frames left out at the start.
    pub warmup: usize,
    /// Plain frames' executions, ms.
    pub plain: Vec<f64>,
    /// Profiled frames' executions.
    pub profiled: Vec<ProfiledFrame>,
}

/// The clock that times nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The host's: nodes and what is between them add up to a profiled frame.
    #[default]
    Host,
    /// The device's, each node alone: nodes and what is between them, launches and copies, add up to a
    /// plain frame, and a profiled one takes much longer.
    Device,
}

/// A profiled frame's execution.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfiledFrame {
    /// Its time, ms.
    pub ms: f64,
    /// When its first node began, ms.
    pub before: f64,
    /// What was left of it after its last node's end, ms.
    pub after: f64,
    /// The time of each node, ms; the same nodes in the same order in every frame.
    pub nodes: Vec<f64>,
}

/// Why no profile can be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramesError {
    /// None was profiled, or none ran plain.
    #[error(
        "too few frames: a profile needs at least one profiled and one plain frame after the warm-up"
    )]
    TooFew,
    /// The frames' nodes differ.
    #[error("frames ran different nodes: {0} in one, {1} in another")]
    Nodes(usize, usize),
}

/// The times of a frame, ms: means over the middle half of the frames by their whole time, which
/// leaves out the slow and the fast quarter, and in which nodes and the rest add up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FrameTimes {
    /// Whose clock timed the nodes.
    pub clock: Clock,
    /// Frames left out at the start.
    pub warmup: usize,
    /// Plain frames measured.
    pub plain_frames: usize,
    /// Profiled frames measured.
    pub profiled_frames: usize,
    /// A plain frame's execution.
    pub plain_ms: f64,
    /// A profiled frame's execution.
    pub profiled_ms: f64,
    /// All nodes of a profiled frame.
    pub nodes_ms: f64,
    /// What nodes are parts of: by the host's clock a profiled frame, by the device's a plain one.
    pub whole_ms: f64,
    /// What they do not cover: `whole_ms - nodes_ms`, at least 0.
    pub uncovered_ms: f64,
    /// Of that what is before the first node: checking inputs, handing the program to the engine; 0 by
    /// the device's clock.
    pub before_ms: f64,
    /// And what is after the last: copying results and states, taking them back; 0 by the device's clock.
    pub after_ms: f64,
    /// `100 * nodes_ms / whole_ms`.
    pub covered_percent: f64,
    /// What profiling adds to a frame; null by the device's clock, where a profiled frame waits for each
    /// node, so that its whole time says nothing of the nodes'.
    pub overhead: Option<Overhead>,
}

/// What profiling adds to a frame, ms: of each profiled frame and the plain one beside it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Overhead {
    /// The median of the differences.
    pub median_ms: f64,
    /// The middle half of them: from here
    pub low_ms: f64,
    /// to here.
    pub high_ms: f64,
}

impl Overhead {
    /// Of frames that alternate; `None` if there is no pair.
    fn of(plain: &[f64], profiled: &[f64]) -> Option<Self> {
        let pairs = plain.iter().zip(profiled);
        let mut differences: Vec<f64> = pairs.map(|(plain, profiled)| profiled - plain).collect();
        if differences.is_empty() {
            return None;
        }
        differences.sort_by(f64::total_cmp);
        Some(Overhead {
            median_ms: quantile(&differences, 0.5),
            low_ms: quantile(&differences, 0.25),
            high_ms: quantile(&differences, 0.75),
        })
    }

    /// Whether the differences lie on one side of 0, so that they are more than noise.
    pub fn is_measurable(&self) -> bool {
        self.low_ms > 0.0 || self.high_ms < 0.0
    }

    /// Describes the overhead.
    pub fn words(&self) -> String {
        let range = format!("quartiles {:+.2} and {:+.2} ms", self.low_ms, self.high_ms);
        match self.is_measurable() {
            true => format!(
                "profiling adds {:+.2} ms per frame ({range})",
                self.median_ms
            ),
            false => format!("profiling adds less than the noise ({range})"),
        }
    }
}

impl Frames {
    /// Returns the times of the frame and of each node, ms.
    ///
    /// # Errors
    /// No frame of a kind; frames of different programs.
    pub fn times(&self) -> Result<(FrameTimes, Vec<f64>), FramesError> {
        let (Some(first), false) = (self.profiled.first(), self.plain.is_empty()) else {
            return Err(FramesError::TooFew);
        };
        let count = first.nodes.len();
        if let Some(other) = self.profiled.iter().find(|f| f.nodes.len() != count) {
            return Err(FramesError::Nodes(count, other.nodes.len()));
        }
        let plain: Vec<f64> = middle_half(&self.plain).map(|i| self.plain[i]).collect();
        let totals: Vec<f64> = self.profiled.iter().map(|f| f.ms).collect();
        let counted: Vec<&ProfiledFrame> =
            middle_half(&totals).map(|i| &self.profiled[i]).collect();
        let mean_of = |value: &dyn Fn(&ProfiledFrame) -> f64| {
            counted.iter().map(|f| value(f)).sum::<f64>() / counted.len() as f64
        };
        let nodes: Vec<f64> = (0..count).map(|i| mean_of(&|f| f.nodes[i])).collect();
        let plain_ms = plain.iter().sum::<f64>() / plain.len() as f64;
        let profiled_ms = mean_of(&|f| f.ms);
        let nodes_ms: f64 = nodes.iter().sum();
        let (whole_ms, before_ms, after_ms) = match self.clock {
            Clock::Host => (profiled_ms, mean_of(&|f| f.before), mean_of(&|f| f.after)),
            Clock::Device => (plain_ms, 0.0, 0.0),
        };
        let times = FrameTimes {
            clock: self.clock,
            warmup: self.warmup,
            plain_frames: self.plain.len(),
            profiled_frames: self.profiled.len(),
            plain_ms,
            profiled_ms,
            nodes_ms,
            whole_ms,
            uncovered_ms: (whole_ms - nodes_ms).max(0.0),
            before_ms,
            after_ms,
            covered_percent: 100.0 * nodes_ms / whole_ms,
            overhead: match self.clock {
                Clock::Host => Overhead::of(&self.plain, &totals),
                Clock::Device => None,
            },
        };
        Ok((times, nodes))
    }
}

/// The places of the middle half of some values, from the smallest; of fewer than four, all.
fn middle_half(values: &[f64]) -> impl Iterator<Item = usize> + use<> {
    let mut places: Vec<usize> = (0..values.len()).collect();
    places.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let quarter = values.len() / 4;
    places
        .into_iter()
        .skip(quarter)
        .take(values.len() - 2 * quarter)
}
