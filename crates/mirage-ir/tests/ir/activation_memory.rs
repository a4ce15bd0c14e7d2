//! What is alive when.

use mirage_ir::{
    Graph, NodeId, ValueId,
    cost::{ActivationMemory, graph_cost},
    generate::{Options, generate},
    text::parse,
};

fn node(index: usize) -> NodeId {
    NodeId::from_index(index)
}

fn value(index: usize) -> ValueId {
    ValueId::from_index(index)
}

/// A skip around a chain; %3 is a view of %2, and node 0 is computed once.
fn graph() -> Graph {
    let text = r#"graph "g" {
        input %0 "x": f32[16]
        param %1 "w": f32[16]
        state %2 "s": f32[4] -> %8
        %3: f32[16] = exp(%1)
        %4: f32[16] = mul(%0, %3)
        %5: f32[4,4] = reshape(%4) {shape = [4, 4]}
        %6: f32[4,4] = relu(%5)
        %7: f32[4,4] = add(%6, %5)
        %8: f32[4] = relu(%2)
        output "y" = %7
    }"#;
    parse(text).expect("a sound graph")
}

#[test]
fn every_node_has_what_is_alive_at_it() {
    let graph = graph();
    let memory = ActivationMemory::of(&graph);
    let entering = 4 * (16 + 4);
    assert_eq!(memory.entering_bytes(), entering);
    let at: Vec<u64> = (0..6)
        .map(|i| memory.bytes_at(node(i)) - entering)
        .collect();
    // Nothing; %4; %4 seen through %5; and %6; and %7, for which %4 is still needed; %7 and %8.
    assert_eq!(at, [0, 64, 64, 128, 192, 80]);
    assert_eq!(memory.peak(), Some(node(4)));
    assert_eq!(memory.peak_bytes(), entering + 192);
    let alive = memory.alive_at(&graph, node(4));
    assert_eq!(alive, [0, 2, 4, 6, 7].map(value));
    let last: Vec<_> = alive.iter().map(|&v| memory.last_use(&graph, v)).collect();
    assert_eq!(last, [None, None, Some(node(4)), Some(node(4)), None]);
}

#[test]
fn a_call_counts_what_its_body_holds() {
    let text = r#"
    body "wide" graph "wide" {
        input %0 "x": f32[4]
        %1: f32[1,4] = reshape(%0) {shape = [1, 4]}
        %2: f32[8,4] = expand(%1) {shape = [8, 4]}
        %3: f32[8,4] = relu(%2)
        %4: f32[1,4] = slice(%3) {start = [0, 0], end = [1, 4], step = [1, 1]}
        output "y" = %4
    }
    graph "g" {
        input %0 "x": f32[4]
        %1: f32[1,4] = call(%0) body "wide"
        output "y" = %1
    }"#;
    let graph = parse(text).expect("a sound graph");
    let memory = ActivationMemory::of(&graph);
    // %2 and %3 are alive together, of which the result's 16 bytes are told apart.
    assert_eq!(memory.hidden_at(node(0)), 2 * 128 - 16);
    assert_eq!(memory.bytes_at(node(0)), 16 + 2 * 128);
}

#[test]
fn what_is_alive_makes_the_bytes_and_the_most_of_them_is_the_peak() {
    let options = Options {
        calls: true,
        ..Options::default()
    };
    for seed in 0..300 {
        let graph = generate(seed, &options).expect("a graph").graph;
        let memory = ActivationMemory::of(&graph);
        let mut most = memory.entering_bytes();
        for (id, _) in graph.iter() {
            let alive = memory.alive_at(&graph, id);
            let bytes: u64 = alive.iter().map(|&v| graph.ty(v).bytes() as u64).sum();
            let at = memory.bytes_at(id);
            assert_eq!(bytes + memory.hidden_at(id), at, "seed {seed}, {id:?}");
            most = most.max(at);
        }
        assert_eq!(memory.peak_bytes(), most, "seed {seed}");
        assert_eq!(
            graph_cost(&graph).peak_activation_bytes,
            most,
            "seed {seed}"
        );
        let peak = memory.peak().expect("there are nodes");
        assert_eq!(memory.bytes_at(peak), most, "seed {seed}");
    }
}
