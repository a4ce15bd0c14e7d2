//! Asks for a static plan: all shapes, buffers and the sequence of work fixed at compile, so that a
//! frame is replayed. What a backend makes of it is its own: a CUDA graph of the whole frame, a
//! memory plan without allocations.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[4]
//!   %1: f32[4] = exp(%0)
//!   output "y" = %1
//! }
//! ```
//! ```mirage after
//! graph "example" {static_plan = true} {
//!   input %0 "x": f32[4]
//!   %1: f32[4] = exp(%0)
//!   output "y" = %1
//! }
//! ```

use mirage_ir::Graph;
use mirage_pass::{Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase};

/// See the module.
pub(crate) struct GraphCapture;

static INFO: PassInfo = PassInfo::new(
    "graph_capture",
    1,
    "asks the backend for a static plan, replayed every frame",
    Phase::Runtime,
    Numerics::Exact,
);

mirage_pass::register!(GraphCapture);

/// The graph attribute that backends read.
const STATIC_PLAN: &str = "static_plan";

impl Pass for GraphCapture {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, _cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        if graph.attrs().get(STATIC_PLAN).and_then(|v| v.as_bool()) == Some(true) {
            return Ok(Outcome::unchanged("the graph has a static plan already"));
        }
        graph.set_attr(STATIC_PLAN, true);
        Ok(Outcome::changed(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        crate::example::check(&GraphCapture, include_str!("graph_capture.rs"));
    }
}
