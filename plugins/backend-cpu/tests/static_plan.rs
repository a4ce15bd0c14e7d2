//! Static plans: what a program holds is what was planned, and it computes what its graph defines.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{compile, execute, network, noisy};
use mirage_ir::{interp, text};

#[test]
fn the_planned_peak_is_what_is_held_and_less_than_all_activations() {
    let graph = network();
    let (params, _) = noisy(&graph);
    let memory = compile(&graph, &params).unwrap().memory();
    assert_eq!(memory.held_bytes, Some(memory.planned_peak_bytes));
    let all: usize = graph
        .nodes()
        .iter()
        .map(|n| graph.ty(n.output()).bytes())
        .sum();
    assert!(
        memory.planned_peak_bytes > 2 * 8 * 32 * 32 * 4,
        "{memory:?}"
    );
    assert!(
        memory.planned_peak_bytes < all as u64 / 2,
        "{memory:?} of {all}"
    );
}

#[test]
fn a_closed_loop_agrees_with_its_definition() {
    let graph = network();
    let (params, inputs) = noisy(&graph);
    let mut executable = compile(&graph, &params).unwrap();
    let mut states = vec![interp::Tensor::float([1, 8, 32, 32], vec![0.0; 8 * 32 * 32]).unwrap()];
    for frame in 0..4 {
        let got = execute(executable.as_mut(), &inputs, &states).unwrap();
        let want = interp::run(&graph, &params, &inputs, &states).unwrap();
        let d = common::between(&got, &want);
        assert!(d.max_rel < 1e-5, "frame {frame}: {d:?}");
        states = want.states;
    }
}

#[test]
fn operations_left_to_the_engine_are_named() {
    let graph = text::parse(
        r#"graph "g" {static_plan = true} {
          input %0 "x": f64[2,3,8]
          input %1 "y": f64[2,8,5]
          %2: f64[2,3,5] = matmul(%0, %1)
          output "z" = %2
        }"#,
    )
    .unwrap();
    let (params, inputs) = noisy(&graph);
    let executable = compile(&graph, &params).unwrap();
    let notes = executable.notes().join("\n");
    assert!(notes.contains("leaves 1 matmul to burn-flex"), "{notes}");
    let d = common::difference(&graph, &params, &inputs, &[]);
    assert!(d.max_rel < 1e-6, "{d:?}");
}
