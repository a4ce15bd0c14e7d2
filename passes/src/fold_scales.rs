//! Folds multiplications by a number into the weights of the layer before them. In an attention that is
//! written out, for example, the query weights are scaled once instead of the scores in every execution.
//!
//! Views and matrix products may lie between the layer and the multiplication if their results have no
//! other uses. The scaled weights are nodes on parameters, computed once at compile.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[1,4,8]
//!   input %1 "keys": f32[1,2,4,4]
//!   param %2 "wq": f32[8,8]
//!   param %3 "bq": f32[8]
//!   %4: f32[1,4,8] = linear(%0, %2, %3)
//!   %5: f32[1,4,2,4] = reshape(%4) {shape = [1, 4, 2, 4]}
//!   %6: f32[1,2,4,4] = permute(%5) {axes = [0, 2, 1, 3]}
//!   %7: f32[1,2,4,4] = matmul(%6, %1)
//!   %8: f32[1,2,4,4] = mul_scalar(%7) {value = 0.5}
//!   %9: f32[1,2,4,4] = softmax(%8) {dim = 3}
//!   output "y" = %9
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[1,4,8]
//!   input %1 "keys": f32[1,2,4,4]
//!   param %2 "wq": f32[8,8]
//!   param %3 "bq": f32[8]
//!   %4: f32[8,8] = mul_scalar(%2) {value = 0.5}
//!   %5: f32[8] = mul_scalar(%3) {value = 0.5}
//!   %6: f32[1,4,8] = linear(%0, %4, %5)
//!   %7: f32[1,4,2,4] = reshape(%6) {shape = [1, 4, 2, 4]}
//!   %8: f32[1,2,4,4] = permute(%7) {axes = [0, 2, 1, 3]}
//!   %9: f32[1,2,4,4] = matmul(%8, %1)
//!   %10: f32[1,2,4,4] = softmax(%9) {dim = 3}
//!   output "y" = %10
//! }
//! ```

use mirage_ir::{
    Graph, GraphError, Node, NodeId, ValueId,
    analysis::Prologue,
    ops::{
        Binary, Conv, ConvTranspose, Linear, Matmul, Permute, Reorder, Reshape, Scalar, WithScalar,
    },
};
use mirage_pass::{
    Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase,
    rewrite::{Patch, View},
};

/// See the module.
pub(crate) struct FoldScales;

static INFO: PassInfo = PassInfo {
    // `sdpa` takes the scale into the attention; `merge_qkv` joins the weights of several results.
    after: &["sdpa"],
    before: &["merge_qkv"],
    ..PassInfo::new(
        "fold_scales",
        1,
        "folds multiplications by a number into the weights of the layer before",
        Phase::Simplify,
        Numerics::Reassociates,
    )
};

mirage_pass::register!(FoldScales);

impl Pass for FoldScales {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, _cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let mut total = 0;
        // If two numbers lead to the same layer, the second is folded in the next round.
        loop {
            let folded = round(graph)?;
            total += folded;
            if folded == 0 {
                break;
            }
        }
        Ok(match total {
            0 => Outcome::unchanged(reason(graph)),
            rewrites => Outcome::changed(rewrites),
        })
    }
}

/// Folds at most one number into each layer; returns how many were folded.
fn round(graph: &mut Graph) -> Result<usize, GraphError> {
    let (view, prologue) = (View::new(graph), Prologue::of(graph));
    let (mut patch, mut folded) = (Patch::new(graph), 0);
    for (id, node) in graph.iter() {
        let Some(scale) = scale(node).filter(|_| !prologue.is_fixed(node.output())) else {
            continue;
        };
        let product = node.inputs[0];
        let Some((layer_id, layer)) = layer_before(&view, &prologue, product) else {
            continue;
        };
        if patch.is_replaced(layer.output()) {
            continue;
        }
        let mut at = patch.at(layer_id);
        let mut operands = vec![layer.inputs[0]];
        for &weight in &layer.inputs[1..] {
            operands.push(at.op(WithScalar::float(Binary::Mul, scale), &[weight])?);
        }
        let scaled = at.op(layer.op.clone(), &operands)?;
        at.replace(layer.output(), scaled)?;
        patch.at(id).replace(node.output(), product)?;
        folded += 1;
    }
    if folded > 0 {
        let next = patch.apply()?;
        *graph = next;
    }
    Ok(folded)
}

/// Returns the number that the node multiplies floats by.
fn scale(node: &Node) -> Option<f64> {
    let op = node.op.get::<WithScalar>()?;
    let factor = match op.f {
        Binary::Mul => op.value.as_f64(),
        Binary::Div => op.value.as_f64().recip(),
        _ => return None,
    };
    (matches!(op.value, Scalar::Float(_)) && factor.is_finite()).then_some(factor)
}

