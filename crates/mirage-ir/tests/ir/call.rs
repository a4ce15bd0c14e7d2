//! Calls: one body used many times, in every form and by everything that reads a graph.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::sync::Arc;

use crate::common::*;
use insta::assert_snapshot;
use mirage_ir::{
    cost::{graph_cost, node_cost},
    interp::{Tensor, run},
    ops::*,
    text::{parse, parse_unverified},
    *,
};

/// The bodies of a graph's calls, as they are shared.
fn addresses(graph: &Graph) -> Vec<*const Graph> {
    let bodies = graph.nodes().iter().filter_map(|n| n.op.body());
    bodies.map(Arc::as_ptr).collect()
}

fn complaint(text: &str) -> String {
    parse(text).expect_err("the graph is not sound").to_string()
}

/// `graph` with every call replaced by the nodes of its body.
fn inlined(graph: &Graph) -> Graph {
    let mut b = Graph::builder(graph.name());
    let x = b.input("x", f32(&[2, 3]));
    let mut values = vec![x];
    for node in graph.nodes() {
        let operands: Vec<ValueId> = node.inputs.iter().map(|v| values[v.index()]).collect();
        let body = Arc::new(flat(node.op.body().unwrap()));
        values.extend(b.inline(&body, &operands).unwrap());
    }
    for port in graph.outputs() {
        b.output(port.name.clone(), values[port.value.index()]);
    }
    b.finish().unwrap()
}

/// A body with the calls in it inlined.
fn flat(body: &Graph) -> Graph {
    let mut b = Graph::builder(body.name());
    let mut values = vec![None; body.values().len()];
    for port in body.inputs() {
        values[port.value.index()] = Some(b.input(port.name.clone(), body.ty(port.value).clone()));
    }
    for port in body.params() {
        values[port.value.index()] = Some(b.param(port.name.clone(), body.ty(port.value).clone()));
    }
    for node in body.nodes() {
        let operands: Vec<ValueId> = node
            .inputs
            .iter()
            .map(|v| values[v.index()].unwrap())
            .collect();
        let outputs = match node.op.body() {
            Some(inner) => b.inline(inner, &operands).unwrap(),
            None => b.push(node.op.clone(), &operands).unwrap(),
        };
        for (v, new) in node.outputs.iter().zip(outputs) {
            values[v.index()] = Some(new);
        }
    }
    for port in body.outputs() {
        b.output(port.name.clone(), values[port.value.index()].unwrap());
    }
    b.finish().unwrap()
}

fn weights() -> Params {
    let scale = TensorData::from_f32([1, 3], &[0.5, -1.25, 2.0]).unwrap();
    let bias = TensorData::from_f32([1, 3], &[0.125, 0.25, -0.5]).unwrap();
    Params::from_iter([("scale".to_owned(), scale), ("bias".to_owned(), bias)])
}

fn x() -> Tensor {
    Tensor::float([2, 3], [0.3, -0.2, 0.9, 1.1, 0.7, -2.0]).unwrap()
}

#[test]
fn a_call_computes_what_its_body_does() {
    let graph = calls().unwrap();
    let called = run(&graph, &weights(), &[x()], &[]).unwrap();
    // By hand, for the first column: scale 0.5, bias 0.125.
    let step = |x: f64| (0.5 * x).tanh();
    let twice = |x: f64| (step(step(x)), 0.5 * step(x) + 0.125);
    let (again, other) = twice(twice(step(0.3)).1);
    assert!((called.outputs[0].floats().unwrap()[0] - again).abs() < 1e-15);
    assert!((called.outputs[1].floats().unwrap()[0] - other).abs() < 1e-15);

    let flat = inlined(&graph);
    assert!(flat.nodes().iter().all(|n| n.op.body().is_none()));
    assert_eq!(run(&flat, &weights(), &[x()], &[]).unwrap(), called);
    assert_eq!(flat.all_params(), graph.all_params());
}

#[test]
fn a_body_is_inlined_where_it_fits() {
    let graph = calls().unwrap();
    let step = graph.callees()[0];
    let mut b = Graph::builder("g");
    let x = b.input("x", f32(&[2, 3]));
    let wide = b.input("wide", f32(&[2, 4]));
    b.param("scale", f32(&[3]));
    assert_snapshot!(b.inline(step, &[wide]).unwrap_err(), @"graph `g`, node 0 (call): input 0 must be f32[2,3], got f32[2,4]");
    assert_snapshot!(b.inline(step, &[x]).unwrap_err(), @"graph `g`: parameter `scale` is f32[3] in the graph, but f32[1,3] in the body");
}

