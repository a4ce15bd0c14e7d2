//! A model of the user's own, without its type.

use mirage_capture::Captured;
use mirage_model::{Schedule, Size, StreamModel, parameter_count};
use mirage_stream::{StreamError, Trajectory, capture_frame};

/// What a builder needs of a model.
pub(crate) trait OwnModel {
    fn name(&self) -> &str;
    fn schedule(&self) -> Schedule;
    /// Whether it has conditioning inputs, without which it cannot run.
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
