//! The text form as people and other programs write it: what is read, and what errors say.

use crate::common::*;
use insta::assert_snapshot;
use mirage_ir::{
    ops::Unknown,
    text::{parse, parse_unverified, print},
    *,
};

#[test]
fn people_write_it_their_own_way() {
    let text = r#"
        # A comment, and "strings" in it.
        graph 'by hand'{kind='demo',}{ # another
          output "y"=%9   # before its definition would be an error, so:
        }
    "#;
    assert_snapshot!(parse(text).unwrap_err(), @r#"line 4: %9 is not defined before its use"#);
    let text = r#"
        # A comment, and "strings" in it.
        graph 'by hand'{kind='demo', list = [1,2,],}{ # another
          state %30 "s" : f32[ 2, 3 ] -> %9
          input %7 "x": f32[2,3]
          %9:f32[2,3]=add_scalar(%7,)
            { "value" = +1_0.5e-1 } @
            "somewhere"   # a path

          param %8 "w": f32[2,3]@[1,0]
          output "y"=%9 }
    "#;
    assert_snapshot!(parse(text).unwrap(), @r#"
    graph "by hand" {kind = "demo", list = [1, 2]} {
      input %0 "x": f32[2,3]
      param %1 "w": f32[2,3]@[1,0]
      state %2 "s": f32[2,3] -> %3
      %3: f32[2,3] = add_scalar(%0) {value = 1.05} @ "somewhere"
      output "y" = %3
    }
    "#);
}

#[test]
fn an_unknown_operation_stays_as_it_is() {
    let text = r#"graph "future" {
  input %0 "x": f32[2]
  %1: f16[3,2]@[1,0], %2: i8[] = warp_drive(%0) {factor = 9.5, map = {deep = [[1], ["a b"]], "é" = true}} @ "a.b" graph "inner" {
    %0: f32[] = "new kind of op!"()
    output "" = %0
  }
  %3: f32[2] = "two words"(%0, %1, %2)
  output "y" = %3
}
"#;
    let graph = parse(text).unwrap();
    assert!(graph.nodes()[0].op.is::<Unknown>());
    assert_eq!(print(&graph), text);
}

#[test]
fn attributes_keep_their_values_and_kinds() {
    let floats = [
        0.0,
        -0.0,
        1.0,
        1e-5,
        1e300,
        5e-324,
        f64::MAX,
        f64::INFINITY,
        -f64::INFINITY,
        f64::NAN,
        0.1 + 0.2,
    ];
    let integers = [0, -1, i64::MIN, i64::MAX];
    let strings = [
        "",
        "plain",
        "\"'\\",
        "a\nb\r\tc",
        "\0\u{1b}\u{7f}\u{85}\u{2028}",
        "日本 🎬",
        "# } ] , = %0",
    ];
    let mut attrs = Attrs::new();
    attrs.insert(
        "floats".into(),
        floats.map(toml::Value::from).to_vec().into(),
    );
    attrs.insert(
        "integers".into(),
        integers.map(toml::Value::from).to_vec().into(),
    );
    attrs.insert(
        "strings".into(),
        strings.map(toml::Value::from).to_vec().into(),
    );
    attrs.insert("empty".into(), Attrs::new().into());
    for name in strings {
        attrs.insert(
            name.into(),
            toml::Value::Array(vec![Attrs::new().into(), true.into()]),
        );
    }
    let mut graph = Graph::builder("attributes").finish().unwrap();
    for (name, value) in &attrs {
        graph.set_attr(name, value.clone());
    }
    let text = print(&graph);
    assert_eq!(text.lines().count(), 2, "{text}");
    let read = parse(&text).unwrap();
    assert_eq!(print(&read), text);
    assert_eq!(read.attrs().len(), attrs.len());
    for (name, value) in &attrs {
        if name == "floats" {
            let bits = |v: &toml::Value| -> Vec<u64> {
                v.as_array()
                    .unwrap()
                    .iter()
                    .map(|x| x.as_float().unwrap().to_bits())
                    .collect()
            };
            assert_eq!(bits(&read.attrs()[name]), bits(value));
        } else {
            assert_eq!(&read.attrs()[name], value);
        }
    }
}

/// What is wrong, its line, and what to write instead.
#[test]
fn errors_say_where_and_what() {
    let graph = |items: &str| format!("graph \"g\" {{\n  input %0 \"x\": f32[2,3]\n{items}\n}}\n");
    let deep = "[".repeat(40) + &"]".repeat(40);
    let bodies = (0..40).fold("graph \"g\" {}".to_owned(), |body, _| {
        format!("graph \"g\" {{ %0: f32[] = future() {body} }}")
    });
    let cases = [
        String::new(),
        "# nothing\n\n".into(),
        "grph \"g\" {}".into(),
        "graph g {}".into(),
        "graph \"g".into(),
        "graph \"g\"".into(),
        "graph \"g\" {".into(),
        "graph \"g\" {} extra".into(),
        "graph \"g\" {a = 1, a = 2} {}".into(),
        "graph \"g\" {a = } {}".into(),
        "graph \"g\" {a = 1 b = 2} {}".into(),
        "graph \"g\" {a = 1979-05-27} {}".into(),
        "graph \"g\" {a = 99999999999999999999} {}".into(),
        "graph \"g\" {a = 1e999} {}".into(),
        "graph \"g\" {a = \"\\q\"} {}".into(),
        "graph \"g\" {a = \"\\ud800\"} {}".into(),
        "graph \"g\" {a = \"two\nlines\"} {}".into(),
        format!("graph \"g\" {{a = {deep}}} {{}}"),
        bodies,
        graph("  nonsense"),
        graph("  input %0 \"again\": f32[1]"),
        graph("  input %1 \"y\" f32[1]"),
        graph("  input %1 \"y\": f33[1]"),
        graph("  input %1 \"y\": f32[1,-2]"),
        graph("  input %1 \"y\": f32[1"),
        graph("  input %1 \"y\": f32[1,2]@[0,0]"),
        graph("  input %1 \"y\": f32[1,2]@[0]"),
        graph("  input %1 \"y\": f32[4294967296,4294967296,4294967296]"),
        graph("  input %99999999999 \"y\": f32[1]"),
        graph("  state %1 \"s\": f32[1]"),
        graph("  state %1 \"s\": f32[1] -> %2"),
        graph("  output \"y\" = %7"),
        graph("\n\n  %1: f32[2,3] = relu(%5)"),
        graph("  %1: f32[2,3] = relu(%0"),
        graph("  %1: f32[2,3] = relu %0"),
        graph("  %1: f32[2,3] = (%0)"),
        graph("  %1 = relu(%0)"),
        graph("  %1: f32[2,3] = relu(%0) {slope = 1.0}"),
        graph("  %1: f32[2,3] = relu(%0) graph \"g\" {}"),
        graph("  %1: f32[2,3] = softmax(%0)"),
        graph("  %1: f32[2,3] = softmax(%0) {dim = -1}"),
        graph("  %1: f32[2,3] = softmax(%0) {dim = 1, axis = 1}"),
        graph("  %1: f32[2,3] = add_scalar(%0) {value = \"one\"}"),
        graph("  %1: f32[2,3] = resize(%0) {size = [1, 2], mode = \"best\", align_corners = true}"),
        graph("  %1: f32[2,3] = reorder(%0) {order = [0, 0]}"),
        graph("  %1: f32[2,3] = region(%0) {kind = \"k\"}"),
        graph("  %1: f32[2,3] = softmax(%0) {dim = 5} @ \"mid.attention\""),
        graph("  %1: f32[3,2] = relu(%0)"),
    ];
    let messages: Vec<String> = cases
        .iter()
        .map(|text| match parse(text) {
            Ok(graph) => panic!("this must not be read:\n{text}\n{graph}"),
            Err(e) => format!("{e}\n    {}", interesting(text).trim()),
        })
        .collect();
    assert_snapshot!(messages.join("\n"), @r#"
    line 1: expected `graph`, found the end of the text
        (nothing)
    line 3: expected `graph`, found the end of the text
        # nothing
    line 1: expected `graph`, found `grph`
        grph "g" {}
    line 1: expected the graph's name in quotes, found `g`
        graph g {}
    line 1: the string has no closing " in its line
        graph "g
    line 1: expected `{`, found the end of the text
        graph "g"
    line 1: expected `input`, `param`, `state`, `output`, a node such as `%1: f32[8] = relu(%0)`, or `}`, found the end of the text
        graph "g" {
    line 1: expected the end of the text, found `extra`
        graph "g" {} extra
    line 1: attribute `a` is given twice
        graph "g" {a = 1, a = 2} {}
    line 1: expected a value: a 64-bit number, true, false, a string, an array or a table, found `}`
        graph "g" {a = } {}
    line 1: expected `,` or `}`, found `b`
        graph "g" {a = 1 b = 2} {}
    line 1: expected a value: a 64-bit number, true, false, a string, an array or a table, found `1979-05-27`
        graph "g" {a = 1979-05-27} {}
    line 1: expected a value: a 64-bit number, true, false, a string, an array or a table, found `99999999999999999999`
        graph "g" {a = 99999999999999999999} {}
    line 1: expected a value: a 64-bit number, true, false, a string, an array or a table, found `1e999`
        graph "g" {a = 1e999} {}
    line 1: unknown escape in a string: expected one of \" \\ \b \e \f \n \r \t \xHH \uHHHH \UHHHHHHHH
        graph "g" {a = "\q"} {}
    line 1: unknown escape in a string: expected one of \" \\ \b \e \f \n \r \t \xHH \uHHHH \UHHHHHHHH
        graph "g" {a = "\ud800"} {}
    line 1: the string has no closing " in its line
        graph "g" {a = "two
    line 1: attributes nest deeper than 32 levels
        graph "g" {a = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]
    line 1: bodies nest deeper than 32 levels
        graph "g" { %0: f32[] = future() graph "g" { %0: f32[] = future() graph "g"
    line 3: expected `input`, `param`, `state`, `output`, a node such as `%1: f32[8] = relu(%0)`, or `}`, found `nonsense`
        nonsense
    line 3: %0 is defined twice
        input %0 "again": f32[1]
    line 3: expected `:`, found `f32`
        input %1 "y" f32[1]
    line 3: unknown dtype `f33`: expected one of f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, bool
        input %1 "y": f33[1]
    line 3: expected `]`, found `-2`
        input %1 "y": f32[1,-2]
    line 4: expected `]`, found `}`
        input %1 "y": f32[1
    line 3: [0, 0] is not a permutation of 0..2
        input %1 "y": f32[1,2]@[0,0]
    line 3: `f32[1,2]@[0]`: the order has 1 dimensions, the shape 2
        input %1 "y": f32[1,2]@[0]
    line 3: `f32[4294967296,4294967296,4294967296]` has more elements than memory can address
        input %1 "y": f32[4294967296,4294967296,4294967296]
    line 3: expected a value's number after `%`, at most 4294967295
        input %99999999999 "y": f32[1]
    line 4: expected `->`, found `}`
        state %1 "s": f32[1]
    line 3: %2 is not defined
        state %1 "s": f32[1] -> %2
    line 3: %7 is not defined before its use
        output "y" = %7
    line 5: %5 is not defined before its use
        %1: f32[2,3] = relu(%5)
    line 4: expected `,` or `)`, found `}`
        %1: f32[2,3] = relu(%0
    line 3: expected `(`, found `%`
        %1: f32[2,3] = relu %0
    line 3: expected an operation's name, found `(`
        %1: f32[2,3] = (%0)
    line 3: expected `:`, found `=`
        %1 = relu(%0)
    line 3: relu: takes no attributes
        %1: f32[2,3] = relu(%0) {slope = 1.0}
    line 3: relu: takes no body
        %1: f32[2,3] = relu(%0) graph "g" {}
    line 3: softmax: missing field `dim`
        %1: f32[2,3] = softmax(%0)
    line 3: softmax: invalid value: integer `-1`, expected usize
        %1: f32[2,3] = softmax(%0) {dim = -1}
    line 3: softmax: unknown field `axis`, expected `dim`
        %1: f32[2,3] = softmax(%0) {dim = 1, axis = 1}
    line 3: add_scalar: data did not match any variant of untagged enum Scalar
        %1: f32[2,3] = add_scalar(%0) {value = "one"}
    line 3: resize: unknown variant `best`, expected one of `nearest`, `nearest_exact`, `bilinear`, `bicubic`
        %1: f32[2,3] = resize(%0) {size = [1, 2], mode = "best", align_corners = t
    line 3: reorder: [0, 0] is not a permutation of 0..2
        %1: f32[2,3] = reorder(%0) {order = [0, 0]}
    line 3: region: has no body
        %1: f32[2,3] = region(%0) {kind = "k"}
    graph `g`, node 0 (softmax at `mid.attention`): dimension 5 does not exist in f32[2,3]
        %1: f32[2,3] = softmax(%0) {dim = 5} @ "mid.attention"
    graph `g`, node 0 (relu): output %1 is stated as f32[3,2], but is f32[2,3]
        %1: f32[3,2] = relu(%0)
    "#);
}

/// The one line of a case that matters, cut to a width.
fn interesting(text: &str) -> &str {
    let line = |n| text.lines().nth(n).filter(|l| !l.is_empty() && *l != "}");
    let line = line(2).or(line(4)).or(line(0)).unwrap_or("(nothing)");
    &line[..line.len().min(76)]
}

#[test]
fn types_are_as_stated_without_the_verifier() {
    let text = "graph \"g\" {\n  input %0 \"x\": f32[2]\n  %1: i8[7] = relu(%0)\n}\n";
    let graph = parse_unverified(text).unwrap();
    assert_eq!(graph.values()[1].ty, ty("i8[7]"));
    assert!(matches!(parse(text), Err(GraphError::Node { .. })));
}

/// Whatever the bytes are, the reader gives a graph or an error, and a graph prints and reads again.
#[test]
fn damaged_text_never_panics() {
    let mut random = Random(1);
    let texts: Vec<String> = families().iter().map(print).collect();
    let mut read = 0;
    for round in 0..20_000 {
        let bytes = random.mutate(texts[round % texts.len()].as_bytes());
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(graph) = parse(&text) {
            read += 1;
            let printed = print(&graph);
            assert_eq!(print(&parse(&printed).unwrap()), printed);
            cost::graph_cost(&graph);
        }
    }
    assert!(
        read > 100,
        "only {read} damaged texts were still graphs: the damage is too coarse to test much"
    );
}
