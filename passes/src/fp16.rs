//! Runs convolutions, matrix products and attention in fp16, and elementwise operations between them.
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
//!   %3: f16[1,8] = cast(%0) {dtype = "f16"}
//!   %4: f16[8,8] = cast(%1) {dtype = "f16"}
//!   %5: f16[1,8] = linear(%3, %4)
//!   %6: f32[1,8] = cast(%5) {dtype = "f32"}
//!   %7: f32[1,8] = layer_norm(%6, %2) {eps = 1e-5}
//!   %8: f16[1,8] = cast(%7) {dtype = "f16"}
//!   %9: f16[1,8] = silu(%8)
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
pub(crate) struct Fp16;

static INFO: PassInfo = PassInfo {
    tags: &["precision"],
    conflicts: &["bf16"],
    needs: &[
        Need::new(Subject::operation("conv"), DType::F16),
        Need::new(Subject::operation("linear"), DType::F16),
    ],
    options: Options::SPECS,
    worth_trying: WORTH_TRYING,
    changes_interface: true,
    ..PassInfo::new(
        "fp16",
        1,
        "runs convolutions, matrix products and attention in fp16; keeps norms, softmax and the timestep in f32",
        Phase::Precision,
        Numerics::LowersPrecision { tolerance: 1e-2 },
    )
};

mirage_pass::register!(Fp16);

impl Pass for Fp16 {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        lower_precision::run(graph, DType::F16, cx)
    }
}

#[cfg(test)]
mod tests {
    use mirage_ir::{
        ops::{LayerNorm, Softmax},
        target::{Capabilities, Capability},
        text,
    };

    use super::*;

    #[test]
    fn examples() {
        crate::example::check(&Fp16, include_str!("fp16.rs"));
    }

    /// The norm of the example above, with no casts around it.
    #[test]
    fn a_norm_that_is_wide_inside_follows_its_operand() {
        let line = |subject| Capability::new(subject, [DType::F16]);
        let wide = Capabilities {
            lines: vec![
                line(Subject::AllOperations),
                line(Subject::f32_inside("layer_norm")),
            ],
        };
        let text = r#"graph "g" {
          input %0 "x": f32[1,8]
          param %1 "w": f32[8,8]
          param %2 "g": f32[8]
          %3: f32[1,8] = linear(%0, %1)
          %4: f32[1,8] = layer_norm(%3, %2) {eps = 1e-5}
          output "y" = %4
        }"#;
        let norms = |options: &mirage_pass::Options| {
            let mut graph = text::parse(text).expect("the graph parses");
            let cx = PassContext::new(&wide, options);
            Fp16.run(&mut graph, &cx).expect("the pass runs");
            let norm = graph.nodes().iter().find(|n| n.op.is::<LayerNorm>());
            graph.ty(norm.expect("the norm stays").output()).dtype
        };
        assert_eq!(norms(&mirage_pass::Options::defaults(&INFO)), DType::F16);
        let softmax = text.replace("layer_norm(%3, %2) {eps = 1e-5}", "softmax(%3) {dim = 1}");
        let mut graph = text::parse(&softmax).expect("the graph parses");
        let options = mirage_pass::Options::defaults(&INFO);
        let cx = PassContext::new(&wide, &options);
        Fp16.run(&mut graph, &cx).expect("the pass runs");
        let kept = graph.nodes().iter().find(|n| n.op.is::<Softmax>());
        let dtype = graph.ty(kept.expect("it stays").output()).dtype;
        assert_eq!(dtype, DType::F32, "only norms may be wide");
    }

    /// A convolution between an image's bytes and an image's bytes.
    const PICTURE: &str = r#"graph "g" {
      input %0 "frame": u8[1,8]
      param %1 "w": f32[8,8]
      %2: f32[1,8] = cast(%0) {dtype = "f32"}
      %3: f32[1,8] = div_scalar(%2) {value = 127.5}
      %4: f32[1,8] = linear(%3, %1)
      %5: f32[1,8] = mul_scalar(%4) {value = 127.5}
      %6: f32[1,8] = round(%5)
      %7: u8[1,8] = cast(%6) {dtype = "u8"}
      output "output" = %7
    }"#;

    #[test]
    fn a_picture_is_quantised_in_f32() {
        let capabilities = Capabilities::default();
        let dtypes = |inputs: &str| -> Vec<String> {
            let mut graph = text::parse(PICTURE).expect("the graph parses");
            let options = mirage_pass::Options::from_pairs(&INFO, [("inputs", inputs)]);
            let options = options.expect("options");
            let cx = PassContext::new(&capabilities, &options);
            Fp16.run(&mut graph, &cx).expect("the pass runs");
            mirage_ir::verify(&graph).expect("the graph is right");
            let of =
                |n: &mirage_ir::Node| format!("{} {}", n.op.name(), graph.ty(n.output()).dtype);
            graph.nodes().iter().map(of).collect()
        };
        let leaving = ["cast f32", "mul_scalar f32", "round f32", "cast u8"];
        let outside = dtypes("false");
        assert!(
            outside.ends_with(&leaving.map(str::to_owned)),
            "{outside:?}"
        );
        assert_eq!(outside[..2], ["cast f32", "div_scalar f32"]);
        let inside = dtypes("true");
        assert!(inside.ends_with(&leaving.map(str::to_owned)), "{inside:?}");
        assert_eq!(
            inside[..2],
            ["cast f16", "div_scalar f16"],
            "bytes are exact in f16"
        );
    }
}
