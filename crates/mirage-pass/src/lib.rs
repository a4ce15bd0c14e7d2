//! Passes, which rewrite graphs, and pipelines of passes.
//!
//! A [`Pass`] has metadata as data ([`PassInfo`]). [`register!`] adds it to the [`Registry`] of the
//! program. A user requests passes by a [`PipelineSpec`], in text
//! (`fp16{keep=norm+softmax},channels_last,sdpa`) or TOML. [`plan`](fn@plan) puts them into a legal order,
//! and a [`Manager`] runs the [`Plan`] on a graph. [`Instrument`](instrument::Instrument)s observe it:
//! timing, verification, dumps, numerical differences, bisection.
//!
//! ```
//! use mirage_ir::{DType, Graph, GraphFlag, TensorType, target::Capabilities};
//! use mirage_pass::*;
//!
//! struct MarkStatic;
//!
//! impl Pass for MarkStatic {
//!     fn info(&self) -> &'static PassInfo {
//!         static INFO: PassInfo =
//!             PassInfo::new("mark_static", 1, "sets `static_plan`", Phase::Runtime, Numerics::SameDefinition);
//!         &INFO
//!     }
//!
//!     fn run(&self, graph: &mut Graph, _cx: &PassContext<'_>) -> Result<Outcome, PassError> {
//!         if graph.has_flag(GraphFlag::StaticPlan) {
//!             return Ok(Outcome::unchanged("the graph already has `static_plan`"));
//!         }
//!         graph.set_flag(GraphFlag::StaticPlan);
//!         Ok(Outcome::changed(1))
//!     }
//! }
//!
//! register!(MarkStatic);
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut b = Graph::builder("example");
//! let x = b.input("x", TensorType::new(DType::F32, [1, 8]));
//! b.output("y", x);
//! let graph = b.finish()?;
//!
//! let plan = plan(&Registry::linked()?, &"mark_static".parse()?)?;
//! let (graph, report) = Manager::new().run(&plan, &graph, &Capabilities::default())?;
//! assert!(graph.has_flag(GraphFlag::StaticPlan));
//! assert_eq!(report.passes[0].rewrites, 1);
//! # Ok(())
//! # }
//! ```

mod files;
mod fingerprint;
mod grammar;
mod info;
pub mod instrument;
mod interface;
mod manager;
mod numerics;
mod options;
mod pass;
mod plan;
mod planner;
mod registry;
pub mod rewrite;

pub use fingerprint::Fingerprint;
pub use grammar::{GrammarError, PassSpec, PipelineSpec, Place, TomlError};
pub use info::{CLEANUP, Need, PassInfo, Phase};
pub use interface::check_interface;
pub use manager::{
    BeginFault, Fault, GraphSummary, Manager, PassRun, PipelineError, PipelineReport, Remark,
    Reproducer, StepFailure,
};
pub use numerics::Numerics;
pub use options::{
    Choice, One, OptionError, OptionKind, OptionSpec, OptionType, OptionValue, Options, Set,
    TypedOptions,
};
pub use pass::{Outcome, Pass, PassContext, PassError};
pub use plan::{Plan, PlannedPass};
pub use planner::{PlanError, Rule, Stated, plan, plan_in_order};
pub use registry::{PassEntry, Registry, RegistryError, extend};

/// Items that [`register!`] expands to.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
}
