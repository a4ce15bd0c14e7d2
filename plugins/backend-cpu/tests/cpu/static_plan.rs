//! Static plans: what a program holds is what was planned, and it computes what its graph defines.

use crate::support::{compile, network, noisy, planned};
use mirage_ir::text;

#[test]
fn the_planned_peak_is_what_is_held_and_less_than_all_activations() {
    let graph = planned(&network());
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
    assert!(notes.contains("runs 1 matmul by burn-flex"), "{notes}");
    let d = crate::support::difference(&graph, &params, &inputs, &[]);
    assert!(d.max_rel < 1e-6, "{d:?}");
}
