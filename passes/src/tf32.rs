//! Sets the graph flag `tf32_products`: the backend may round the operands of f32 convolutions, linear
//! layers, matrix products and attention to tf32, the tensor cores' format with 10 bits of fraction.
//! Values in memory stay f32. Changes nothing if the backend does not support the flag.
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
//! graph "example" {tf32_products = true} {
//!   input %0 "x": f32[1,8]
//!   param %1 "w": f32[8,8]
//!   %2: f32[1,8] = linear(%0, %1)
//!   output "y" = %2
//! }
//! ```

use mirage_ir::{
    DType, Graph, GraphFlag, Node,
    ops::{Attention, Conv, ConvTranspose, Linear, Matmul},
    target::Subject,
};
use mirage_pass::{Need, Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase};

/// See the module.
pub(crate) struct Tf32;

static INFO: PassInfo = PassInfo {
    after: &["precision"],
    needs: &[Need::new(
        Subject::flag(GraphFlag::Tf32Products),
        DType::F32,
    )],
    ..PassInfo::new(
        "tf32",
        1,
        "lets the backend round operands of f32 matrix products to tf32 for tensor cores",
        Phase::Precision,
        Numerics::LowersPrecision { tolerance: 5e-3 },
    )
};

mirage_pass::register!(Tf32);

impl Pass for Tf32 {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        if graph.has_flag(GraphFlag::Tf32Products) {
            return Ok(Outcome::unchanged("the graph already allows tf32"));
        }
        if !cx.capabilities.heeds(GraphFlag::Tf32Products, DType::F32) {
            return Ok(Outcome::unchanged(
                "the backend does not support tf32: it computes in f32",
            ));
        }
        let products = graph
            .nodes()
            .iter()
            .filter(|n| is_product(graph, n))
            .count();
        if products == 0 {
            return Ok(Outcome::unchanged(
                "0 matches: the graph has no f32 convolution, matrix product or attention",
            ));
        }
        graph.set_flag(GraphFlag::Tf32Products);
        Ok(Outcome::changed(products))
    }
}

fn is_product(graph: &Graph, node: &Node) -> bool {
    let op = &node.op;
    let kind = op.is::<Conv>()
        || op.is::<ConvTranspose>()
        || op.is::<Linear>()
        || op.is::<Matmul>()
        || op.is::<Attention>();
    kind && graph.ty(node.output()).dtype == DType::F32
}

#[cfg(test)]
mod tests {
    use mirage_ir::{
        target::{Capabilities, Capability},
        text,
    };
    use mirage_pass::Options;

    use super::*;

    fn with_tf32() -> Capabilities {
        Capabilities {
            lines: vec![Capability::new(
                Subject::flag(GraphFlag::Tf32Products),
                [DType::F32],
            )],
        }
    }

    fn reasons(graph: &str, capabilities: &Capabilities) -> Vec<String> {
        let mut graph = text::parse(graph).expect("the graph parses");
        let options = Options::defaults(&INFO);
        let outcome = Tf32
            .run(&mut graph, &PassContext::new(capabilities, &options))
            .expect("the pass runs");
        assert!(!outcome.is_changed());
        outcome.lines().to_vec()
    }

    #[test]
    fn examples() {
        crate::example::check_on(&Tf32, &with_tf32(), include_str!("tf32.rs"));
    }

    #[test]
    fn a_graph_without_f32_products_stays() {
        let halves = r#"graph "g" {
          input %0 "x": f16[1,8]
          param %1 "w": f16[8,8]
          %2: f16[1,8] = linear(%0, %1)
          output "y" = %2
        }"#;
        assert_eq!(
            reasons(halves, &with_tf32()),
            ["0 matches: the graph has no f32 convolution, matrix product or attention"]
        );
    }

    #[test]
    fn a_backend_without_tf32_gets_no_attribute() {
        let product = r#"graph "g" {
          input %0 "x": f32[8,8]
          %1: f32[8,8] = matmul(%0, %0)
          output "y" = %1
        }"#;
        assert_eq!(
            reasons(product, &Capabilities::default()),
            ["the backend does not support tf32: it computes in f32"]
        );
    }
}
