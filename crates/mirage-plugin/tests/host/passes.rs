//! Passes.

use mirage_ir::{
    Graph,
    target::{Capabilities, Capability, Subject},
    text,
};
use mirage_pass::{Manager, Outcome, PassContext, Registry, plan};

use crate::plugins;

fn run(pipeline: &str, graph: &Graph) -> Result<(String, usize), String> {
    plugins();
    let registry = Registry::linked().unwrap();
    let plan = plan(&registry, &pipeline.parse().unwrap()).map_err(|e| e.to_string())?;
    let capabilities = Capabilities {
        lines: vec![
            Capability::new(Subject::AllOperations, [mirage_ir::DType::F32])
                .in_orders([mirage_ir::Order::channels_last(4)])
                .in_multiples_of(8),
        ],
    };
    let ran = Manager::new().run(&plan, graph, &capabilities);
    let (graph, report) = ran.map_err(|e| e.to_string())?;
    Ok((text::print(&graph), report.passes[0].rewrites))
}

const NEGATIONS: &str = "graph \"a {\" {
  input %0 \"x = neg(%1)\": f32[1,4]
  state %1 \"s\": f32[1,4] -> %5
  %2: f32[1,4] = neg(%0) @ \"here\"
  %3: f32[1,4] = neg(%2)
  %4: f32[1,4] = neg(%3)
  %5: f32[1,4] = add(%3, %1)
  %6: f32[1,4] = region(%5) {kind = \"twice\"} graph \"twice\" {
    input %0 \"x\": f32[1,4]
    %1: f32[1,4] = neg(%0)
    %2: f32[1,4] = neg(%1)
    output \"y\" = %2
  }
  output \"y\" = %6
  output \"z\" = %4
}
";

#[test]
fn a_pass_in_c_rewrites_a_graph() {
    let (after, rewrites) = run("double_negation", &text::parse(NEGATIONS).unwrap()).unwrap();
    assert_eq!(rewrites, 1);
    let expected = "graph \"a {\" {
  input %0 \"x = neg(%1)\": f32[1,4]
  state %1 \"s\": f32[1,4] -> %4
  %2: f32[1,4] = neg(%0) @ \"here\"
  %3: f32[1,4] = neg(%0)
  %4: f32[1,4] = add(%0, %1)
  %5: f32[1,4] = region(%4) {kind = \"twice\"} graph \"twice\" {
    input %0 \"x\": f32[1,4]
    %1: f32[1,4] = neg(%0)
    %2: f32[1,4] = neg(%1)
    output \"y\" = %2
  }
  output \"y\" = %5
  output \"z\" = %3
}
";
    assert_eq!(after, expected);
    let (again, rewrites) = run("double_negation", &text::parse(&after).unwrap()).unwrap();
    assert_eq!((again.as_str(), rewrites), (expected, 0));
}

/// The bodies of calls are sections before the graph, with numbers of their own.
#[test]
fn a_pass_in_c_runs_on_programs_with_calls() {
    let program = "body \"step\" graph \"step\" {
  input %0 \"x\": f32[1,4]
  %1: f32[1,4] = neg(%0)
  %2: f32[1,4] = neg(%1)
  %3: f32[1,4] = exp(%2)
  output \"y\" = %3
}
graph \"frame\" {
  input %0 \"x\": f32[1,4]
  %1: f32[1,4] = call(%0) body \"step\"
  %2: f32[1,4] = call(%1) body \"step\"
  output \"y\" = %2
}
";
    let (after, rewrites) = run("double_negation", &text::parse(program).unwrap()).unwrap();
    assert_eq!(rewrites, 1);
    assert!(after.contains("= exp(%0)"), "{after}");
}

const SUMS: &str = "graph \"sums\" {
  input %0 \"x\": f32[1,4]
  input %1 \"y\": f32[1,4]
  %2: f32[1,4] = neg(%1)
  %3: f32[1,4] = add(%2, %0)
  output \"z\" = %3
}
";

#[test]
fn a_pass_in_rust_takes_options_and_capabilities() {
    let sums = text::parse(SUMS).unwrap();
    let (after, rewrites) = run("subtract_negated", &sums).unwrap();
    assert_eq!(rewrites, 1);
    assert!(after.contains("%2: f32[1,4] = sub(%0, %1)"), "{after}");
    let (after, rewrites) = run("subtract_negated{swap=false}", &sums).unwrap();
    assert_eq!((after.as_str(), rewrites), (SUMS, 0));
    let error = run("subtract_negated{swap=maybe}", &sums).unwrap_err();
    assert!(error.contains("true or false"), "{error}");
}

#[test]
fn what_a_pass_says_of_itself_crosses_whole() {
    plugins();
    let pass = Registry::linked().unwrap().get("subtract_negated").unwrap();
    let info = pass.info();
    assert_eq!(
        (info.version, info.summary),
        (1, "replaces x + (-y) by x - y")
    );
    let option = info.option("swap").unwrap();
    assert_eq!(option.default, "true");
    assert!(option.doc.contains("first operand"));
}

#[test]
fn a_pass_that_did_nothing_says_why() {
    plugins();
    for name in ["double_negation", "subtract_negated"] {
        let pass = Registry::linked().unwrap().get(name).unwrap();
        let text = "graph \"g\" {\n  input %0 \"x\": f32[2]\n  output \"y\" = %0\n}\n";
        let mut graph = text::parse(text).unwrap();
        let (capabilities, options) = (Capabilities::default(), Default::default());
        let cx = PassContext::new(&capabilities, &options);
        let outcome = pass.run(&mut graph, &cx).unwrap();
        assert!(
            matches!(&outcome, Outcome::Unchanged { reasons } if !reasons[0].is_empty()),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_panic_is_an_error_that_names_the_plugin() {
    let error = run("panics", &text::parse(SUMS).unwrap()).unwrap_err();
    for word in [
        "plugin `mirage-plugin`",
        "panicked",
        "no idea what to do with `sums`",
        "panics.rs:",
    ] {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
}
