//! Picks the dtype of convolutions, matrix products and attention: bf16 if the backend has a fast path
//! for it, else fp16 if it has one for that, else f32. A note says which and why. Everything else is as
//! in `fp16` and `bf16`.
//!
//! On a backend with fast bf16:
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[1,8]
//!   param %1 "w": f32[8,8]
//!   %2: f32[1,8] = linear(%0, %1)
//!   output "y" = %2
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[1,8]
//!   param %1 "w": f32[8,8]
//!   %2: bf16[1,8] = cast(%0) {dtype = "bf16"}
//!   %3: bf16[8,8] = cast(%1) {dtype = "bf16"}
//!   %4: bf16[1,8] = linear(%2, %3)
//!   %5: f32[1,8] = cast(%4) {dtype = "f32"}
//!   output "y" = %5
//! }
//! ```

use mirage_ir::{
    DType, Graph,
    target::{Subject, Support},
};
use mirage_pass::{
    Need, Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase, TypedOptions,
};

use crate::lower_precision::{self, Options};

/// See the module.
pub(crate) struct AutoPrecision;

static INFO: PassInfo = PassInfo {
    tags: &["precision"],
    conflicts: &["fp16", "bf16"],
    needs: &[
        Need::new(Subject::operation("conv"), DType::BF16),
        Need::new(Subject::operation("conv"), DType::F16),
    ],
    options: Options::SPECS,
    changes_interface: true,
    ..PassInfo::new(
        "auto_precision",
        1,
        "runs convolutions, matrix products and attention in the fastest of bf16, fp16 and f32",
        Phase::Precision,
        Numerics::LowersPrecision { tolerance: 6e-2 },
    )
};

mirage_pass::register!(AutoPrecision);

/// The operations that decide: most of a network's time is spent in them.
const DECIDING: [&str; 2] = ["conv", "linear"];

impl Pass for AutoPrecision {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let is_fast = |dtype: DType| {
            DECIDING
                .iter()
                .all(|op| cx.capabilities.support(op, dtype) == Some(Support::Fast))
        };
        let Some(low) = [DType::BF16, DType::F16].into_iter().find(|d| is_fast(*d)) else {
            return Ok(Outcome::unchanged(
                "kept f32: the backend has no fast path for convolutions and matrix products in bf16 or f16",
            ));
        };
        let outcome = lower_precision::run(graph, low, cx)?;
        Ok(match outcome {
            Outcome::Changed {
                rewrites,
                mut notes,
            } => {
                notes.insert(0, format!("{low}: the backend has a fast path for it"));
                Outcome::Changed { rewrites, notes }
            }
            unchanged => unchanged,
        })
    }
}

#[cfg(test)]
mod tests {
    use mirage_ir::target::{Capabilities, Capability};

    use super::*;

    fn fast_in(dtypes: &[DType]) -> Capabilities {
        let line = Capability::new(Subject::AllOperations, dtypes.iter().copied());
        Capabilities { lines: vec![line] }
    }

    #[test]
    fn examples() {
        let fast = fast_in(&[DType::F32, DType::F16, DType::BF16]);
        crate::example::check_on(&AutoPrecision, &fast, include_str!("auto_precision.rs"));
    }

    #[test]
    fn what_is_fast_decides() {
        const GRAPH: &str = r#"graph "g" {
          input %0 "x": f32[1,8]
          param %1 "w": f32[8,8]
          %2: f32[1,8] = linear(%0, %1)
          output "y" = %2
        }"#;
        let lines = |dtypes: &[DType]| {
            let mut graph = mirage_ir::text::parse(GRAPH).unwrap();
            let options = mirage_pass::Options::defaults(&INFO);
            let capabilities = fast_in(dtypes);
            let outcome = AutoPrecision
                .run(&mut graph, &PassContext::new(&capabilities, &options))
                .unwrap();
            (outcome.rewrites(), outcome.lines()[0].clone())
        };
        assert_eq!(
            lines(&[DType::F32, DType::F16]),
            (1, "f16: the backend has a fast path for it".into())
        );
        assert!(lines(&[DType::F32]).1.starts_with("kept f32"));
    }
}