#[test]
fn a_program_has_the_parameters_of_its_bodies_once() {
    let graph = calls().unwrap();
    assert!(graph.params().is_empty());
    let names: Vec<&str> = graph.all_params().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["scale", "bias"]);
    let callees: Vec<&str> = graph.callees().iter().map(|b| b.name()).collect();
    assert_eq!(callees, ["step", "twice"], "each after those that it calls");

    let mut params = weights();
    params.check(&graph).unwrap();
    params.insert("bias", TensorData::from_f32([3], &[0.0; 3]).unwrap());
    assert_snapshot!(params.check(&graph).unwrap_err(), @"graph `calls`: parameter `bias` is f32[1,3], but its value is f32[3]");
    let error = run(&graph, &Params::new(), &[x()], &[]).unwrap_err();
    assert_snapshot!(error, @"graph `calls`: parameter `scale` has no value");
}

#[test]
fn text_has_each_body_once_and_reads_back_shared() {
    let graph = calls().unwrap();
    assert_snapshot!(graph.to_string(), @r#"
    body "step" graph "step" {
      input %0 "x": f32[2,3]
      param %1 "scale": f32[1,3]
      %2: f32[2,3] = mul(%0, %1) @ "scale"
      %3: f32[2,3] = tanh(%2) @ "scale"
      output "y" = %3
    }
    body "twice" graph "twice" {
      input %0 "x": f32[2,3]
      param %1 "scale": f32[1,3]
      param %2 "bias": f32[1,3]
      %3: f32[2,3] = call(%0) body "step"
      %4: f32[2,3] = call(%3) body "step"
      %5: f32[2,3] = mul(%3, %1)
      %6: f32[2,3] = add(%5, %2)
      output "again" = %4
      output "other" = %6
    }
    graph "calls" {
      input %0 "x": f32[2,3]
      %1: f32[2,3] = call(%0) @ "first" body "step"
      %2: f32[2,3], %3: f32[2,3] = call(%1) body "twice"
      %4: f32[2,3], %5: f32[2,3] = call(%3) body "twice"
      output "again" = %4
      output "other" = %5
    }
    "#);
    let read = parse(&graph.to_string()).unwrap();
    assert_eq!(read, graph);
    let [first, second, third] = addresses(&read)[..] else {
        panic!("three calls")
    };
    assert!(second == third && first != second);
    assert_eq!(read.callees().len(), 2);
}

#[test]
fn equal_bodies_are_one_and_others_of_a_name_are_told_apart() {
    let body = |f: Unary| {
        let mut b = Graph::builder("f");
        let x = b.input("x", f32(&[2]));
        let y = b.op(f, &[x]).unwrap();
        b.output("y", y);
        Arc::new(b.finish().unwrap())
    };
    let mut b = Graph::builder("g");
    let mut x = b.input("x", f32(&[2]));
    for f in [Unary::Relu, Unary::Exp, Unary::Relu] {
        x = b.op(Call::new(body(f)), &[x]).unwrap();
    }
    b.output("y", x);
    let graph = b.finish().unwrap();
    let [a, _, c] = addresses(&graph)[..] else {
        panic!("three calls")
    };
    assert_ne!(a, c);
    assert_eq!(graph.callees().len(), 2);
    let text = graph.to_string();
    assert!(text.contains("body \"f\" graph \"f\"") && text.contains("body \"f#2\" graph \"f\""));
    for read in [
        parse(&text).unwrap(),
        wire::decode(&wire::encode(&graph)).unwrap(),
    ] {
        assert_eq!(read, graph);
        let [a, b, c] = addresses(&read)[..] else {
            panic!("three calls")
        };
        assert!(a == c && a != b);
        assert_eq!(read.to_string(), text);
    }
}

#[test]
fn wire_has_each_body_once() {
    let graph = calls().unwrap();
    let bytes = wire::encode(&graph);
    let read = wire::decode(&bytes).unwrap();
    assert_eq!(read, graph);
    let [first, second, third] = addresses(&read)[..] else {
        panic!("three calls")
    };
    assert!(second == third && first != second);
    let count = |word: &[u8]| bytes.windows(word.len()).filter(|w| *w == word).count();
    assert_eq!(count(b"tanh"), 1);
    assert!(
        count(b"version\x02") == 1,
        "an older reader must not take a call without its body"
    );
}

#[test]
fn a_broken_wire_form_of_bodies_is_refused() {
    let bytes = wire::encode(&calls().unwrap());
    let mut refused = 0;
    for at in 0..bytes.len() {
        for byte in [0x00, 0x01, 0x7f, 0xc0, bytes[at] ^ 1] {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            refused += usize::from(wire::decode(&bytes).is_err());
        }
        wire::decode(&bytes[..at]).unwrap_err();
    }
    assert!(refused > bytes.len());
    let at = bytes.windows(7).rposition(|w| w == b"\xa6callee").unwrap();
    let mut bytes = bytes;
    bytes[at + 7] = 9;
    assert_snapshot!(wire::decode(&bytes).unwrap_err(), @"node 2 (call): no body before this graph has the number 9");
}

#[test]
fn labels_stand_for_one_body_before_their_use() {
    let body = "body \"f\" graph \"f\" { input %0 \"x\": f32[2] output \"y\" = %0 }\n";
    let graph = |label: &str| {
        format!(
            "graph \"g\" {{ input %0 \"x\": f32[2] %1: f32[2] = call(%0) body \"{label}\" output \"y\" = %1 }}"
        )
    };
    parse(&format!("{body}{}", graph("f"))).unwrap();
    assert_snapshot!(complaint(&format!("{body}{body}{}", graph("f"))), @r#"line 2: two bodies have the label "f": labels must be unique"#);
    assert_snapshot!(complaint(&format!("{body}{}", graph("h"))), @r#"line 2: no body before this graph has the label "h""#);
    assert_snapshot!(complaint(&graph("f")), @r#"line 1: no body before this graph has the label "f""#);
    assert_snapshot!(complaint(body), @"line 2: expected `graph`, found the end of the text");
    assert_snapshot!(complaint("graph \"g\" { input %0 \"x\": f32[2] %1: f32[2] = call(%0) }"), @"line 1: call: has no body");
    assert_snapshot!(complaint(&format!("{body}{}", graph("f").replace("(%0)", "(%0) {times = 2}"))), @"line 2: call: unknown field `times`, there are no fields");
}

/// Sections that call the one before, to any depth: bounded without a deep stack.
#[test]
fn bodies_in_sections_nest_to_the_same_limit() {
    let chain = |depth: usize| {
        let mut text =
            "body \"0\" graph \"f\" { input %0 \"x\": f32[2] output \"y\" = %0 }\n".to_owned();
        for i in 1..depth {
            let below = i - 1;
            text += &format!(
                "body \"{i}\" graph \"f\" {{ input %0 \"x\": f32[2] %1: f32[2] = call(%0) body \"{below}\" output \"y\" = %1 }}\n"
            );
        }
        let last = depth - 1;
        text + &format!(
            "graph \"g\" {{ input %0 \"x\": f32[2] %1: f32[2] = call(%0) body \"{last}\" output \"y\" = %1 }}"
        )
    };
    let deepest = parse(&chain(32)).unwrap();
    assert_eq!(wire::decode(&wire::encode(&deepest)).unwrap(), deepest);
    let message = parse_unverified(&chain(100_000)).unwrap_err().to_string();
    assert_eq!(message, "line 34: bodies nest deeper than 32 levels");
}

#[test]
fn the_verifier_says_what_is_wrong_with_a_call() {
    let program = |body: &str, call: &str| {
        complaint(&format!(
            "body \"f\" graph \"f\" {{ {body} }}\ngraph \"g\" {{ input %0 \"x\": f32[2] param %1 \"w\": f32[2] {call} body \"f\" }}"
        ))
    };
    let relu = "input %0 \"x\": f32[2] %1: f32[2] = relu(%0) output \"y\" = %1";
    assert_snapshot!(program(relu, "%2: f32[2] = call()"), @"graph `g`, node 0 (call): takes 1 inputs, got 0");
    assert_snapshot!(program(relu, "%2: f32[3] = call(%0)"), @"graph `g`, node 0 (call): output %2 is stated as f32[3], but is f32[2]");
    assert_snapshot!(program(&relu.replace("f32[2]", "f16[2]"), "%2: f16[2] = call(%0)"), @"graph `g`, node 0 (call): input 0 must be f16[2], got f32[2]");
    assert_snapshot!(program(&relu.replace("%1: f32[2]", "%1: f32[3]"), "%2: f32[3] = call(%0) @ \"steps.0\""), @"graph `g`, node 0 (call at `steps.0`): in the body: graph `f`, node 0 (relu): output %1 is stated as f32[3], but is f32[2]");
    let state = "input %0 \"x\": f32[2] state %1 \"s\": f32[2] -> %1 output \"y\" = %0";
    assert_snapshot!(program(state, "%2: f32[2] = call(%0)"), @"graph `g`, node 0 (call): the body of a call has no states, `f` has `s`: make it an input and an output");
    let param =
        "input %0 \"x\": f32[2] param %1 \"w\": f32[1] %2: f32[2] = mul(%0, %1) output \"y\" = %2";
    assert_snapshot!(program(param, "%2: f32[2] = call(%0)"), @"graph `f`: parameter `w` is f32[1], but f32[2] in `g`: parameters of the same name must have the same type");
    let empty = "input %0 \"x\": f32[2]";
    assert_snapshot!(program(empty, "%2: f32[2] = call(%0)"), @"graph `g`, node 0 (call): has 1 outputs instead of 0");
    let region = "%2: f32[2] = region(%0) {kind = \"k\"} graph \"r\" { input %0 \"x\": f32[2] %1: f32[2] = call(%0) body \"f\" output \"y\" = %1 } %3: f32[2] = call(%2)";
    assert_snapshot!(program(relu, region), @"graph `g`, node 0 (region): the body of a region has no calls: inline them");
}

#[test]
fn a_body_costs_at_each_call_and_its_weights_once() {
    let graph = calls().unwrap();
    let cost = graph_cost(&graph);
    let [step, twice] = graph.callees()[..] else {
        panic!("two bodies")
    };
    let (step_cost, twice_cost) = (graph_cost(step), graph_cost(twice));
    assert_eq!(twice_cost.flops, 2 * step_cost.flops + 2 * 6);
    assert_eq!(cost.flops, step_cost.flops + 2 * twice_cost.flops);
    assert_eq!(node_cost(&graph, &graph.nodes()[1]).flops, twice_cost.flops);
    assert_eq!(graph.nodes()[1].op.flops(&[], &[]), twice_cost.flops);
    assert_eq!(cost.weight_bytes, 2 * 3 * 4, "scale and bias");
    let flat = graph_cost(&inlined(&graph));
    assert_eq!(
        (
            cost.flops,
            cost.bytes,
            cost.activation_bytes,
            cost.weight_bytes
        ),
        (
            flat.flops,
            flat.bytes,
            flat.activation_bytes,
            flat.weight_bytes
        )
    );
    // The worst moment is in the last `twice`, of values of 24 bytes: the input of the program and
    // that of the call, which are held, and in the body three others besides its input. Inlined,
    // the input of the call is freed after its use.
    assert_eq!(cost.peak_activation_bytes, 24 * (2 + 3));
    assert_eq!(flat.peak_activation_bytes, 24 * 4);
}

/// What a body computes from its parameters alone is computed once, not at each call.
#[test]
fn the_prologue_of_a_body_costs_nothing() {
    let text = |scale: &str| {
        format!(
            r#"body "f" graph "f" {{
  input %0 "x": f32[2]
  param %1 "w": f32[2]
  {scale}
  %3: f32[2] = mul(%0, %2)
  output "y" = %3
}}
graph "g" {{
  input %0 "x": f32[2]
  %1: f32[2] = call(%0) body "f"
  %2: f32[2] = call(%1) body "f"
  output "y" = %2
}}
"#
        )
    };
    let fixed = graph_cost(&parse(&text("%2: f32[2] = exp(%1)")).unwrap());
    assert_eq!((fixed.flops, fixed.weight_bytes), (2 * 2, 8));
    let live = graph_cost(&parse(&text("%2: f32[2] = exp(%0)")).unwrap());
    assert_eq!((live.flops, live.weight_bytes), (2 * 4, 0));
}

#[test]
fn calls_can_be_redirected() {
    let mut graph = calls().unwrap();
    let [_, twice] = graph.callees()[..] else {
        panic!("two bodies")
    };
    let (twice, flat) = (twice.clone(), Arc::new(flat(twice)));
    graph.redirect_calls(|body| Arc::ptr_eq(body, &twice).then(|| flat.clone()));
    verify(&graph).unwrap();
    let [first, second, third] = addresses(&graph)[..] else {
        panic!("three calls")
    };
    assert!(first != second && second == Arc::as_ptr(&flat) && third == second);
    let before = run(&calls().unwrap(), &weights(), &[x()], &[]).unwrap();
    assert_eq!(run(&graph, &weights(), &[x()], &[]).unwrap(), before);
}
