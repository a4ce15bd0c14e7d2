//! The wire form: what goes in comes out, and bytes that are not in the form are refused.

use crate::common::*;
use mirage_ir::{ops::Unknown, text, wire, *};

#[test]
fn decoding_gives_back_what_was_encoded() {
    for graph in families() {
        let bytes = wire::encode(&graph);
        let read = wire::decode(&bytes).unwrap();
        assert_eq!(read, graph);
        assert_eq!(wire::encode(&read), bytes);
    }
}

#[test]
fn values_keep_their_numbers() {
    let mut b = Graph::builder("late");
    let x = b.input("x", f32(&[2]));
    let y = b.op(ops::Unary::Relu, &[x]).unwrap();
    let w = b.param("w", f32(&[2]));
    let z = b.op(ops::Binary::Mul, &[y, w]).unwrap();
    b.output("z", z);
    let graph = b.finish().unwrap();
    assert_eq!(wire::decode(&wire::encode(&graph)).unwrap(), graph);
}

#[test]
fn an_unknown_operation_stays_as_it_is() {
    let text = r#"graph "future" {when = "$__toml_private_datetime"} {
  input %0 "x": f32[2]
  %1: f16[3,2]@[1,0], %2: i8[] = "warp drive"(%0) {"$__toml_private_datetime" = "1979-05-27", factor = 9.5, map = {deep = [[1], ["a b"]], "é" = true}} @ "a.b" graph "inner" {
    %0: f32[] = future()
    output "" = %0
  }
  output "y" = %1
}
"#;
    let graph = text::parse(text).unwrap();
    let read = wire::decode(&wire::encode(&graph)).unwrap();
    assert!(read.nodes()[0].op.is::<Unknown>());
    assert_eq!(read, graph);
    assert_eq!(text::print(&read), text);
}

#[test]
fn attributes_keep_their_values_and_kinds() {
    let mut graph = Graph::builder("attributes").finish().unwrap();
    let floats = [
        0.0,
        -0.0,
        1.0,
        f64::MIN_POSITIVE,
        f64::INFINITY,
        -1e300,
        0.1,
    ];
    let integers = [0, 1, -1, 127, 128, -129, 1 << 40, i64::MIN, i64::MAX];
    graph.set_attr("floats", floats.map(toml::Value::from).to_vec());
    graph.set_attr("integers", integers.map(toml::Value::from).to_vec());
    graph.set_attr("nan", f64::NAN);
    let read = wire::decode(&wire::encode(&graph)).unwrap();
    assert!(read.attrs()["nan"].as_float().unwrap().is_nan());
    for (x, read) in floats
        .iter()
        .zip(read.attrs()["floats"].as_array().unwrap())
    {
        assert_eq!(x.to_bits(), read.as_float().unwrap().to_bits());
    }
    assert_eq!(read.attrs()["integers"], graph.attrs()["integers"]);
}

/// `graph "v1" { input %0 "x": f32[2]  %1: f32[2] = mul_scalar(%0) {value = 0.5} @ "p"  output "y" = %1 }`
/// as version 1 of the form wrote it. If this test fails, `SCHEMA_VERSION` must grow.
const VERSION_1: &str = "\
    82a6666f726d6174ac6d69726167652d6772617068a776657273696f6e0187a46e616d65a27631a561747472\
    7380a6696e707574739183a46e616d65a178a576616c756500a474797065a66633325b325da6706172616d73\
    90a673746174657390a56e6f6465739186a26f70aa6d756c5f7363616c6172a5617474727381a576616c7565\
    cb3fe0000000000000a6696e707574739100a76f7574707574739182a576616c756501a474797065a6663332\
    5b325da470617468a170a4626f6479c0a76f7574707574739182a46e616d65a179a576616c756501";

#[test]
fn version_1_is_still_what_it_was() {
    let text = "graph \"v1\" {\n  input %0 \"x\": f32[2]\n  %1: f32[2] = mul_scalar(%0) {value = 0.5} @ \"p\"\n  output \"y\" = %1\n}\n";
    let bytes: Vec<u8> = VERSION_1
        .as_bytes()
        .chunks(2)
        .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
        .collect();
    let written = wire::encode(&text::parse(text).unwrap());
    assert_eq!(
        bytes,
        written,
        "{}",
        written
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    );
    assert_eq!(text::print(&wire::decode(&bytes).unwrap()), text);
}

fn refusal(bytes: &[u8]) -> String {
    wire::decode(bytes)
        .expect_err("these bytes must be refused")
        .to_string()
}

