//! A pass of your own: scales the first operand of a matrix product instead of its result, if the result is
//! larger, as for attention scores.
//!
//! ```text
//! %2: f32[1,64,64] = matmul(%0, %1)               %2: f32[1,64,8] = mul_scalar(%0) {value = 0.25}
//! %3: f32[1,64,64] = mul_scalar(%2) {value = 0.25}  %3: f32[1,64,64] = matmul(%2, %1)
//! ```

use mirage_ir::{
    Graph,
    ops::{Binary, Matmul},
};
use mirage_pass::{
    Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase, rewrite::rewrite,
};

/// See the module.
struct ScaleQuery;

static INFO: PassInfo = PassInfo::new(
    "scale_query",
    1,
    "scales the first operand of a matrix product instead of its larger result",
    Phase::Simplify,
    Numerics::Reassociates,
);

// A program that links this can use the pass by name.
mirage_pass::register!(ScaleQuery);

impl Pass for ScaleQuery {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, _cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let rewrites = rewrite(graph, |view, id, node, patch| {
            let Some((product, _)) = view.scalar(node.output(), Binary::Mul) else {
                return Ok(());
            };
            let Some((matmul, operands)) = view.made_by::<Matmul>(product) else {
                return Ok(());
            };
            let (matmul, [a, b]) = (*matmul, [operands[0], operands[1]]);
            if view.ty(a).numel() >= view.ty(product).numel() {
                return Ok(());
            }
            let mut at = patch.at(id);
            let scaled = at.op(node.op.clone(), &[a])?;
            let result = at.op(matmul, &[scaled, b])?;
            at.replace(node.output(), result)
        })?;
        match rewrites {
            0 => Ok(Outcome::unchanged(
                "0 matches: no scaled matrix product is larger than its first operand",
            )),
            _ => Ok(Outcome::changed(rewrites)),
        }
    }
}
