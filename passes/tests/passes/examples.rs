//! Every pass on the example at the head of its file, with random operands: it fires, and keeps what it
//! promises about numbers. This is all that a new pass needs to be held to its promise.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::{fs, path::Path};

use mirage_ir::{
    DType, Graph, GraphFlag, Order, regions,
    target::{Capabilities, Capability, Subject},
    text,
};
use mirage_pass::{Manager, Options, Pass, Plan, Registry, instrument::NumericsDiff};

/// Backends that examples are written for: one that is asked for nothing, and one that has everything.
fn backends() -> [Capabilities; 2] {
    let operations = |subject| {
        Capability::new(subject, DType::ALL)
            .in_orders((3..=5).map(Order::channels_last))
            .in_multiples_of(8)
    };
    let kinds = regions::KINDS.iter().map(|kind| kind.name);
    let others = kinds
        .chain([regions::ELEMENTWISE])
        .map(Subject::region)
        .chain(GraphFlag::ALL.map(Subject::flag));
    let lines = [operations(Subject::AllOperations)].into_iter();
    let all = lines.chain(others.map(|subject| Capability::new(subject, DType::ALL)));
    [
        Capabilities::default(),
        Capabilities {
            lines: all.collect(),
        },
    ]
}

/// The graphs before the pass in the file of this pass.
fn examples(pass: &str) -> Vec<Graph> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/{pass}.rs"));
    let source = fs::read_to_string(file).unwrap();
    let comments = source.lines().filter_map(|line| line.strip_prefix("//!"));
    let text: String = comments.flat_map(|line| [line, "\n"]).collect();
    let blocks = text.split("```mirage before\n").skip(1);
    let graphs = blocks.map(|block| text::parse(block.split("```").next().unwrap()).unwrap());
    graphs.collect()
}

/// Whether the pass fires on a backend; it then must have kept its promise.
fn fires(pass: &'static dyn Pass, graph: &Graph, capabilities: &Capabilities) -> bool {
    let plan = Plan::single(pass, Options::defaults(pass.info()));
    let mut numerics = NumericsDiff::new(5);
    let mut manager = Manager::new().with(&mut numerics);
    let (after, report) = manager.run(&plan, graph, capabilities).unwrap();
    drop(manager);
    if report.passes[0].rewrites == 0 {
        return false;
    }
    let [effect] = numerics.effects() else {
        panic!("{}: {:?}", pass.info().name, report.passes[0].remarks);
    };
    assert!(effect.kept, "{}: {effect:?}\n{after}", pass.info().name);
    true
}

#[test]
fn every_pass_fires_on_its_example_and_keeps_its_promise_there() {
    mirage_passes::link();
    for pass in Registry::linked().unwrap().iter() {
        let name = pass.info().name;
        let examples = examples(name);
        assert!(!examples.is_empty(), "{name} has no example");
        for graph in &examples {
            let fired = backends().map(|backend| fires(pass, graph, &backend));
            assert!(fired.contains(&true), "{name} does not fire on\n{graph}");
        }
    }
}
