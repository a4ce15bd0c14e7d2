//! Profiles frames, alternating with frames without profiling.

use std::time::Duration;

use mirage_backend::{NodeClock, NodeTime};
use mirage_video::Frame;

use crate::{Session, StreamError};

/// The times of a program's frames, without transfers of pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The clock that timed the nodes.
    pub clock: NodeClock,
    /// The number of excluded warm-up frames.
    pub warmup: usize,
    /// Plain frames' executions.
    pub plain: Vec<Duration>,
    /// Profiled frames' executions, which alternate with those.
    pub profiled: Vec<ProfiledExecution>,
}

/// An execution with the time of every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfiledExecution {
    /// The whole.
    pub time: Duration,
    /// Every node that ran something, in order.
    pub nodes: Vec<NodeTime>,
}

/// Runs frames (in the model's size) through a session, profiling every second one; the first
/// `warmup` are left out. `go_on` is told after each frame how many are done; `None` if it said no.
///
/// # Errors
/// What the session says; too few frames for one of each kind.
pub fn profile(
    session: &mut Session,
    frames: &[Frame],
    warmup: usize,
    mut go_on: impl FnMut(usize) -> bool,
) -> Result<Option<Profile>, StreamError> {
    if frames.len() < warmup + 2 {
        return Err(StreamError::Setting(format!(
            "too few frames: a profile needs at least 2 after the warm-up of {warmup}, got {}",
            frames.len()
        )));
    }
    let mut found = Profile {
        clock: session.node_clock(),
        warmup,
        ..Profile::default()
    };
    for (i, frame) in frames.iter().enumerate() {
        let counts = i >= warmup;
        // The warm-up takes turns too, so that both kinds are warm; the first counted is plain.
        if i % 2 == warmup % 2 {
            let time = session.time(frame)?;
            found.plain.extend(counts.then_some(time));
        } else {
            let trace = session.profile(&mut frame.clone())?;
            let execution = ProfiledExecution {
                time: trace.execute.time,
                nodes: trace.nodes,
            };
            found.profiled.extend(counts.then_some(execution));
        }
        if !go_on(i + 1) {
            return Ok(None);
        }
    }
    Ok(Some(found))
}
