//! `fuse` on random graphs that are dense in its patterns, kind by kind.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use mirage_ir::{
    Graph,
    generate::{Generated, Options as GraphOptions, generate},
    interp::{self, Tensor},
    ops::Region,
    regions,
    target::Capabilities,
    text, verify,
};
use mirage_pass::{Options, Outcome, PassContext, Registry};

fn run(graph: &Graph, pass: &str, options: &[(&str, &str)]) -> (Graph, Outcome) {
    mirage_passes::link();
    let registry = Registry::linked().unwrap();
    let pass = registry.get(pass).unwrap();
    let options = Options::from_pairs(pass.info(), options.iter().copied()).unwrap();
    let mut graph = graph.clone();
    let capabilities = Capabilities::default();
    let outcome = pass
        .run(&mut graph, &PassContext::new(&capabilities, &options))
        .unwrap();
    verify(&graph).unwrap();
    (graph, outcome)
}

/// Products, norms, activations and sums.
fn dense(seed: u64) -> Generated {
    let ops = [
        "add",
        "conv",
        "gelu",
        "group_norm",
        "layer_norm",
        "linear",
        "mul_scalar",
        "silu",
    ];
    let options = GraphOptions {
        ops: Some(ops.map(str::to_owned).to_vec()),
        continuous: true,
        ..GraphOptions::default()
    };
    generate(seed, &options).unwrap()
}

/// The operations of a graph with those in regions, sorted.
fn operations(graph: &Graph) -> Vec<String> {
    let mut found: Vec<String> = graph
        .nodes()
        .iter()
        .flat_map(|node| match node.op.body() {
            Some(body) => operations(body),
            None => vec![format!("{} {:?}", node.op.name(), node.op.attrs())],
        })
        .collect();
    found.sort();
    found
}

fn formed(graph: &Graph, kind: &str) -> usize {
    let regions = graph.nodes().iter().filter_map(|n| n.op.get::<Region>());
    regions.filter(|r| r.kind == kind).count()
}

fn outputs(g: &Generated, graph: &Graph) -> Vec<Tensor> {
    let run = interp::run(graph, &g.params, &g.inputs, &g.states).unwrap();
    [run.outputs, run.states].concat()
}

/// The graph in f32, and in f16 with norms in f32.
fn in_each_precision(graph: &Graph) -> [Graph; 2] {
    [graph.clone(), run(graph, "fp16", &[]).0]
}

#[test]
fn regions_of_every_kind_hold_the_operations_that_were_there() {
    let kinds = regions::KINDS.iter().map(|k| k.name);
    for kind in kinds.chain([regions::ELEMENTWISE]) {
        let mut count = [0, 0];
        for seed in 0..250 {
            let g = dense(seed);
            for (count, graph) in count.iter_mut().zip(in_each_precision(&g.graph)) {
                let options = [("kinds", kind), ("force", "true")];
                let (fused, outcome) = run(&graph, "fuse", &options);
                let (again, second) = run(&fused, "fuse", &options);
                assert!(again == fused && !second.is_changed(), "{kind}: {second:?}");
                if !outcome.is_changed() {
                    continue;
                }
                *count += formed(&fused, kind);
                assert_eq!(
                    operations(&fused),
                    operations(&graph),
                    "{kind}\n{graph}\n{fused}"
                );
                let (is, was) = (outputs(&g, &fused), outputs(&g, &graph));
                assert_eq!(is, was, "{kind} is exact\n{graph}\n{fused}");
            }
        }
        assert!(count.iter().all(|&n| n > 0), "{kind}: {count:?} formed");
    }
}

#[test]
fn larger_kinds_come_before_those_that_are_part_of_them() {
    let (mut larger, mut all) = (0, 0);
    for seed in 0..250 {
        let graph = dense(seed).graph;
        let (fused, _) = run(&graph, "fuse", &[("force", "true")]);
        all += formed(&fused, "conv_norm_act") + formed(&fused, "layer_norm_linear");
        for kind in ["conv_norm_act", "layer_norm_linear"] {
            let options = [("kinds", kind), ("force", "true")];
            larger += formed(&run(&graph, "fuse", &options).0, kind);
        }
    }
    assert!(larger > 0);
    assert_eq!(all, larger, "nothing is taken from the larger kinds");
}

