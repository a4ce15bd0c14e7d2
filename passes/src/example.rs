//! Runs the examples at the heads of pass files as tests.

use mirage_ir::{Graph, target::Capabilities, text, verify};
use mirage_pass::{Options, Outcome, Pass, PassContext};

/// Runs a pass with its default options.
fn run(pass: &dyn Pass, capabilities: &Capabilities, graph: &mut Graph) -> Outcome {
    let options = Options::defaults(pass.info());
    let outcome = pass
        .run(graph, &PassContext::new(capabilities, &options))
        .expect("the pass runs");
    verify(graph).expect("the result is valid");
    outcome
}

/// Returns the graphs in a file's code blocks marked "mirage `kind`".
fn blocks(source: &str, kind: &str) -> Vec<String> {
    let start = format!("//! ```mirage {kind}");
    let mut found = Vec::new();
    let mut lines = source.lines();
    while lines.by_ref().any(|l| l == start) {
        let block = lines.by_ref().take_while(|l| *l != "//! ```");
        found.push(
            block
                .map(|l| l.trim_start_matches("//!").trim_start_matches(' '))
                .fold(String::new(), |text, line| text + line + "\n"),
        );
    }
    found
}

/// Checks every example of the file: the pass turns "before" into "after" and reports a change, and
/// leaves "after" unchanged with a reason.
pub(crate) fn check(pass: &dyn Pass, source: &str) {
    check_on(pass, &Capabilities::default(), source);
}

/// Like [`check`], for a backend with the given capabilities.
pub(crate) fn check_on(pass: &dyn Pass, capabilities: &Capabilities, source: &str) {
    let (before, after) = (blocks(source, "before"), blocks(source, "after"));
    assert!(
        !before.is_empty() && before.len() == after.len(),
        "a file has examples, in pairs"
    );
    for (before, after) in before.iter().zip(&after) {
        let mut graph = text::parse(before).expect("the example parses");
        let expected = text::parse(after).expect("the example parses");
        assert!(
            run(pass, capabilities, &mut graph).is_changed(),
            "the pass fires on its example"
        );
        assert_eq!(text::print(&graph), text::print(&expected));
        let again = run(pass, capabilities, &mut graph);
        assert!(
            !again.is_changed() && !again.lines().is_empty(),
            "idempotent: {again:?}"
        );
        assert_eq!(text::print(&graph), text::print(&expected));
    }
}
