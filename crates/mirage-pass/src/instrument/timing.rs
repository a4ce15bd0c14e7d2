//! Measures the time of each pass.

use std::time::Instant;

use mirage_ir::Graph;

use super::{Change, Instrument, StepView, Verdict};
use crate::{Fault, PassRun};

/// Fills in [`PassRun::time`]. Always installed, first.
#[derive(Debug, Default)]
pub struct Timing {
    start: Option<Instant>,
}

impl Timing {
    /// Returns a clock that is not running.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Instrument for Timing {
    fn name(&self) -> &'static str {
        "timing"
    }

    fn before(&mut self, _step: StepView<'_>, _graph: &Graph) -> Verdict {
        self.start = Some(Instant::now());
        Verdict::Run
    }

    fn after(
        &mut self,
        _step: StepView<'_>,
        _change: Change<'_>,
        run: &mut PassRun,
    ) -> Result<(), Fault> {
        run.time = self
            .start
            .take()
            .map(|start| start.elapsed())
            .unwrap_or_default();
        Ok(())
    }
}
