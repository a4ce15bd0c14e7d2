//! Every pass alone, and random legal sets of them, on random graphs: the result is valid, computes
//! the same within what the passes promise, and a second run of a pass finds nothing more to do.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use mirage_ir::{
    DType, Graph, GraphFlag,
    generate::{Generated, Options as GraphOptions, generate},
    interp::{self, Difference, Run},
    regions,
    target::{Capabilities, Capability, Subject},
    verify,
};
use mirage_pass::{
    Manager, Options, Outcome, PassContext, PassSpec, PipelineSpec, Plan, Registry, plan,
};

fn registry() -> Registry {
    mirage_passes::link();
    Registry::linked().unwrap()
}

/// Continuous graphs: a comparison or a rounding would turn the smallest error into a large one.
fn options() -> GraphOptions {
    GraphOptions {
        continuous: true,
        calls: true,
        ..GraphOptions::default()
    }
}

/// A backend with a kernel for every kind of region, so that regions are formed, with plans, tf32, and norms that
/// are wide inside.
fn capabilities() -> Capabilities {
    let kinds = regions::KINDS.iter().map(|k| k.name);
    let subjects = kinds
        .chain([regions::ELEMENTWISE])
        .map(Subject::region)
        .chain([Subject::AllOperations])
        .chain(GraphFlag::ALL.map(Subject::flag))
        .chain(["group_norm", "layer_norm"].map(Subject::f32_inside));
    let line = |subject| Capability::new(subject, DType::ALL);
    Capabilities {
        lines: subjects.map(line).collect(),
    }
}

fn interpret(graph: &Graph, g: &Generated) -> Run {
    interp::run(graph, &g.params, &g.inputs, &g.states).unwrap()
}

/// How far the results of a graph that a plan made are from those of the graph before, if that is more
/// than the plan's passes promise: by bits where they promise bits.
fn broken(plan: &Plan, after: &Run, before: &Run) -> Option<String> {
    let results = |run: &Run| [&run.outputs[..], &run.states].concat();
    let (is, was) = (results(after), results(before));
    let bound = plan.interpreter_bound();
    if bound == 0.0 {
        let same = is.iter().zip(&was).all(|(is, was)| is.same_bits(was));
        return (!same).then(|| "other bits".to_owned());
    }
    let pairs = is.iter().zip(&was);
    let worst = pairs.fold(0.0, |worst: f64, (is, was)| {
        let d = Difference::between(is, was).unwrap();
        // Outputs near zero have no scale of their own.
        worst.max(d.max_abs.min(d.max_rel))
    });
    (worst > bound).then(|| format!("off by {worst:.3e}, promised is {bound:e}"))
}

/// The least number of passes that find something in random graphs: patterns of the others are too long
/// for the generator to meet. Every pass is held to its promise on its own example in `examples.rs`.
const FIRE: usize = 12;

#[test]
fn every_pass_alone_is_valid_exact_enough_and_idempotent() {
    let registry = registry();
    let capabilities = capabilities();
    let mut firing = Vec::new();
    for pass in registry.iter() {
        let info = pass.info();
        let step = Plan::single(pass, Options::defaults(info));
        let mut fired = false;
        for seed in 0..300 {
            let g = generate(seed, &options()).unwrap();
            let (after, report) = Manager::new()
                .run(&step, &g.graph, &capabilities)
                .unwrap_or_else(|e| panic!("{} on seed {seed}: {e}", info.name));
            fired |= report.passes[0].rewrites > 0;
            let broken = broken(&step, &interpret(&after, &g), &interpret(&g.graph, &g));
            assert!(
                broken.is_none(),
                "{} on seed {seed}: {broken:?}\n{}",
                info.name,
                g.graph
            );

            let mut again = after.clone();
            let defaults = Options::defaults(info);
            let outcome = pass
                .run(&mut again, &PassContext::new(&capabilities, &defaults))
                .unwrap();
            verify(&again).unwrap();
            assert!(
                matches!(&outcome, Outcome::Unchanged { reasons } if !reasons.is_empty()),
                "{} fires again on its own result, seed {seed}: {outcome:?}\n{after}",
                info.name
            );
        }
        firing.extend(fired.then_some(info.name));
    }
    assert!(firing.len() >= FIRE, "only these fired: {firing:?}");
}

#[test]
fn random_legal_sets_agree_with_the_graph_as_it_was() {
    let registry = registry();
    let capabilities = capabilities();
    let names: Vec<&str> = registry
        .infos()
        .filter(|i| !i.always)
        .map(|i| i.name)
        .collect();
    let (mut legal, mut refused) = (0, 0);
    for seed in 0..400u64 {
        let spec: PipelineSpec = names
            .iter()
            .enumerate()
            .filter(|(i, _)| (seed >> (i % 8)) & 1 == 1)
            .map(|(_, name)| PassSpec::new(*name))
            .collect();
        let Ok(plan) = plan(&registry, &spec) else {
            refused += 1;
            continue;
        };
        legal += 1;
        let g = generate(1000 + seed, &options()).unwrap();
        let (after, _) = Manager::new()
            .run(&plan, &g.graph, &capabilities)
            .unwrap_or_else(|e| panic!("`{spec}` on seed {seed}: {e}"));
        let broken = broken(&plan, &interpret(&after, &g), &interpret(&g.graph, &g));
        assert!(
            broken.is_none(),
            "`{spec}` on seed {seed}: {broken:?}\n{}",
            g.graph
        );
    }
    assert!(
        legal > 200 && refused > 50,
        "both kinds of sets were met: {legal} legal, {refused} refused"
    );
}
