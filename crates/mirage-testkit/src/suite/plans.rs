//! Tests of static plans.

use mirage_ir::{DType, interp, interp::Tensor};

use super::Suite;
use crate::{between, compile, encoder, execute, noisy, planned};

/// Runs a network with state for several frames.
pub fn a_closed_loop_agrees_with_its_definition(suite: &Suite<'_>) {
    let graph = planned(&encoder());
    let (params, inputs) = noisy(&graph);
    let mut executable = compile(suite.backend, &graph, &params).unwrap();
    let mut states = vec![Tensor::float([1, 8, 32, 32], vec![0.0; 8 * 32 * 32]).unwrap()];
    for frame in 0..4 {
        let got = execute(executable.as_mut(), &inputs, &states).unwrap();
        let want = interp::run(&graph, &params, &inputs, &states).unwrap();
        let d = between(&got, &want);
        assert!(d.max_rel < suite.bound(DType::F32), "frame {frame}: {d:?}");
        states = want.states;
    }
}

/// The planned memory is more than the largest layer and less than all activations, and equals the allocated
/// memory, if the backend reports it.
pub fn the_planned_peak_is_less_than_all_activations(suite: &Suite<'_>) {
    let graph = planned(&encoder());
    let (params, _) = noisy(&graph);
    let memory = compile(suite.backend, &graph, &params).unwrap().memory();
    let all: usize = graph
        .nodes()
        .iter()
        .map(|n| graph.ty(n.output()).bytes())
        .sum();
    let peak = memory.planned_peak_bytes;
    assert!(peak > 2 * 8 * 32 * 32 * 4, "{memory:?}");
    assert!(peak < all as u64, "{memory:?} of {all}");
    if let Some(held) = memory.held_bytes {
        assert_eq!(held, peak);
    }
}