#[test]
fn other_formats_and_versions_are_refused_by_name() {
    let bytes = wire::encode(&unary().unwrap());
    let replace = |from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
        let mut bytes = bytes.clone();
        bytes.splice(at..at + from.len(), to.iter().copied());
        bytes
    };
    let message = refusal(&replace(b"version\x01", b"version\x2a"));
    assert!(
        message.contains("version 42") && message.contains("up to version 2"),
        "{message}"
    );
    let message = refusal(&replace(b"mirage-graph", b"garage-graph"));
    assert!(
        message.contains("garage-graph") && message.contains("mirage-graph"),
        "{message}"
    );
    assert!(refusal(b"").contains("not a graph in wire form"));
    assert!(refusal(b"graph \"g\" {}").contains("not a graph in wire form"));
    let mut long = bytes.clone();
    long.push(0xc0);
    assert_eq!(refusal(&long), "1 bytes follow the graph in wire form");
    // A newer writer's extra field is skipped.
    let header = replace(b"\x82\xa6format", b"\x83\xa3new\x01\xa6format");
    assert_eq!(wire::decode(&header).unwrap(), unary().unwrap());
}

#[test]
fn a_broken_graph_is_refused() {
    let text = "graph \"g\" {\n  input %0 \"x\": f32[2]\n  %1: f32[3] = relu(%0)\n}\n";
    let graph = text::parse_unverified(text).unwrap();
    assert!(matches!(
        wire::decode(&wire::encode(&graph)),
        Err(GraphError::Node { .. })
    ));
    let mut b = Graph::builder("g");
    let x = b.input("x", f32(&[2]));
    b.push_typed(
        ops::Unary::Relu.into(),
        &[ValueId::from_index(7)],
        vec![f32(&[2])],
    );
    b.output("y", x);
    let message = refusal(&wire::encode(&b.finish_unverified()));
    assert!(
        message.contains("operand %7 is not defined before its use"),
        "{message}"
    );
}

#[test]
fn attributes_of_a_known_operation_are_checked() {
    let mut bytes = wire::encode(&normalizations().unwrap());
    let at = bytes.windows(6).position(|w| w == b"groups").unwrap();
    bytes[at..at + 6].copy_from_slice(b"droops");
    let message = refusal(&bytes);
    assert!(
        message.starts_with("node 0 (group_norm): unknown field `droops`"),
        "{message}"
    );
}

#[test]
fn a_number_that_two_values_claim_is_refused() {
    let graph = text::parse("graph \"g\" { input %0 \"x\": i8[] input %1 \"y\": i8[] }").unwrap();
    let bytes = wire::encode(&graph);
    let at = bytes
        .windows(7)
        .rposition(|w| w == b"value\x01\xa4")
        .unwrap()
        + 5;
    for (number, message) in [
        (0, "value 0 is defined twice"),
        (9, "value 9 is out of range: the graph has 2 values"),
    ] {
        let mut bytes = bytes.clone();
        bytes[at] = number;
        assert_eq!(refusal(&bytes), message);
    }
}

#[test]
fn every_truncation_is_an_error() {
    for graph in families() {
        let bytes = wire::encode(&graph);
        for end in 0..bytes.len() {
            assert!(
                wire::decode(&bytes[..end]).is_err(),
                "the first {end} bytes of {}",
                graph.name()
            );
        }
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let mut random = Random(2);
    let all: Vec<Vec<u8>> = families().iter().map(wire::encode).collect();
    let mut read = 0;
    for round in 0..20_000 {
        let bytes = random.mutate(&all[round % all.len()]);
        if let Ok(graph) = wire::decode(&bytes) {
            read += 1;
            // NaN aside, a graph that was read is written and read again.
            assert_eq!(
                wire::encode(&wire::decode(&wire::encode(&graph)).unwrap()),
                wire::encode(&graph)
            );
            cost::graph_cost(&graph);
        }
    }
    assert!(
        read > 100,
        "only {read} damaged graphs were still graphs: the damage is too coarse to test much"
    );
}

/// Lengths of four thousand million entries, and maps a hundred thousand deep, cost nothing.
#[test]
fn lengths_that_lie_and_deep_nesting_are_errors() {
    let header = wire::encode(&Graph::builder("").finish().unwrap());
    let header = &header[..header
        .windows(7)
        .position(|w| w == b"\xa4name\xa0\xa5")
        .unwrap()
        - 1];
    let huge: [&[u8]; 5] = [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff",
    ];
    let fields: [&[u8]; 4] = [b"\x87\xa4name", b"\x87\xa4name\xa0\xa5attrs", b"\x87\xa4name\xa0\xa5attrs\x80\xa6inputs", b"\x87\xa4name\xa0\xa5attrs\x80\xa6inputs\x90\xa6params\x90\xa6states\x90\xa5nodes\x91\x86\xa6inputs"];
    for field in fields {
        for length in huge {
            assert!(wire::decode(&[header, field, length].concat()).is_err());
        }
        assert!(wire::decode(&[header, field, &b"\x91".repeat(100_000)].concat()).is_err());
        assert!(wire::decode(&[header, field, &b"\x81\xa0".repeat(100_000)].concat()).is_err());
    }
    let body = b"\x87\xa5nodes\x91\x86\xa4body".repeat(100_000);
    let message = refusal(&[header, &body].concat());
    assert!(message.contains("depth limit"), "{message}");
}
