//! What happens between a builder and the first frame.

use std::{cell::RefCell, time::Duration};

use mirage_pass::{
    Fault, PassRun,
    instrument::{Change, Instrument, StepView},
};

/// What happens between a builder and the first frame, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The model was captured into a graph of so many nodes.
    Captured {
        /// The model's name.
        model: &'a str,
        /// Nodes of the graph.
        nodes: usize,
    },
    /// A pass ran.
    Pass {
        /// Its name.
        name: &'a str,
        /// Its place among the passes that run, from 0.
        index: usize,
        /// How many run.
        of: usize,
        /// Places that it rewrote.
        rewrites: usize,
    },
    /// The backend compiled the graph.
    Compiled {
        /// How long it took.
        time: Duration,
    },
    /// A frame of the warm-up ran.
    WarmUp {
        /// Frames that ran so far.
        done: usize,
        /// How many there are.
        of: usize,
    },
}

/// Who is told.
pub(crate) type Listener<'a> = dyn FnMut(Event<'_>) + 'a;

/// Tells of every pass.
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
