//! Object-safe form of a user's own model.

use mirage_capture::Captured;
use mirage_model::{Schedule, Size, StreamModel, parameter_count};
use mirage_stream::{StreamError, Trajectory, capture_frame};

/// The part of a model that the builder uses.
pub(crate) trait OwnModel {
    fn name(&self) -> &str;
    fn schedule(&self) -> Schedule;
    /// Whether the model has conditioning inputs, which must be set before it runs.
    fn is_conditioned(&self) -> bool;
    fn parameters(&self) -> usize;
    fn capture(&self, size: Size, trajectory: &Trajectory) -> Result<Captured, StreamError>;
}

impl<M: StreamModel> OwnModel for M {
    fn name(&self) -> &str {
        StreamModel::name(self)
    }

    fn schedule(&self) -> Schedule {
        StreamModel::schedule(self)
    }

    fn is_conditioned(&self) -> bool {
        !self.condition_specs().is_empty()
    }

    fn parameters(&self) -> usize {
        parameter_count(self)
    }

    fn capture(&self, size: Size, trajectory: &Trajectory) -> Result<Captured, StreamError> {
        capture_frame(self, size, trajectory)
    }
}
