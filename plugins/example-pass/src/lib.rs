//! A pass as a plugin: replaces the addition of a negated value by a subtraction.
//!
//! ```text
//! %2: f32[1,4] = neg(%1)          %2: f32[1,4] = sub(%0, %1)
//! %3: f32[1,4] = add(%0, %2)
//! ```
//!
//! `cargo build --release -p mirage-example-pass`, then
//! `mirage passes show subtract_negated --plugin target/release/libmirage_example_pass.so`.

use mirage_ir::{
    Graph,
    ops::{Binary, Unary},
};
use mirage_pass::{
    Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase, TypedOptions,
    rewrite::rewrite,
};

/// See the crate.
struct SubtractNegated;

mirage_plugin::export! { passes: [&SubtractNegated] }

mirage_pass::options! {
    /// The options of the pass.
    struct Options {
        /// also match if the first operand is negated
        swap: bool = true;
    }
}

static INFO: PassInfo = PassInfo {
    options: Options::SPECS,
    ..PassInfo::new(
        "subtract_negated",
        1,
        "replaces x + (-y) by x - y",
        Phase::Simplify,
        Numerics::BitIdentical,
    )
};

impl Pass for SubtractNegated {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let Options { swap } = Options::read(cx.options)?;
        let rewrites = rewrite(graph, |view, id, node, patch| {
            let Some([a, b]) = view.binary(node.output(), Binary::Add) else {
                return Ok(());
            };
            let negated = |value| view.unary(value, Unary::Neg);
            let operands = match (negated(a), negated(b)) {
                (_, Some(y)) => [a, y],
                (Some(x), None) if swap => [b, x],
                _ => return Ok(()),
            };
            let mut at = patch.at(id);
            let difference = at.op(Binary::Sub, &operands)?;
            at.replace(node.output(), difference)
        })?;
        tracing::debug!(rewrites, "searched for sums with a negated operand");
        match rewrites {
            0 => Ok(Outcome::unchanged(
                "0 matches: no sum has a negated operand",
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
        let outcome = SubtractNegated.run(&mut graph, &cx).unwrap();
        (text::print(&graph), outcome)
    }

    const BEFORE: &str = "graph \"example\" {
  input %0 \"x\": f32[1,4]
  input %1 \"y\": f32[1,4]
  %2: f32[1,4] = neg(%1)
  %3: f32[1,4] = add(%2, %0)
  output \"z\" = %3
}
";

    #[test]
    fn a_negated_part_is_subtracted() {
        let (after, outcome) = run(BEFORE, &[]);
        assert_eq!(outcome, Outcome::changed(1));
        assert!(after.contains("%2: f32[1,4] = sub(%0, %1)"), "{after}");
        let (again, outcome) = run(&after, &[]);
        assert!(!outcome.is_changed() && again == after);
    }

    #[test]
    fn the_first_part_is_left_alone_where_that_is_asked_for() {
        let (after, outcome) = run(BEFORE, &[("swap", "false")]);
        assert!(!outcome.is_changed() && after == BEFORE);
    }
}
