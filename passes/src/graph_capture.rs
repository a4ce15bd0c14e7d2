//! Sets the graph flag `static_plan`: the backend fixes all shapes, buffers and the sequence of kernels at
//! compile and replays them in every execution. What that means depends on the backend: a device graph of
//! the whole frame, or a memory plan without allocations. Changes nothing if the backend does not support
//! the flag.
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
        "asks the backend to plan memory and kernels once and replay the plan in every execution",
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
            return Ok(Outcome::unchanged(
                "the graph already asks for a static plan",
            ));
        }
        if !cx.capabilities.heeds(GraphFlag::StaticPlan, DType::F32) {
            return Ok(Outcome::unchanged(
                "the backend has no static plan: it runs operation by operation",
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
            ["the backend has no static plan: it runs operation by operation"]
        );
        assert_eq!(text::print(&graph), text);
    }
}
