//! `docs/reference/passes.md`, written from what the passes say of themselves. A stale page fails the test;
//! `UPDATE_DOCS=1 cargo test --release -p mirage-passes --test passes docs` writes it anew.

use std::{fmt::Write, fs, path::Path};

use mirage_pass::{OptionSpec, Pass, PassInfo, Phase, Registry};

#[test]
fn the_page_of_passes_is_current() {
    mirage_passes::link();
    let registry = Registry::linked().unwrap();
    let page = page(&registry);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/passes.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &page).unwrap();
    }
    let stored = fs::read_to_string(&file).unwrap_or_default();
    let differs = stored.lines().zip(page.lines()).find(|(a, b)| a != b);
    assert!(
        stored == page,
        "docs/reference/passes.md is stale; UPDATE_DOCS=1 writes it anew. The first difference: {differs:?}"
    );
}

fn page(registry: &Registry) -> String {
    let mut page = "# Passes\n\n\
        Written from the passes' own metadata and the examples at the heads of their files. `mirage passes list` and \
        `mirage passes show NAME` print the same, for plugins too.\n\n\
        The planner runs passes by phase, in the order of this page. A pass marked *always* runs without being asked \
        for. What a pass may change in the numbers is its class: \
        [Numerics](../author/numerics.md) says what each promises and how it is checked.\n\n\
        | pass | phase | numbers | what it does |\n|---|---|---|---|\n"
        .to_owned();
    let passes = || {
        Phase::ALL
            .into_iter()
            .flat_map(|phase| of_phase(registry, phase))
    };
    for info in passes().map(Pass::info) {
        let name = info.name;
        let always = if info.always { ", always" } else { "" };
        let (phase, numerics, summary) = (info.phase, info.numerics, info.summary);
        writeln!(
            page,
            "| [`{name}`](#{name}) | {phase}{always} | {numerics} | {summary} |"
        )
        .unwrap();
    }
    passes().for_each(|pass| section(&mut page, pass.info()));
    page
}

fn of_phase(registry: &Registry, phase: Phase) -> Vec<&'static dyn Pass> {
    let passes = registry.names().filter_map(|name| registry.get(name));
    passes.filter(|pass| pass.info().phase == phase).collect()
}

fn section(page: &mut String, info: &PassInfo) {
    writeln!(page, "\n## {}\n\n{}.\n", info.name, sentence(info.summary)).unwrap();
    let list = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let rows = [
        ("version", info.version.to_string()),
        ("numbers", info.numerics.to_string()),
        ("tags", list(info.tags)),
        ("needs before it", list(info.requires)),
        ("cannot be with", list(info.conflicts)),
        ("runs after", list(info.after)),
        ("runs before", list(info.before)),
        ("makes use of", needs(info)),
    ];
    page.push_str("| | |\n|---|---|\n");
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(page, "| {name} | {value} |").unwrap();
    }
    if !info.options.is_empty() {
        page.push_str("\n| option | takes | default | |\n|---|---|---|---|\n");
        info.options.iter().for_each(|option| row(page, option));
    }
    for (before, after) in examples(info.name) {
        write!(
            page,
            "\nBefore:\n\n```text\n{before}```\n\nAfter:\n\n```text\n{after}```\n"
        )
        .unwrap();
    }
}

/// With a capital letter where it begins with a word.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn needs(info: &PassInfo) -> String {
    let needs: Vec<String> = info.needs.iter().map(ToString::to_string).collect();
    needs.join("; ")
}

fn row(page: &mut String, option: &OptionSpec) {
    let OptionSpec {
        name,
        kind,
        default,
        doc,
        ..
    } = option;
    let default = match *default {
        "" => "nothing".to_owned(),
        text => format!("`{text}`"),
    };
    writeln!(page, "| `{name}` | {kind} | {default} | {doc} |").unwrap();
}

/// The pairs of graphs at the head of the pass's file.
fn examples(name: &str) -> Vec<(String, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/{name}.rs"));
    let source = fs::read_to_string(&file);
    let source = source.unwrap_or_else(|e| panic!("{} has the pass: {e}", file.display()));
    let (before, after) = (blocks(&source, "before"), blocks(&source, "after"));
    assert!(
        !before.is_empty() && before.len() == after.len(),
        "{name} has an example"
    );
    before.into_iter().zip(after).collect()
}

fn blocks(source: &str, kind: &str) -> Vec<String> {
    let start = format!("//! ```mirage {kind}");
    let mut lines = source.lines();
    let mut found = Vec::new();
    while lines.by_ref().any(|line| line == start) {
        let block = lines.by_ref().take_while(|line| *line != "//! ```");
        let text = block.map(|line| line.trim_start_matches("//!"));
        let text = text.map(|line| line.strip_prefix(' ').unwrap_or(line));
        found.push(text.fold(String::new(), |text, line| text + line + "\n"));
    }
    found
}
