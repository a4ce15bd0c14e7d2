//! A pass in a shared library of its own: scales a product's first operand instead of its result, where the
//! result is larger, as the scores of attention are.
//!
//! ```text
//! %2: f32[1,64,64] = matmul(%0, %1)                 %2: f32[1,64,8] = mul_scalar(%0) {value = 0.25}
//! %3: f32[1,64,64] = mul_scalar(%2) {value = 0.25}  %3: f32[1,64,64] = matmul(%2, %1)
//! ```
//!
//! `cargo build --release`, then
//! `mirage run --passes scale_query --plugin target/release/LIBRARY`.

use mirage_ir::{
    Graph,
    ops::{Binary, Matmul},
};
use mirage_pass::{
    Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase, TypedOptions,
    rewrite::rewrite,
};

/// See the crate.
struct ScaleQuery;

mirage_plugin::export! { passes: [&ScaleQuery] }

mirage_pass::options! {
    /// The options of the pass.
    struct Options {
        /// leave results alone that have fewer elements than this
        at_least: usize = 0;
    }
}

static INFO: PassInfo = PassInfo {
    options: Options::SPECS,
    ..PassInfo::new(
        "scale_query",
        1,
        "scales the smaller operand of a product instead of its result",
        Phase::Simplify,
        // The same function, rounded at other places.
        Numerics::Reassociates,
    )
};

impl Pass for ScaleQuery {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let Options { at_least } = Options::read(cx.options)?;
        let rewrites = rewrite(graph, |view, id, node, patch| {
            let Some((product, _)) = view.scalar(node.output(), Binary::Mul) else {
                return Ok(());
            };
            let Some((matmul, operands)) = view.made_by::<Matmul>(product) else {
                return Ok(());
            };
            let (matmul, [a, b]) = (*matmul, [operands[0], operands[1]]);
            let elements = view.ty(product).numel();
            if view.ty(a).numel() >= elements || elements < at_least {
                return Ok(());
            }
            let mut at = patch.at(id);
            let scaled = at.op(node.op.clone(), &[a])?;
            let result = at.op(matmul, &[scaled, b])?;
            at.replace(node.output(), result)
        })?;
        tracing::debug!(rewrites, "looked for scaled products");
        match rewrites {
            0 => Ok(Outcome::unchanged(
                "0 matches: no product is scaled that is larger than its first operand",
            )),
            _ => Ok(Outcome::changed(rewrites)),
        }
    }
}

#[cfg(test)]
mod tests {
    use mirage_ir::{target::Capabilities, text};
    use mirage_pass::Options as Values;

    use super::*;

    fn run(text: &str, options: &[(&str, &str)]) -> (String, Outcome) {
        let mut graph = text::parse(text).unwrap();
        let options = Values::from_pairs(&INFO, options.iter().copied()).unwrap();
        let capabilities = Capabilities::default();
        let cx = PassContext::new(&capabilities, &options);
        let outcome = ScaleQuery.run(&mut graph, &cx).unwrap();
        (text::print(&graph), outcome)
    }

    const BEFORE: &str = "graph \"example\" {
  input %0 \"q\": f32[1,64,8]
  input %1 \"k\": f32[1,8,64]
  %2: f32[1,64,64] = matmul(%0, %1)
  %3: f32[1,64,64] = mul_scalar(%2) {value = 0.25}
  output \"scores\" = %3
}
";

    #[test]
    fn the_smaller_operand_is_scaled() {
        let (after, outcome) = run(BEFORE, &[]);
        assert_eq!(outcome, Outcome::changed(1));
        assert!(after.contains("f32[1,64,8] = mul_scalar(%0)"), "{after}");
        let (again, outcome) = run(&after, &[]);
        assert!(!outcome.is_changed() && again == after);
    }

    #[test]
    fn small_results_are_left_alone_where_that_is_asked_for() {
        let (after, outcome) = run(BEFORE, &[("at_least", "5000")]);
        assert!(!outcome.is_changed() && after == BEFORE);
    }
}
