//! The run loop of every program: runs steps in order, times them if requested, adds the node to errors.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mirage_backend::NodeTime;
use mirage_ir::NodeId;

use crate::{Stopwatch, catch};

/// The name of a step in errors and profiles.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    /// The node of the compiled graph; for the steps of a region's body, the region.
    pub(crate) node: NodeId,
    pub(crate) op: String,
    pub(crate) path: Arc<str>,
}

impl Label {
    fn failed(&self, message: &str) -> String {
        let place = if self.path.is_empty() {
            String::new()
        } else {
            format!(" at `{}`", self.path)
        };
        let node = self.node.index();
        format!("node {node} ({}{place}) failed: {message}", self.op)
    }
}

/// The time of every node, in the sequence of the run.
pub(crate) struct Times {
    began: Instant,
    nodes: Vec<NodeTime>,
}

impl Times {
    /// Returns an empty table; starts of nodes are measured from now.
    pub(crate) fn begin(steps: usize) -> Self {
        Times {
            began: Instant::now(),
            nodes: Vec::with_capacity(steps),
        }
    }

    /// Adds a time; consecutive steps of a region's body are one node.
    fn add(&mut self, node: NodeId, start: Instant, time: Duration) {
        match self.nodes.last_mut().filter(|last| last.node == node) {
            Some(last) => last.time += time,
            None => self.nodes.push(NodeTime {
                node,
                start: start - self.began,
                time,
            }),
        }
    }

    pub(crate) fn into_nodes(self) -> Vec<NodeTime> {
        self.nodes
    }
}

/// The table of times, and the stopwatch.
pub(crate) struct Timed<'a> {
    pub(crate) times: &'a mut Times,
    pub(crate) watch: Box<dyn Stopwatch + 'a>,
}

/// Runs steps in order. With `timed`, waits for each step, so that its time does not include others. The
/// error names the failed step.
pub(crate) fn run<S>(
    steps: &[S],
    label: impl Fn(&S) -> &Label,
    mut timed: Option<Timed<'_>>,
    mut one: impl FnMut(&S) -> Result<(), String>,
) -> Result<(), String> {
    let mut at = 0;
    let result = catch(|| {
        for (i, step) in steps.iter().enumerate() {
            at = i;
            let Some(Timed { times, watch }) = &mut timed else {
                one(step)?;
                continue;
            };
            let start = Instant::now();
            watch.start()?;
            one(step)?;
            times.add(label(step).node, start, watch.stop()?);
        }
        Ok(())
    });
    let result = result.and_then(|r| r);
    result.map_err(|message| label(&steps[at]).failed(&message))
}
