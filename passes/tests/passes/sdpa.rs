//! What `sdpa` takes as a mask, and what it gives where every key is masked.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use mirage_ir::{
    Graph, Params,
    interp::{self, Tensor},
    ops::Attention,
    target::Capabilities,
    text, verify,
};
use mirage_pass::{Options, Outcome, PassContext, Registry};

/// softmax(select(mask, fill, q·kᵀ))·v with two queries and three keys.
fn masked(fill: &str) -> Graph {
    let source = r#"graph "masked" {
      input %0 "q": f32[1,1,2,4]
      input %1 "k": f32[1,1,3,4]
      input %2 "v": f32[1,1,3,4]
      input %3 "mask": bool[1,1,2,3]
      %4: f32[1,1,4,3] = permute(%1) {axes = [0, 1, 3, 2]}
      %5: f32[1,1,2,3] = matmul(%0, %4)
      %6: f32[1,1,1,1] = full() {ty = "f32[1,1,1,1]", value = FILL}
      %7: f32[1,1,2,3] = select(%3, %6, %5)
      %8: f32[1,1,2,3] = softmax(%7) {dim = 3}
      %9: f32[1,1,2,4] = matmul(%8, %2)
      output "y" = %9
    }"#;
    text::parse(&source.replace("FILL", fill)).unwrap()
}

fn sdpa(graph: &Graph, masks: bool) -> (Graph, Outcome) {
    mirage_passes::link();
    let registry = Registry::linked().unwrap();
    let pass = registry.get("sdpa").unwrap();
    let given = masks.then_some(("masks", "true"));
    let options = Options::from_pairs(pass.info(), given).unwrap();
    let capabilities = Capabilities::default();
    let mut fused = graph.clone();
    let outcome = pass
        .run(&mut fused, &PassContext::new(&capabilities, &options))
        .unwrap();
    verify(&fused).unwrap();
    (fused, outcome)
}

/// The results for the first query and for the second, whose keys are all masked.
fn rows(graph: &Graph) -> [Vec<f64>; 2] {
    let ramp = |n: usize, shape: &[usize], step: f64| {
        let values: Vec<f64> = (0..n).map(|i| (i as f64 * step).sin() + 0.1).collect();
        Tensor::float(shape, values).unwrap()
    };
    let mask = vec![false, true, false, true, true, true];
    let inputs = [
        ramp(8, &[1, 1, 2, 4], 0.7),
        ramp(12, &[1, 1, 3, 4], 1.3),
        ramp(12, &[1, 1, 3, 4], 2.1),
        Tensor::bool([1, 1, 2, 3], mask).unwrap(),
    ];
    let run = interp::run(graph, &Params::new(), &inputs, &[]).unwrap();
    let values = run.outputs[0].floats().unwrap();
    [values[..4].to_vec(), values[4..].to_vec()]
}

fn near(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12)
}

fn attention(graph: &Graph) -> Option<&Attention> {
    graph.nodes().iter().find_map(|n| n.op.get::<Attention>())
}

#[test]
fn a_fill_of_minus_infinity_is_a_mask_without_an_option() {
    let graph = masked("-inf");
    for masks in [false, true] {
        let (fused, outcome) = sdpa(&graph, masks);
        assert_eq!(outcome.rewrites(), 1, "{outcome:?}");
        assert!(attention(&fused).unwrap().mask, "{fused}");
        let ([was, masked_was], [is, masked_is]) = (rows(&graph), rows(&fused));
        assert!(near(&was, &is), "{was:?} became {is:?}");
        assert!(was.iter().all(|x| x.abs() > 1e-3), "{was:?}");
        assert!(masked_was.iter().all(|x| x.is_nan()), "{masked_was:?}");
        assert_eq!(masked_is, [0.0; 4]);
    }
}

#[test]
fn a_finite_fill_is_a_mask_with_the_option_alone() {
    let graph = masked("-10000.0");
    let (left, outcome) = sdpa(&graph, false);
    assert_eq!(left, graph);
    let reason = outcome.lines().join("; ");
    assert!(reason.contains("the option `masks`"), "{reason}");

    let (fused, _) = sdpa(&graph, true);
    assert!(attention(&fused).unwrap().mask, "{fused}");
    let ([was, masked_was], [is, masked_is]) = (rows(&graph), rows(&fused));
    assert!(near(&was, &is), "{was:?} became {is:?}");
    assert!(masked_was.iter().all(|x| x.abs() > 1e-3), "{masked_was:?}");
    assert_eq!(masked_is, [0.0; 4]);
}

#[test]
fn what_masks_nothing_is_left_with_or_without_the_option() {
    for masks in [false, true] {
        let (_, outcome) = sdpa(&masked("-9999.0"), masks);
        let reason = outcome.lines().join("; ");
        assert!(
            !outcome.is_changed() && reason.contains("which is not a mask"),
            "{reason}"
        );
    }
    let computed = text::print(&masked("-inf")).replace("select(%3, %6, %5)", "select(%3, %5, %6)");
    let (_, outcome) = sdpa(&text::parse(&computed).unwrap(), true);
    let reason = outcome.lines().join("; ");
    assert!(
        !outcome.is_changed() && reason.contains("not constant"),
        "{reason}"
    );
}

/// `attention` takes masks that broadcast to the scores, not scores that broadcast to a mask.
#[test]
fn a_mask_that_broadcasts_the_scores_is_left() {
    let wide = r#"graph "wide" {
      input %0 "q": f32[1,1,1,4]
      input %1 "k": f32[1,1,3,4]
      input %2 "v": f32[1,1,3,4]
      input %3 "mask": bool[1,1,2,3]
      %4: f32[1,1,4,3] = permute(%1) {axes = [0, 1, 3, 2]}
      %5: f32[1,1,1,3] = matmul(%0, %4)
      %6: f32[1,1,1,1] = full() {ty = "f32[1,1,1,1]", value = -inf}
      %7: f32[1,1,2,3] = select(%3, %6, %5)
      %8: f32[1,1,2,3] = softmax(%7) {dim = 3}
      %9: f32[1,1,2,4] = matmul(%8, %2)
      output "y" = %9
    }"#;
    let (_, outcome) = sdpa(&text::parse(wide).unwrap(), true);
    let reason = outcome.lines().join("; ");
    assert!(
        !outcome.is_changed() && reason.contains("broadcasts the scores"),
        "{reason}"
    );
}

/// Keys that come from heads: [batch, tokens, heads, channels], permuted at once to kᵀ.
#[test]
fn keys_are_permuted_once() {
    let heads = r#"graph "heads" {
      input %0 "q": f32[1,2,3,4]
      input %1 "k": f32[1,3,2,4]
      input %2 "v": f32[1,2,3,4]
      %3: f32[1,2,3,4] = permute(%1) {axes = [0, 2, 1, 3]}
      %4: f32[1,2,4,3] = permute(%3) {axes = [0, 1, 3, 2]}
      %5: f32[1,2,3,3] = matmul(%0, %4)
      %6: f32[1,2,3,3] = softmax(%5) {dim = 3}
      %7: f32[1,2,3,4] = matmul(%6, %2)
      output "y" = %7
    }"#;
    let (fused, _) = sdpa(&text::parse(heads).unwrap(), false);
    let names: Vec<_> = fused.nodes().iter().map(|n| n.op.name()).collect();
    assert_eq!(names, ["permute", "attention"], "{fused}");
}
