//! Errors of running a plan.

use std::{fmt, path::PathBuf};

use mirage_ir::GraphError;

use super::{report::PipelineReport, reproducer::Reproducer};
use crate::PassError;

/// What is wrong with a graph, or with what a pass did to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The pass returned an error.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// The pass panicked, which is a bug in it.
    #[error("panicked: {0}")]
    Panic(String),
    /// The graph is invalid.
    #[error("left an invalid graph: {0}")]
    Invalid(GraphError),
    /// The graph's interface changed.
    #[error("changed the interface without declaring `changes_interface`: {0}")]
    Interface(String),
    /// The interface of a called body changed.
    #[error("changed the interface of the called body `{body}`: {message}")]
    BodyInterface {
        /// The body's name.
        body: String,
        /// What changed.
        message: String,
    },
    /// The outcome does not match what the pass did.
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

/// An error of running a plan. The given graph is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The given graph is invalid, or an instrument could not start.
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

/// A failed pass.
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
    /// What is needed to reproduce the failure.
    pub reproducer: Reproducer,
    /// The file of the reproducer, or why it could not be written; `None` if no folder was set.
    pub written: Option<Result<PathBuf, String>>,
    /// The steps before the failed one.
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
