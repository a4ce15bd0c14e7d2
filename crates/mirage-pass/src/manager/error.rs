//! Why running a plan stopped.

use std::{fmt, path::PathBuf};

use mirage_ir::GraphError;

use super::{report::PipelineReport, reproducer::Reproducer};
use crate::PassError;

/// What is wrong with a graph or with what a pass did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The pass gave up.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// The pass panicked: a bug of the pass.
    #[error("panicked: {0}")]
    Panic(String),
    /// The graph is invalid.
    #[error("left an invalid graph: {0}")]
    Invalid(GraphError),
    /// The graph's interface is another.
    #[error("changed the interface, which it does not declare to do: {0}")]
    Interface(String),
    /// The interface of a body that is called is another.
    #[error("changed the interface of `{body}`, which is called: {message}")]
    BodyInterface {
        /// The body's name.
        body: String,
        /// What is another.
        message: String,
    },
    /// The outcome is not what happened.
    #[error("{0}")]
    Outcome(&'static str),
    /// An instrument failed.
    #[error("instrument `{instrument}` failed: {message}")]
    Instrument {
        /// The instrument.
        instrument: &'static str,
        /// What happened, and what to do.
        message: String,
    },
}

/// Why running a plan stopped. There is no graph then, and the one given is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The graph given is invalid, or an instrument could not begin.
    #[error("before the first pass: {0}")]
    Begin(BeginFault),
    /// A pass failed.
    #[error(transparent)]
    Step(#[from] Box<StepFailure>),
}

/// A [`Fault`] before the first pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeginFault(pub Fault);

impl fmt::Display for BeginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::Invalid(e) => write!(f, "the graph is invalid: {e}"),
            other => other.fmt(f),
        }
    }
}

/// A pass that failed.
#[derive(Debug)]
pub struct StepFailure {
    /// The pass.
    pub pass: &'static str,
    /// Its version.
    pub version: u32,
    /// The step's position in the plan, from 0.
    pub step: usize,
    /// What happened.
    pub fault: Fault,
    /// What it takes to see it again.
    pub reproducer: Reproducer,
    /// The file that the reproducer is in, or why it could not be written; `None` where no folder
    /// for it was given.
    pub written: Option<Result<PathBuf, String>>,
    /// The steps before.
    pub report: PipelineReport,
}

impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pass `{}` {}", self.pass, self.sentence())?;
        match &self.written {
            None => Ok(()),
            Some(Ok(path)) => write!(f, " (reproducer: {})", path.display()),
            Some(Err(e)) => write!(f, " (the reproducer could not be written: {e})"),
        }
    }
}

impl StepFailure {
    fn sentence(&self) -> String {
        match &self.fault {
            Fault::Pass(e) => format!("failed: {e}"),
            Fault::Instrument { .. } => format!("ran, but {}", self.fault),
            fault => fault.to_string(),
        }
    }
}

impl std::error::Error for StepFailure {}
