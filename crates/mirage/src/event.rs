//! Events of building a stream.

use std::{cell::RefCell, time::Duration};

use mirage_pass::{
    Fault, PassRun,
    instrument::{Change, Instrument, StepView},
};

/// An event of building a stream, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The model was captured.
    Captured {
        /// The model's name.
        model: &'a str,
        /// Number of nodes of the graph.
        nodes: usize,
    },
    /// A pass ran.
    Pass {
        /// Its name.
        name: &'a str,
        /// Its index among the passes, from 0.
        index: usize,
        /// Number of passes.
        of: usize,
        /// Number of rewrites.
        rewrites: usize,
    },
    /// The backend compiled the graph.
    Compiled {
        /// The time that it took.
        time: Duration,
    },
    /// A warm-up frame ran.
    WarmUp {
        /// Number of frames so far.
        done: usize,
        /// Number of all warm-up frames.
        of: usize,
    },
}

/// The receiver of events.
pub(crate) type Listener<'a> = dyn FnMut(Event<'_>) + 'a;

/// Reports every pass.
pub(crate) struct Passes<'a, 'b, 'c> {
    pub(crate) listener: &'a RefCell<&'b mut Listener<'c>>,
    pub(crate) of: usize,
}

impl Instrument for Passes<'_, '_, '_> {
    fn name(&self) -> &'static str {
        "events"
    }

    fn after(
        &mut self,
        step: StepView<'_>,
        change: Change<'_>,
        _run: &mut PassRun,
    ) -> Result<(), Fault> {
        (self.listener.borrow_mut())(Event::Pass {
            name: step.step.info().name,
            index: step.index,
            of: self.of,
            rewrites: change.outcome.rewrites(),
        });
        Ok(())
    }
}
