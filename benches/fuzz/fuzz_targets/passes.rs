//! Random passes on random graphs: every pass takes every valid graph, leaves a valid one that
//! computes the same within what the passes promise, and finds nothing more to do on its own result.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mirage_fuzz::{Case, coarsest_step, distance, equivalent, sensitivity};
use mirage_ir::{
    DType, Graph,
    generate::Generated,
    interp::{self, Run, Tensor},
    text, wire,
};
use mirage_pass::{Manager, PassContext};

/// By how much more than one rounding of what goes in the roundings within a graph may move its
/// results.
const AMPLIFIED: f64 = 8.0;

fuzz_target!(|case: Case| {
    let graph = &case.generated.graph;
    let (after, _) = Manager::new()
        .run(&case.plan, graph, &case.capabilities)
        .expect("every pass takes every valid graph");

    let expected = interpret(graph, &case.generated);
    assert!(is_finite(&expected), "the graph does not stay finite");
    let off = distance(&interpret(&after, &case.generated), &expected);
    let step = coarsest_step(graph).max(coarsest_step(&after));
    let own = || AMPLIFIED * sensitivity(&case.generated, step, &expected);
    assert!(
        off <= bound(&case) || off <= bound(&case) + own(),
        "off by {off:.3e}, of which the graph's rounding may be {:.3e}\n{after}",
        own()
    );

    stays_as_it_is(&case, &after);
    let parsed = text::parse(&text::print(&after)).expect("what was printed can be read");
    assert!(equivalent(&after, &parsed), "the text form loses something");
    let decoded = wire::decode(&wire::encode(&after)).expect("what was encoded can be decoded");
    assert!(
        equivalent(&after, &decoded),
        "the wire form loses something"
    );
});

fn interpret(graph: &Graph, g: &Generated) -> Run {
    interp::run(graph, &g.params, &g.inputs, &g.states).expect("the graph runs")
}

fn results(run: &Run) -> impl Iterator<Item = &Tensor> {
    run.outputs.iter().chain(&run.states)
}

fn is_finite(run: &Run) -> bool {
    let finite = |t: &Tensor| t.floats().is_ok_and(|v| v.iter().all(|x| x.is_finite()));
    results(run).all(|t| t.floats().is_err() || finite(t))
}

/// What the passes promise together, and the rounding of constants that were computed early.
fn bound(case: &Case) -> f64 {
    let values = case.generated.graph.values().iter();
    let roundings = values.map(|v| match v.ty.dtype {
        DType::F16 => f64::from(2.0_f32.powi(-11)),
        DType::BF16 => f64::from(2.0_f32.powi(-8)),
        _ => f64::from(2.0_f32.powi(-24)),
    });
    let rounding = 64.0 * roundings.fold(0.0, f64::max);
    rounding + case.plan.interpreter_bound()
}

/// The last pass on its own result.
fn stays_as_it_is(case: &Case, after: &Graph) {
    let Some(step) = case.plan.steps.last() else {
        return;
    };
    let mut again = after.clone();
    let cx = PassContext::new(&case.capabilities, &step.options);
    let outcome = step
        .pass
        .run(&mut again, &cx)
        .expect("every pass takes every valid graph");
    let spec = step.spec();
    assert!(
        !outcome.is_changed() && again == *after,
        "{spec} fires on its own result: {outcome:?}\n{after}"
    );
    assert!(!outcome.lines().is_empty(), "{spec} gives no reason");
}
