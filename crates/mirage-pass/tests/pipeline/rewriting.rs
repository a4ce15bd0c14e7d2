//! What a patch refuses, and that the error says where.

use mirage_ir::{Graph, ops::Unary, text};
use mirage_pass::rewrite::Patch;

fn network() -> Graph {
    let source = r#"graph "net" {
      input %0 "x": f32[2,8]
      param %1 "w": f32[8,4]
      %2: f32[2,4] = linear(%0, %1) @ "head.proj"
      %3: f32[2,4] = silu(%2) @ "head.act"
      output "y" = %3
    }"#;
    text::parse(source).expect("parses")
}

#[test]
fn a_replacement_of_another_type_names_the_node_and_its_module() {
    let graph = network();
    let (x, product) = (graph.inputs()[0].value, graph.nodes()[0].output());
    let error = Patch::new(&graph).replace(product, x).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "graph `net`, node 0 (linear at `head.proj`): %2 is f32[2,4] and cannot be replaced by a value \
         of type f32[2,8]"
    );
    // An input belongs to no node.
    let error = Patch::new(&graph).replace(x, product).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "graph `net`: %0 is f32[2,8] and cannot be replaced by a value of type f32[2,4]"
    );
}

#[test]
fn a_replacement_that_comes_too_late_names_the_node_that_computes_it() {
    let graph = network();
    let ids: Vec<_> = graph.iter().map(|(id, _)| id).collect();
    let [product, active] = [0, 1].map(|i: usize| graph.nodes()[i].output());
    let mut patch = Patch::new(&graph);
    // Computed before the SiLU, from a value that the SiLU takes.
    let late = patch.at(ids[1]).op(Unary::Neg, &[product]).expect("fits");
    patch.replace(product, late).expect("the same type");
    patch.apply().expect("the new node stands before the SiLU");

    let mut patch = Patch::new(&graph);
    patch.replace(product, active).expect("the same type");
    let error = patch
        .apply()
        .expect_err("the SiLU would take its own result");
    assert_eq!(
        error.to_string(),
        "graph `net`, node 1 (silu at `head.act`): the replacement %3 is used before it is computed"
    );
}
