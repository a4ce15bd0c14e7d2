//! `merge_qkv` on random networks of linear layers that share inputs.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use crate::networks::{Case, Network, wanting, work};
use mirage_ir::{
    Graph, ValueId,
    cost::graph_cost,
    ops::{Binary, Linear, Unary},
    target::Capabilities,
};

fn linear(n: &mut Network, x: ValueId, outs: usize) -> ValueId {
    let ins = n.shape(x).pop().unwrap();
    let mut operands = vec![x, n.matrix(ins, outs)];
    if n.one_in(2) {
        let b = n.param(&[outs]);
        // A bias that a node computes, after layers that will need it.
        operands.push(if n.one_in(2) {
            n.op(Unary::Neg, &[b])
        } else {
            b
        });
    }
    n.op(Linear {}, &operands)
}

/// Layers on one input, between other nodes, and layers on some of their results.
fn network(seed: u64) -> Case {
    let mut n = Network::new(seed);
    let rows = n.pick(&[1, 1, 3]);
    let mut x = n.input(&[1, rows, 8]);
    let mut results = Vec::new();
    for _ in 0..1 + n.below(3) {
        let mut last = None;
        for _ in 0..1 + n.below(4) {
            let outs = n.pick(&[1, 2, 4, 9]);
            let y = linear(&mut n, x, outs);
            results.push(match last {
                Some(z) if n.shape(z) == n.shape(y) => n.op(Binary::Mul, &[y, z]),
                _ => n.op(Unary::Silu, &[y]),
            });
            last = Some(y);
        }
        x = n.pick(&results);
    }
    n.finish(&results)
}

fn linears(graph: &Graph) -> usize {
    graph.nodes().iter().filter(|n| n.op.is::<Linear>()).count()
}

fn inputs_of_linears(graph: &Graph) -> usize {
    let mut inputs: Vec<ValueId> = graph
        .nodes()
        .iter()
        .filter(|n| n.op.is::<Linear>())
        .map(|n| n.inputs[0])
        .collect();
    inputs.sort();
    inputs.dedup();
    inputs.len()
}

#[test]
fn by_force_there_is_one_layer_an_input() {
    let mut merged = 0;
    for seed in 0..200 {
        let case = network(seed);
        let (graph, outcome) = case.alone("merge_qkv{force}", &Capabilities::default());
        assert_eq!(linears(&graph), inputs_of_linears(&case.graph), "{graph}");
        // The same products, and nothing new but slices in an execution.
        assert_eq!(graph_cost(&graph).flops, graph_cost(&case.graph).flops);
        let slices = work(&graph)
            .iter()
            .filter(|n| n.op.name() == "slice")
            .count();
        assert_eq!(slices, outcome.rewrites());
        merged += outcome.rewrites();
    }
    assert!(merged > 400, "{merged}");
}

#[test]
fn by_default_it_moves_no_more_bytes() {
    let (mut merged, mut refused) = (0, 0);
    for seed in 0..200 {
        let case = network(seed);
        let (graph, outcome) = case.alone("merge_qkv", &Capabilities::default());
        merged += outcome.rewrites();
        refused += outcome
            .lines()
            .iter()
            .filter(|l| l.contains("`force`"))
            .count();
        // Counted here as an engine works: a slice reads what it takes, and one row is no copy.
        let moved = |graph: &Graph| -> usize {
            let bytes = |v: &ValueId| graph.ty(*v).bytes();
            let of_node = |n: &&mirage_ir::Node| match n.op.name().as_ref() {
                "slice" if graph.ty(n.inputs[0]).shape[1] == 1 => 0,
                "slice" => 2 * bytes(&n.output()),
                _ => n.inputs.iter().chain(&n.outputs).map(bytes).sum(),
            };
            work(graph).iter().map(of_node).sum::<usize>()
        };
        // Zeros as a bias where only others had one are no activations.
        let zeros: usize = graph
            .nodes()
            .iter()
            .filter(|n| n.op.name() == "full")
            .map(|n| graph.ty(n.output()).bytes())
            .sum();
        assert!(
            moved(&graph) <= moved(&case.graph) + zeros,
            "{}\n{graph}",
            case.graph
        );
    }
    assert!(
        merged > 100 && refused > 20,
        "{merged} merged, {refused} refused"
    );
}

#[test]
fn goes_with_every_other_pass() {
    for seed in 0..40 {
        network(seed).beside_every_other_pass("merge_qkv{force}", &wanting(4));
    }
}

#[test]
fn says_why_it_merges_nothing() {
    let reason = |case: Case, spec: &str| -> String {
        let (_, outcome) = case.alone(spec, &Capabilities::default());
        assert!(!outcome.is_changed(), "{outcome:?}");
        outcome.lines().join("; ")
    };
    let with = |layers: usize, outs: usize| {
        let mut n = Network::new(1);
        let x = n.input(&[1, 3, 8]);
        let results: Vec<ValueId> = (0..layers).map(|_| linear(&mut n, x, outs)).collect();
        n.finish(&results)
    };
    assert!(reason(with(1, 4), "merge_qkv").contains("0 matches"));
    assert!(reason(with(2, 4), "merge_qkv{min=3}").contains("fewer than the option `min` (3)"));
    // Two readings of 3·8 floats saved, three slices of 3·8 read and written.
    let why = reason(with(3, 8), "merge_qkv");
    assert!(
        why.contains("saves 192 bytes") && why.contains("copies 576"),
        "{why}"
    );
}
