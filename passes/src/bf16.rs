//! Runs convolutions, matrix products and attention in bf16, and elementwise operations between them.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[1,8]
//!   param %1 "w": f32[8,8]
//!   param %2 "g": f32[8]
//!   %3: f32[1,8] = linear(%0, %1)
//!   %4: f32[1,8] = layer_norm(%3, %2) {eps = 1e-5}
//!   %5: f32[1,8] = silu(%4)
//!   output "y" = %5
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[1,8]
//!   param %1 "w": f32[8,8]
//!   param %2 "g": f32[8]
//!   %3: bf16[1,8] = cast(%0) {dtype = "bf16"}
//!   %4: bf16[8,8] = cast(%1) {dtype = "bf16"}
//!   %5: bf16[1,8] = linear(%3, %4)
//!   %6: f32[1,8] = cast(%5) {dtype = "f32"}
//!   %7: f32[1,8] = layer_norm(%6, %2) {eps = 1e-5}
//!   %8: bf16[1,8] = cast(%7) {dtype = "bf16"}
//!   %9: bf16[1,8] = silu(%8)
//!   %10: f32[1,8] = cast(%9) {dtype = "f32"}
//!   output "y" = %10
//! }
//! ```

use mirage_ir::{DType, Graph, target::Subject};
use mirage_pass::{
    Need, Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase, TypedOptions,
};

use crate::lower_precision::{self, Options, WORTH_TRYING};

/// See the module.
pub(crate) struct Bf16;

static INFO: PassInfo = PassInfo {
    tags: &["precision"],
    conflicts: &["fp16"],
    needs: &[
        Need::new(Subject::operation("conv"), DType::BF16),
        Need::new(Subject::operation("linear"), DType::BF16),
    ],
    options: Options::SPECS,
    worth_trying: WORTH_TRYING,
    changes_interface: true,
    ..PassInfo::new(
        "bf16",
        1,
        "runs convolutions, matrix products and attention in bf16; keeps norms, softmax and the timestep in f32",
        Phase::Precision,
        Numerics::LowersPrecision { tolerance: 6e-2 },
    )
};

mirage_pass::register!(Bf16);

impl Pass for Bf16 {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        lower_precision::run(graph, DType::BF16, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        crate::example::check(&Bf16, include_str!("bf16.rs"));
    }
}