/// Returns the layer with fixed weights that the value depends on linearly, if the values between have no
/// other uses.
fn layer_before<'g>(
    view: &View<'g>,
    prologue: &Prologue,
    value: ValueId,
) -> Option<(NodeId, &'g Node)> {
    let (id, node) = view.node(value)?;
    if !view.uses().is_single(value) || prologue.is_fixed(value) {
        return None;
    }
    let op = &node.op;
    if op.is::<Linear>() || op.is::<Conv>() || op.is::<ConvTranspose>() {
        let weights = &node.inputs[1..];
        let fixed = weights.iter().all(|&w| prologue.is_fixed(w));
        return fixed.then_some((id, node));
    }
    let passes =
        op.is::<Reshape>() || op.is::<Permute>() || op.is::<Reorder>() || op.is::<Matmul>();
    let before = |&operand: &ValueId| layer_before(view, prologue, operand);
    passes
        .then(|| node.inputs.iter().find_map(before))
        .flatten()
}

fn reason(graph: &Graph) -> String {
    let prologue = Prologue::of(graph);
    let is_scale = |n: &&Node| scale(n).is_some() && !prologue.is_fixed(n.output());
    match graph.nodes().iter().filter(is_scale).count() {
        0 => "0 matches: the graph multiplies nothing by a number".to_owned(),
        count => format!(
            "0 matches: none of {count} multiplications by a number follows a layer with fixed weights whose result has no other use"
        ),
    }
}

#[cfg(test)]
mod tests {
    use mirage_ir::{
        DType, Params, TensorType,
        interp::{self, Tensor},
        target::Capabilities,
        text,
    };
    use mirage_pass::Options;

    use super::*;

    #[test]
    fn examples() {
        crate::example::check(&FoldScales, include_str!("fold_scales.rs"));
    }

    fn fold(source: &str) -> (Graph, Graph, Outcome) {
        let before = text::parse(source).unwrap();
        let mut after = before.clone();
        let options = Options::defaults(&INFO);
        let outcome = FoldScales
            .run(
                &mut after,
                &PassContext::new(&Capabilities::default(), &options),
            )
            .unwrap();
        mirage_ir::verify(&after).unwrap();
        (before, after, outcome)
    }

    /// Returns distinct elements, none of them 0.
    fn ramp(ty: &TensorType, start: f64) -> Tensor {
        let values = (0..ty.numel()).map(|i| start + 0.25 * i as f64 - 0.01 * (i * i) as f64);
        Tensor::float(ty.shape.as_slice(), values.collect::<Vec<_>>()).unwrap()
    }

    fn output(graph: &Graph) -> Vec<f64> {
        let mut params = Params::new();
        for port in graph.params() {
            let ty = graph.ty(port.value);
            let data = ramp(ty, 0.3).to_data(DType::F32).unwrap();
            params.insert(port.name.to_string(), data);
        }
        let inputs: Vec<Tensor> = graph
            .inputs()
            .iter()
            .map(|port| ramp(graph.ty(port.value), -1.1))
            .collect();
        let run = interp::run(graph, &params, &inputs, &[]).unwrap();
        run.outputs[0].floats().unwrap().to_vec()
    }

    #[test]
    fn two_numbers_reach_one_layer_and_the_result_is_the_same() {
        let (before, after, outcome) = fold(
            r#"graph "g" {
              input %0 "x": f32[1,2,3,3]
              param %1 "w": f32[4,2,1,1]
              param %2 "b": f32[4]
              %3: f32[1,4,3,3] = conv(%0, %1, %2) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}
              %4: f32[1,4,3,3] = mul_scalar(%3) {value = 0.5}
              %5: f32[1,4,9] = reshape(%4) {shape = [1, 4, 9]}
              %6: f32[1,4,9] = div_scalar(%5) {value = 3.0}
              output "y" = %6
            }"#,
        );
        assert_eq!(outcome.rewrites(), 2);
        let prologue = Prologue::of(&after);
        let each_frame = after
            .nodes()
            .iter()
            .filter(|n| !prologue.is_fixed(n.output()));
        let names: Vec<_> = each_frame.map(|n| n.op.name()).collect();
        assert_eq!(names, ["conv", "reshape"]);
        for (a, b) in output(&before).iter().zip(output(&after)) {
            assert!((a - b).abs() < 1e-6 * a.abs().max(1.0), "{a} became {b}");
        }
    }

    #[test]
    fn what_others_use_stays_and_the_reason_says_so() {
        let (_, _, outcome) = fold(
            r#"graph "g" {
              input %0 "x": f32[2,4]
              param %1 "w": f32[4,4]
              %2: f32[2,4] = linear(%0, %1)
              %3: f32[2,4] = mul_scalar(%2) {value = 0.5}
              %4: f32[2,4] = add(%2, %3)
              output "y" = %4
            }"#,
        );
        assert!(outcome.lines()[0].starts_with("0 matches: none of 1 multiplication"));
        let (_, _, outcome) = fold(
            r#"graph "g" {
              input %0 "x": f32[2,4]
              %1: f32[2,4] = relu(%0)
              output "y" = %1
            }"#,
        );
        assert_eq!(
            outcome.lines(),
            ["0 matches: the graph multiplies nothing by a number"]
        );
    }
}
