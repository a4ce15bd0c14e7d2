//! Asks for a static plan: all shapes, buffers and the sequence of work fixed at compile, so that a
//! frame is replayed. What a backend makes of it is its own: a CUDA graph of the whole frame, a
//! memory plan without allocations. For a backend that plans nothing the graph stays as it is.
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

use mirage_ir::{DType, Graph, GraphFlag, target::Subject};
use mirage_pass::{Need, Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase};

/// See the module.
pub(crate) struct GraphCapture;

static INFO: PassInfo = PassInfo {
    needs: &[Need::new(Subject::flag(GraphFlag::StaticPlan), DType::F32)],
    ..PassInfo::new(
        "graph_capture",
        1,
        "asks the backend for a static plan, replayed every frame",
        Phase::Runtime,
        Numerics::SameDefinition,
    )
};

mirage_pass::register!(GraphCapture);

impl Pass for GraphCapture {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        if graph.has_flag(GraphFlag::StaticPlan) {
            return Ok(Outcome::unchanged("the graph has a static plan already"));
        }
        if !cx.capabilities.heeds(GraphFlag::StaticPlan, DType::F32) {
            return Ok(Outcome::unchanged(
                "the backend makes no static plan: it runs operation by operation as before",
            ));
        }
        graph.set_flag(GraphFlag::StaticPlan);
        Ok(Outcome::changed(1))
    }
}

#[cfg(test)]
mod tests {
    use mirage_ir::{
        target::{Capabilities, Capability},
        text,
    };
    use mirage_pass::Options;

    use super::*;

    #[test]
    fn examples() {
        let plans = Capabilities {
            lines: vec![Capability::new(
                Subject::flag(GraphFlag::StaticPlan),
                [DType::F32],
            )],
        };
        crate::example::check_on(&GraphCapture, &plans, include_str!("graph_capture.rs"));
    }

    #[test]
    fn a_backend_that_plans_nothing_gets_no_attribute() {
        let text = "graph \"g\" {\n  input %0 \"x\": f32[4]\n  output \"y\" = %0\n}\n";
        let mut graph = text::parse(text).expect("the graph parses");
        let (none, options) = (Capabilities::default(), Options::defaults(&INFO));
        let outcome = GraphCapture
            .run(&mut graph, &PassContext::new(&none, &options))
            .expect("the pass runs");
        assert_eq!(
            outcome.lines(),
            ["the backend makes no static plan: it runs operation by operation as before"]
        );
        assert_eq!(text::print(&graph), text);
    }
}
