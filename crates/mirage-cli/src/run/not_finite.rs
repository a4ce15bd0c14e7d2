//! Explains a frame whose output is not finite.

use std::error::Error;

use mirage_lab::Job;
use mirage_stream::{Ranges, Session, StreamError};

use crate::{args::lowering, error::CliError};

/// Returns the error of a run. If it is of an output that is not finite, it says which layer is the first that is not, by a
/// run of the reference interpreter on the frame that failed.
pub(super) fn explained(error: StreamError, job: &Job, session: &Session) -> CliError {
    let Some(frame) = frame_of(&error) else {
        return error.into();
    };
    let lowering = lowering(&job.asked);
    let start = match frame {
        0 => "",
        _ => "with the state of a stream's start, ",
    };
    let why = match ranges(job, session) {
        Ok(Some(ranges)) => ranges.explain(&lowering),
        Ok(None) if lowering.is_empty() => {
            "no pass lowers precision; check the weights and the input (the model is too large to find the layer)".to_owned()
        }
        Ok(None) => format!(
            "run without {} to see whether it is the cause (the model is too large to find the layer)",
            lowering.join(" and ")
        ),
        Err(e) => format!("the layer was not found: {e}"),
    };
    CliError::failure(format!("{}; {start}{why}", CliError::from(error)))
}

/// Finds the first layer that is not finite on the inputs of the last execution.
fn ranges(job: &Job, session: &Session) -> Result<Option<Ranges>, StreamError> {
    let inputs = session.last_inputs()?;
    let captured = job.capture();
    let (captured, _) = captured.map_err(|e| StreamError::Setting(e.to_string()))?;
    Ranges::find(&captured, &inputs)
}

/// Returns the number of the frame whose output is not finite, if that is the error or its source.
fn frame_of(error: &(dyn Error + 'static)) -> Option<u64> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(StreamError::NotFinite { frame, .. }) = error.downcast_ref() {
            return Some(*frame);
        }
        next = error.source();
    }
    None
}