/// x' = keep·x + clean·x0 + noise·n.
#[test]
fn a_step_of_a_sampler_is_one_elementwise_region() {
    let step = r#"graph "step" {
      input %0 "x": f32[1,4,8,8]
      input %1 "x0": f32[1,4,8,8]
      input %2 "noise": f32[1,4,8,8]
      %3: f32[1,4,8,8] = mul_scalar(%0) {value = 0.75}
      %4: f32[1,4,8,8] = mul_scalar(%1) {value = 0.5}
      %5: f32[1,4,8,8] = add(%3, %4)
      %6: f32[1,4,8,8] = mul_scalar(%2) {value = 0.125}
      %7: f32[1,4,8,8] = add(%5, %6)
      output "next" = %7
    }"#;
    let (fused, _) = run(&text::parse(step).unwrap(), "fuse", &[("force", "true")]);
    insta::assert_snapshot!(text::print(&fused), @r#"
    graph "step" {
      input %0 "x": f32[1,4,8,8]
      input %1 "x0": f32[1,4,8,8]
      input %2 "noise": f32[1,4,8,8]
      %3: f32[1,4,8,8] = region(%0, %1, %2) {kind = "elementwise"} graph "elementwise" {
        input %0 "x0": f32[1,4,8,8]
        input %1 "x1": f32[1,4,8,8]
        input %2 "x2": f32[1,4,8,8]
        %3: f32[1,4,8,8] = mul_scalar(%0) {value = 0.75}
        %4: f32[1,4,8,8] = mul_scalar(%1) {value = 0.5}
        %5: f32[1,4,8,8] = add(%3, %4)
        %6: f32[1,4,8,8] = mul_scalar(%2) {value = 0.125}
        %7: f32[1,4,8,8] = add(%5, %6)
        output "out" = %7
      }
      output "next" = %3
    }
    "#);
}

/// clamp(previous + mask·(frame − previous)), which is also the next previous.
#[test]
fn a_temporal_blend_is_one_elementwise_region() {
    let blend = r#"graph "blend" {
      input %0 "frame": f32[1,3,8,8]
      input %1 "mask": f32[1,1,8,8]
      state %2 "previous": f32[1,3,8,8] -> %7
      %3: f32[1,3,8,8] = sub(%0, %2)
      %4: f32[1,3,8,8] = mul(%1, %3)
      %5: f32[1,3,8,8] = add(%2, %4)
      %6: f32[1,3,8,8] = max_scalar(%5) {value = 0.0}
      %7: f32[1,3,8,8] = min_scalar(%6) {value = 1.0}
      output "blended" = %7
    }"#;
    let (fused, _) = run(&text::parse(blend).unwrap(), "fuse", &[("force", "true")]);
    insta::assert_snapshot!(text::print(&fused), @r#"
    graph "blend" {
      input %0 "frame": f32[1,3,8,8]
      input %1 "mask": f32[1,1,8,8]
      state %2 "previous": f32[1,3,8,8] -> %3
      %3: f32[1,3,8,8] = region(%0, %2, %1) {kind = "elementwise"} graph "elementwise" {
        input %0 "x0": f32[1,3,8,8]
        input %1 "x1": f32[1,3,8,8]
        input %2 "x2": f32[1,1,8,8]
        %3: f32[1,3,8,8] = sub(%0, %1)
        %4: f32[1,3,8,8] = mul(%2, %3)
        %5: f32[1,3,8,8] = add(%1, %4)
        %6: f32[1,3,8,8] = max_scalar(%5) {value = 0.0}
        %7: f32[1,3,8,8] = min_scalar(%6) {value = 1.0}
        output "out" = %7
      }
      output "blended" = %3
    }
    "#);
}
