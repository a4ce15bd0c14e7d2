//! The verifier: for each of its rules a graph that breaks it, and what the error says.

use std::sync::Arc;

use crate::common::*;
use insta::assert_snapshot;
use mirage_ir::{ops::*, text::parse_unverified, *};

/// What the verifier says of a graph that only it can refuse.
fn complaint(text: &str) -> String {
    refused(&parse_unverified(text).expect("the text is in the form"))
}

fn refused(graph: &Graph) -> String {
    match verify(graph) {
        Ok(()) => panic!("this must not be accepted:\n{graph}"),
        Err(e) => e.to_string(),
    }
}

/// A graph with an input of type f32[2,4,4,4] and these lines.
fn with(lines: &str) -> String {
    complaint(&format!(
        "graph \"g\" {{ input %0 \"x\": f32[2,4,4,4]\n{lines} }}"
    ))
}

#[test]
fn sound_graphs_are_accepted() {
    families().iter().for_each(|g| verify(g).unwrap());
}

#[test]
fn operands_are_defined_before_their_use() {
    let mut b = Graph::builder("g");
    b.set_path("mid.act");
    b.push_typed(
        Unary::Relu.into(),
        &[ValueId::from_index(1)],
        vec![f32(&[2])],
    );
    b.push_typed(
        Unary::Relu.into(),
        &[ValueId::from_index(0)],
        vec![f32(&[2])],
    );
    assert_snapshot!(refused(&b.finish_unverified()), @r#"graph `g`, node 0 (relu at `mid.act`): operand %1 is not defined before its use"#);
    let mut b = Graph::builder("g");
    b.push_typed(
        Unary::Relu.into(),
        &[ValueId::from_index(0)],
        vec![f32(&[2])],
    );
    assert_snapshot!(refused(&b.finish_unverified()), @r#"graph `g`, node 0 (relu): operand %0 is not defined before its use"#);
}

#[test]
fn results_exist() {
    let mut b = Graph::builder("g");
    b.output("y", ValueId::from_index(3));
    assert_snapshot!(refused(&b.finish_unverified()), @r#"graph `g`: output `y` is %3, which does not exist"#);
    let mut b = Graph::builder("g");
    let s = b.state("s", f32(&[2]));
    b.set_state(s, ValueId::from_index(3)).unwrap();
    assert_snapshot!(refused(&b.finish_unverified()), @r#"graph `g`: state `s` is f32[2], but its new content is %3, which does not exist"#);
}

#[test]
fn output_types_are_what_the_operation_infers() {
    assert_snapshot!(with("%1: f32[2,4,4,5] = relu(%0) @ \"a.b\""), @r#"graph `g`, node 0 (relu at `a.b`): output %1 is stated as f32[2,4,4,5], but is f32[2,4,4,4]"#);
    assert_snapshot!(with("%1: f16[2,4,4,4] = relu(%0)"), @r#"graph `g`, node 0 (relu): output %1 is stated as f16[2,4,4,4], but is f32[2,4,4,4]"#);
    assert_snapshot!(with("%1: f32[2,4,4,4]@[0,2,3,1] = relu(%0)"), @r#"graph `g`, node 0 (relu): output %1 is stated as f32[2,4,4,4]@[0,2,3,1], but is f32[2,4,4,4]"#);
    assert_snapshot!(with("%1: f32[2,4,4,4], %2: f32[2,4,4,4] = relu(%0)"), @r#"graph `g`, node 0 (relu): has 2 outputs instead of 1"#);
}

#[test]
fn inputs_fit_the_operation() {
    assert_snapshot!(with("%1: f32[2,4,4,4] = add(%0)"), @r#"graph `g`, node 0 (add): takes 2 inputs, got 1"#);
    assert_snapshot!(with("%1: bool[2,4,4,4] = not(%0)"), @r#"graph `g`, node 0 (not): takes bool, got f32"#);
    assert_snapshot!(with("param %1 \"w\": f32[8,3,1,1] %2: f32[2,8,4,4] = conv(%0, %1) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}"), @r#"graph `g`, node 0 (conv): x has 4 channels, the weight f32[8,3,1,1] with 1 groups takes 3"#);
    assert_snapshot!(with("%1: f32[2,4,4,4]@[0,2,3,1] = reorder(%0) {order = [0, 2, 3, 1]} %2: f32[2,4,4,4] = add(%0, %1)"), @r#"graph `g`, node 1 (add): inputs have different memory orders: f32[2,4,4,4] and f32[2,4,4,4]@[0,2,3,1]"#);
    assert_snapshot!(with("%1: f32[2,4,4,4]@[0,2,3,1] = reorder(%0) {order = [0, 2, 3, 1]} %2: f32[2,4,4,4] = matmul(%1, %1)"), @r#"graph `g`, node 1 (matmul): takes row-major tensors, got f32[2,4,4,4]@[0,2,3,1]: a reorder must come before it"#);
}

#[test]
fn a_node_has_an_output() {
    let mut b = Graph::builder("g");
    let x = b.input("x", f32(&[2]));
    b.push_typed(Unary::Relu.into(), &[x], vec![]);
    assert_snapshot!(refused(&b.finish_unverified()), @r#"graph `g`, node 0 (relu): has no output"#);
}

#[test]
fn types_are_sound() {
    let many = "1,".repeat(16) + "1";
    assert_snapshot!(complaint(&format!("graph \"g\" {{ param %0 \"w\": f32[{many}] }}")), @r#"graph `g`: parameter `w`: a type has 17 dimensions, but at most 16 are supported"#);
    assert_snapshot!(complaint("graph \"g\" { input %0 \"x\": f32[16777216,16777216] }"), @r#"graph `g`: input `x`: f32[16777216,16777216] has more bytes than memory can address"#);
    assert_snapshot!(complaint("graph \"g\" { state %0 \"x\": f32[0,16777216,16777216] -> %0 }"), @r#"graph `g`: state `x`: f32[0,16777216,16777216] has more bytes than memory can address"#);
    let lines =
        "%1: f32[16777216,16777216] = full() {ty = \"f32[16777216,16777216]\", value = 0.0}";
    assert_snapshot!(with(lines), @r#"graph `g`, node 0 (full): f32[16777216,16777216] has more bytes than memory can address"#);
    let mut b = Graph::builder("g");
    b.input(
        "x",
        TensorType {
            order: Order::row_major(3),
            ..f32(&[2, 2])
        },
    );
    assert_snapshot!(refused(&b.finish_unverified()), @r#"graph `g`: input `x`: f32[2,2]: the order does not have 2 dimensions"#);
}

#[test]
fn names_are_unique_among_their_kind() {
    assert_snapshot!(with("input %1 \"x\": f32[1]"), @r#"graph `g`: two inputs have the name `x`"#);
    assert_snapshot!(with("param %1 \"w\": f32[1] param %2 \"w\": f32[2]"), @r#"graph `g`: two parameters have the name `w`"#);
    assert_snapshot!(with("state %1 \"s\": f32[1] -> %1 state %2 \"s\": f32[1] -> %2"), @r#"graph `g`: two states have the name `s`"#);
    assert_snapshot!(with("output \"y\" = %0 output \"y\" = %0"), @r#"graph `g`: two outputs have the name `y`"#);
    let shared = "graph \"g\" { input %0 \"x\": f32[1] param %1 \"x\": f32[1] state %2 \"x\": f32[1] -> %0 output \"x\" = %1 }";
    verify(&parse_unverified(shared).unwrap()).unwrap();
}

#[test]
fn a_state_keeps_its_type() {
    assert_snapshot!(with("state %1 \"s\": f32[2,4,4,5] -> %0"), @r#"graph `g`: state `s` is f32[2,4,4,5], but its new content is f32[2,4,4,4]"#);
    assert_snapshot!(with("state %1 \"s\": f16[2,4,4,4] -> %0"), @r#"graph `g`: state `s` is f16[2,4,4,4], but its new content is f32[2,4,4,4]"#);
    assert_snapshot!(with("state %1 \"s\": f32[2,4,4,4]@[0,2,3,1] -> %0"), @r#"graph `g`: state `s` is f32[2,4,4,4]@[0,2,3,1], but its new content is f32[2,4,4,4]"#);
    // The same memory in other words.
    let same =
        "graph \"g\" { input %0 \"x\": f32[1,4,1,1] state %1 \"s\": f32[1,4,1,1]@[0,2,3,1] -> %0 }";
    verify(&parse_unverified(same).unwrap()).unwrap();
}

/// `region(x, gamma, beta)` of kind `group_norm_silu` on f32[1,4,2,2], its text changed.
fn region(from: &str, to: &str) -> String {
    let text = others().expect("a sound graph").to_string();
    let changed = text.replacen(from, to, 1);
    assert_ne!(text, changed, "`{from}` is not in\n{text}");
    complaint(&changed)
}

#[test]
fn bodies_are_verified() {
    assert_snapshot!(region("%4: f32[1,4,2,2] = silu(%3)", "%4: f32[1,4,2,9] = silu(%3)"), @r#"graph `others "quoted"`, node 1 (region at `mid.norm`): in the body: graph `twice`, node 0 (region): in the body: graph `group_norm_silu`, node 1 (silu): output %4 is stated as f32[1,4,2,9], but is f32[1,4,2,2]"#);
}

#[test]
fn the_body_of_a_known_kind_is_its_expansion() {
    // A planted fault each: another function, another attribute, another operand, another result.
    assert_snapshot!(region("= silu(%3)", "= relu(%3)"), @r#"graph `others "quoted"`, node 1 (region at `mid.norm`): in the body: graph `twice`, node 0 (region): the body does not compute what the region kind `group_norm_silu` defines"#);
    assert_snapshot!(region("group_norm(%0, %1, %2) {eps = 1e-6", "group_norm(%0, %1, %2) {eps = 1e-5"), @r#"graph `others "quoted"`, node 1 (region at `mid.norm`): in the body: graph `twice`, node 0 (region): the body does not compute what the region kind `group_norm_silu` defines"#);
    for (from, to) in [
        ("group_norm(%0, %1, %2)", "group_norm(%0, %2, %1)"),
        ("attributes = {eps = 1e-6", "attributes = {eps = 1e-5"),
        (
            "= silu(%3)\n      output \"out\" = %4",
            "= silu(%3)\n      output \"out\" = %3",
        ),
    ] {
        let message = region(from, to);
        assert!(
            message.contains(
                "the body does not compute what the region kind `group_norm_silu` defines"
            ),
            "{message}"
        );
    }
    assert_snapshot!(region("attributes = {eps = 1e-6, groups = 2}", "attributes = {eps = 1e-6}"), @r#"graph `others "quoted"`, node 1 (region at `mid.norm`): in the body: graph `twice`, node 0 (region): missing field `groups`"#);
}

#[test]
fn an_unknown_kind_is_what_its_body_says() {
    let mut text = others().unwrap().to_string();
    text = text
        .replace("\"group_norm_silu\"", "\"my_kind\"")
        .replace("= silu(", "= tanh(");
    verify(&parse_unverified(&text).unwrap()).unwrap();
}

#[test]
fn a_known_region_may_lie_in_memory_as_its_body_says_in_other_words() {
    let x = f32(&[1, 4, 1, 1]);
    let mut b = Graph::builder("g");
    let gamma = b.param("gamma", f32(&[4]));
    let outer = b.input("x", x.clone().with_order(Order::channels_last(4)));
    let y = b.op(norm_silu(&x), &[outer, gamma, gamma]).unwrap();
    b.output("y", y);
    b.finish().unwrap();
}

#[test]
fn region_inputs_fit_the_body() {
    let body = "graph \"b\" { input %0 \"x\": f32[4] output \"y\" = %0 }";
    assert_snapshot!(with(&format!("%1: f32[4] = region(%0) {{kind = \"k\"}} {body}")), @r#"graph `g`, node 0 (region): input 0 must be f32[4], got f32[2,4,4,4]"#);
    assert_snapshot!(with(&format!("%1: f32[4] = region() {{kind = \"k\"}} {body}")), @r#"graph `g`, node 0 (region): takes 1 inputs, got 0"#);
    let body = "graph \"b\" { param %0 \"x\": f32[4] output \"y\" = %0 }";
    assert_snapshot!(with(&format!("%1: f32[4] = region() {{kind = \"k\"}} {body}")), @r#"graph `g`, node 0 (region): the body of a region has neither parameters nor states"#);
}

/// A region that holds `depth` others, one in the other.
fn nested(depth: usize) -> Result<Graph, GraphError> {
    (0..depth).try_fold(leaf()?, |body, _| {
        let body = Arc::new(body);
        let mut b = Graph::builder("level");
        let x = b.input("x", f32(&[1]));
        let y = b.op(Region::new("k", Attrs::new(), body), &[x])?;
        b.output("y", y);
        b.finish()
    })
}

fn leaf() -> Result<Graph, GraphError> {
    let mut b = Graph::builder("leaf");
    let x = b.input("x", f32(&[1]));
    b.output("y", x);
    b.finish()
}

#[test]
fn bodies_nest_to_a_limit() {
    verify(&nested(32).unwrap()).unwrap();
    let message = nested(33).unwrap_err().to_string();
    assert!(
        message.ends_with("(region): bodies nest deeper than 32 levels"),
        "{message}"
    );
}

/// Each level calls the one below twice: a few nodes that stand for 2^`depth`.
fn doubled(depth: usize) -> Graph {
    (0..depth).fold(leaf().expect("sound"), |body, _| {
        let call = Op::new(Call::new(Arc::new(body)));
        let mut b = Graph::builder("level");
        let x = b.input("x", f32(&[1]));
        let y = b.op(call.clone(), &[x]).expect("fits");
        let y = b.op(call, &[y]).expect("fits");
        b.output("y", y);
        b.finish_unverified()
    })
}

#[test]
fn shared_bodies_are_checked_once_and_stand_for_a_limited_number_of_nodes() {
    verify(&doubled(19)).unwrap();
    for depth in [20, 32] {
        let message = verify(&doubled(depth)).unwrap_err().to_string();
        let end = "has more than 1048576 nodes, with its bodies inlined";
        assert!(message.ends_with(end), "{message}");
    }
}

/// No operation's rules panic, whatever its attributes and inputs are.
#[test]
fn rules_take_anything() {
    let mut random = Random(3);
    let graphs = families();
    let nodes: Vec<&Node> = graphs.iter().flat_map(|g| g.nodes()).collect();
    let mut accepted = 0;
    for round in 0..200_000 {
        let op = any_numbers(&mut random, &nodes[round % nodes.len()].op);
        let types: Vec<TensorType> = (0..random.below(6))
            .map(|_| any_type(&mut random))
            .collect();
        let inputs: Vec<&TensorType> = types.iter().collect();
        accepted += usize::from(op.is_some_and(|op| op.infer(&inputs).is_ok()));
    }
    assert!(
        accepted > 1000,
        "only {accepted} operations took their inputs: the types are too wild"
    );
}

/// The operation, in one of two cases with some numbers of its attributes exchanged.
fn any_numbers(random: &mut Random, op: &Op) -> Option<Op> {
    fn exchange(random: &mut Random, value: &mut toml::Value) {
        match value {
            toml::Value::Integer(i) if random.below(3) == 0 => {
                *i = [0, 1, 2, 3, 1 << 31, 1 << 62, i64::MAX, -1][random.below(8)];
            }
            toml::Value::Array(items) => items.iter_mut().for_each(|i| exchange(random, i)),
            toml::Value::Table(t) => t.iter_mut().for_each(|(_, v)| exchange(random, v)),
            _ => {}
        }
    }
    if random.below(2) == 0 {
        return Some(op.clone());
    }
    let mut attrs = op.attrs();
    attrs
        .iter_mut()
        .for_each(|(_, value)| exchange(random, value));
    ops::decode(&op.name(), attrs, op.body().cloned(), &[]).ok()
}

/// A type that the verifier lets pass.
fn any_type(random: &mut Random) -> TensorType {
    let rank = random.below(6);
    let lengths = [0, 1, 1, 2, 3, 4, 8, 256];
    let shape: Vec<usize> = (0..rank)
        .map(|_| lengths[random.below(lengths.len())])
        .collect();
    let dtypes = [
        DType::F32,
        DType::F32,
        DType::F32,
        DType::F16,
        DType::I64,
        DType::Bool,
    ];
    let ty = TensorType::new(dtypes[random.below(dtypes.len())], shape);
    if random.below(4) == 0 {
        ty.with_order(Order::channels_last(rank))
    } else {
        ty
    }
}
