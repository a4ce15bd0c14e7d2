//! `docs/reference/operations.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use mirage_ir::{Attrs, Graph, Node, ValueId, ops, text};

use super::source::{self, Item, cell};
use crate::common::families;

const HEAD: &str = "\
# Operations

Written from the table of operations in `mirage-ir` and the documentation of its types. Shapes are logical: a picture is
`[N,C,H,W]` however it lies in memory. `?` marks an operand that may be left out. Every example is a node of a graph that
the tests run. The definition of each, in f64, is the method `eval` beside the documentation.
";

/// A family of names that share a type: an operation's section.
struct Section<'s> {
    item: &'s Item,
    names: Vec<String>,
}

#[test]
fn the_page_of_operations_is_current() {
    let sources = source::files("ops");
    let parsed: Vec<(&str, &str, Vec<Item>)> = sources
        .iter()
        .map(|(stem, text)| (stem.as_str(), text.as_str(), source::items(text)))
        .collect();
    let graphs = families();
    let examples = Examples::of(&graphs);
    let (mut index, mut body, mut seen) = (String::new(), String::new(), BTreeSet::new());
    for (stem, text, items) in &parsed {
        let sections = sections(text, items);
        if sections.is_empty() {
            continue;
        }
        let family = module_doc(text);
        writeln!(body, "\n## {stem}\n\n{family}").unwrap();
        let names: Vec<&str> = sections
            .iter()
            .flat_map(|s| &s.names)
            .map(String::as_str)
            .collect();
        writeln!(index, "| [{stem}](#{stem}) | {} |", listed(&names)).unwrap();
        for section in &sections {
            write_section(&mut body, section, text, items, &examples);
        }
        seen.extend(names.into_iter().map(str::to_owned));
    }
    let known: BTreeSet<String> = ops::names().map(str::to_owned).collect();
    assert_eq!(seen, known, "the page has every operation, and no other");
    let page = format!("{HEAD}\n| family | operations |\n|---|---|\n{index}{body}");
    super::check("operations.md", &page);
}

/// The types of a file that are operations, with their names, as the file declares them.
fn sections<'s>(source: &str, items: &'s [Item]) -> Vec<Section<'s>> {
    let implemented = source.split("impl Operation for ").skip(1);
    implemented
        .filter_map(|part| {
            let (ty, rest) = part.split_once(" {")?;
            let (_, names) = rest.split_once("const NAMES: &'static [&'static str] = ")?;
            let names = match names.split_once(';')?.0 {
                "Unary::ALL_NAMES" | "Binary::ALL_NAMES" => {
                    table(source).into_iter().map(|row| row.0).collect()
                }
                "Binary::SCALAR_NAMES" => table(source).into_iter().map(|row| row.1).collect(),
                list => literals(list),
            };
            let item = items.iter().find(|item| item.name == ty)?;
            (!names.is_empty()).then_some(Section { item, names })
        })
        .collect()
}

/// The rows `Add = "add", "add_scalar";` of a macro's table, with their documentation.
fn table(source: &str) -> Vec<(String, String, String)> {
    let (mut rows, mut doc) = (Vec::new(), String::new());
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            doc = text.to_owned();
        } else if let Some((variant, names)) = line.split_once(" = \"")
            && variant.chars().all(char::is_alphanumeric)
        {
            let names = literals(&format!("\"{names}"));
            let second = names.get(1).cloned().unwrap_or_default();
            rows.push((names[0].clone(), second, doc.clone()));
        }
    }
    rows
}

/// The strings between quotes.
fn literals(text: &str) -> Vec<String> {
    text.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The first paragraph of a file's documentation.
fn module_doc(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//! "));
    lines.collect::<Vec<_>>().join(" ")
}

fn listed(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn write_section(
    page: &mut String,
    section: &Section<'_>,
    source: &str,
    items: &[Item],
    examples: &Examples,
) {
    let Section { item, names } = section;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    writeln!(page, "\n### {}\n\n{}", heading(item, &names), item.doc).unwrap();
    // A line for each of many functions, from the macro's table.
    let functions = table(source);
    if names.len() > 9 && item.is_enum {
        page.push_str("\n| operation | is |\n|---|---|\n");
        for (name, _, doc) in &functions {
            writeln!(page, "| `{name}` | {} |", cell(doc)).unwrap();
        }
    } else if names.len() > 1 {
        writeln!(page, "\nOperations: {}.", listed(&names)).unwrap();
    }
    source::write_attributes(page, &attributes(item, &names, examples), items);
    let example = names.iter().find_map(|name| examples.lines.get(*name));
    if let Some(example) = example {
        writeln!(page, "\n```text\n{example}\n```").unwrap();
    }
}

/// The name of a section: that of its one operation, or of the type.
fn heading(item: &Item, names: &[&str]) -> String {
    match names {
        [one] => (*one).to_owned(),
        [first, second] => format!("{first}, {second}"),
        _ => match item.name.as_str() {
            "Unary" => "functions of one element".to_owned(),
            "Binary" => "functions of two elements".to_owned(),
            "WithScalar" => "functions of an element and a number".to_owned(),
            "Reduce" => "reductions".to_owned(),
            other => panic!("{other} needs a heading"),
        },
    }
}

/// The fields that are attributes: those that the operation's serde form has, or may leave out.
fn attributes<'i>(item: &'i Item, names: &[&str], examples: &Examples) -> Vec<&'i source::Member> {
    if item.is_enum {
        return Vec::new();
    }
    let keys: BTreeSet<&String> = names
        .iter()
        .filter_map(|name| examples.attrs.get(*name))
        .flat_map(|attrs| attrs.iter().flat_map(Attrs::keys))
        .collect();
    let members: Vec<&source::Member> = item
        .members
        .iter()
        .filter(|m| keys.contains(&m.name) || m.attributes.contains("skip_serializing_if"))
        .collect();
    for key in keys {
        assert!(
            members.iter().any(|m| m.name == *key),
            "`{key}` of {names:?} is a documented field of {}",
            item.name
        );
    }
    members
}

/// Nodes of the graphs that have every operation.
struct Examples {
    /// The first of each name.
    lines: BTreeMap<String, String>,
    /// The attributes of all.
    attrs: BTreeMap<String, Vec<Attrs>>,
}

impl Examples {
    fn of(graphs: &[Graph]) -> Self {
        let (mut lines, mut attrs) = (BTreeMap::new(), BTreeMap::<_, Vec<Attrs>>::new());
        for graph in graphs {
            let printed = text::print(graph);
            for node in graph.nodes() {
                let name = node.op.name().into_owned();
                attrs.entry(name.clone()).or_default().push(node.op.attrs());
                let line = line(graph, node, &name, &printed);
                lines.entry(name).or_insert(line);
            }
        }
        Examples { lines, attrs }
    }
}

/// A node with the types of its operands instead of their numbers.
fn line(graph: &Graph, node: &Node, name: &str, printed: &str) -> String {
    let number = format!("%{}", node.output().index());
    let found = printed
        .lines()
        .find(|line| line.trim_start().starts_with(&format!("{number}:")));
    let written = found.filter(|line| !line.contains(" graph \""));
    let attributes = written.and_then(|line| {
        let from = line.find(" {")?;
        Some(&line[from..=line.rfind('}')?])
    });
    format!(
        "{name}({}){} -> {}",
        types(graph, &node.inputs),
        attributes.unwrap_or_default(),
        types(graph, &node.outputs),
    )
}

fn types(graph: &Graph, values: &[ValueId]) -> String {
    let types: Vec<String> = values.iter().map(|&v| graph.ty(v).to_string()).collect();
    types.join(", ")
}
