//! The tables that costs, passes and executors rest on.

use mirage_ir::{
    Graph, NodeId, ValueId,
    analysis::{Liveness, Prologue, Uses, live_nodes},
    text::parse,
};

fn value(index: usize) -> ValueId {
    ValueId::from_index(index)
}

fn node(index: usize) -> NodeId {
    NodeId::from_index(index)
}

/// Node 0 is fixed, node 2 is dead, node 3 takes %4 twice, the state becomes %7.
fn graph() -> Graph {
    let text = r#"graph "g" {
        input %0 "x": f32[2]
        param %1 "w": f32[2]
        state %2 "s": f32[2] -> %7
        %3: f32[2] = exp(%1)
        %4: f32[2] = mul(%0, %3)
        %5: f32[2] = relu(%4)
        %6: f32[2] = mul(%4, %4)
        %7: f32[2] = add(%6, %2)
        output "y" = %6
    }"#;
    parse(text).expect("a sound graph")
}

#[test]
fn uses_count_every_operand() {
    let uses = Uses::of(&graph());
    assert_eq!(uses.users(value(4)), [node(2), node(3), node(3)]);
    assert_eq!(uses.users(value(7)), []);
    assert!(uses.leaves(value(6)) && uses.leaves(value(7)) && !uses.leaves(value(4)));
    assert!(uses.is_single(value(3)) && uses.is_single(value(0)));
    assert!(!uses.is_single(value(4)), "taken three times");
    assert!(!uses.is_single(value(6)), "taken once, and it leaves");
    assert!(!uses.is_single(value(5)), "never taken");
}

#[test]
fn liveness_ends_with_the_last_use() {
    let liveness = Liveness::of(&graph());
    assert_eq!(liveness.last_use(value(0)), Some(node(1)));
    assert_eq!(liveness.last_use(value(4)), Some(node(3)));
    assert_eq!(liveness.last_use(value(6)), None, "it leaves");
    assert_eq!(liveness.last_use(value(5)), None, "nobody takes it");
    assert!(liveness.leaves(value(7)) && !liveness.leaves(value(5)));
}

#[test]
fn a_node_is_live_if_a_result_needs_it() {
    assert_eq!(live_nodes(&graph()), [true, true, false, true, true]);
}

#[test]
fn the_prologue_is_what_parameters_decide() {
    let prologue = Prologue::of(&graph());
    assert_eq!(prologue.nodes(), [node(0)]);
    assert_eq!(prologue.kept(), [value(3)]);
    let fixed: Vec<bool> = (0..8).map(|v| prologue.is_fixed(value(v))).collect();
    assert_eq!(
        fixed,
        [false, true, false, true, false, false, false, false]
    );
}
