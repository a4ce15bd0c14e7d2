//! `docs/reference/regions.md`.

use std::fmt::Write;

use mirage_ir::{Attrs, TensorType, ops, regions, text, verify};

use super::source::{self, Item, Member};

const HEAD: &str = "\
# Region kinds

Written from the types in `mirage_ir::regions` and their expansions. A region of one of these kinds computes its body, which the
verifier compares with the expansion, so a kernel for the kind can rely on it. The attributes stand under `attributes` of the
[`region`](operations.md#region). A kind that is not listed here is defined by its body alone.
";

const CONV: &str = "op = {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}";

/// Attributes and operands to show each kind with.
const SHOWN: [(&str, &[&str], &[&str]); 8] = [
    (
        "act_group_norm",
        &["activation = \"silu\"", "norm = {eps = 1e-5, groups = 2}"],
        &["f32[1,4,6,6]", "f32[4]", "f32[4]"],
    ),
    (
        "act_layer_norm",
        &["activation = \"gelu\"", "norm = {eps = 1e-5}"],
        &["f32[2,8]", "f32[8]"],
    ),
    (
        "add_layer_norm",
        &["eps = 1e-5"],
        &["f32[2,8]", "f32[2,8]", "f32[8]", "f32[8]"],
    ),
    (
        "conv_act",
        &[
            CONV,
            "bias = true",
            "residual = true",
            "activation = \"relu\"",
        ],
        &["f32[1,4,6,6]", "f32[8,4,3,3]", "f32[8]", "f32[1,8,6,6]"],
    ),
    (
        "conv_norm_act",
        &[
            CONV,
            "norm = {eps = 1e-5, groups = 2}",
            "activation = \"silu\"",
        ],
        &["f16[1,4,6,6]", "f16[8,4,3,3]", "f32[8]", "f32[8]"],
    ),
    (
        "group_norm_silu",
        &["eps = 1e-5", "groups = 2"],
        &["f32[1,4,6,6]", "f32[4]", "f32[4]"],
    ),
    (
        "layer_norm_linear",
        &["norm = {eps = 1e-5}", "bias = true"],
        &["f32[2,8]", "f32[8]", "f32[8,4]", "f32[4]"],
    ),
    (
        "linear_act",
        &["op = {}", "bias = true", "activation = \"gelu\""],
        &["f32[2,8]", "f32[8,4]", "f32[4]"],
    ),
];

#[test]
fn the_page_of_region_kinds_is_current() {
    let kinds = source::files("regions");
    let operations = source::files("ops");
    let items = |files: &[(String, String)]| -> Vec<Item> {
        files
            .iter()
            .flat_map(|(_, text)| source::items(text))
            .collect()
    };
    let (types, nested) = (items(&kinds), items(&operations));
    let mut page = format!("{HEAD}\n| kind | computes |\n|---|---|\n");
    for kind in regions::KINDS {
        writeln!(page, "| [`{0}`](#{0}) | {1} |", kind.name, kind.summary).unwrap();
    }
    writeln!(
        page,
        "| [`{0}`](#{0}) | any tree of functions of elements with one result |",
        regions::ELEMENTWISE
    )
    .unwrap();
    for kind in regions::KINDS {
        let (name, doc, members) = described(kind.name, &kinds, &types, &nested);
        writeln!(
            page,
            "\n## {}\n\n{doc}\n\nIts type is `mirage_ir::regions::{name}`.",
            kind.name
        )
        .unwrap();
        let members: Vec<&Member> = members.iter().collect();
        source::write_attributes(&mut page, &members, &types);
        page.push_str(&expansion(kind));
    }
    writeln!(
        page,
        "\n## {}\n\nFunctions of elements (`neg`, `add`, `mul_scalar`, `select`, `cast`, …) with one result; operands may be broadcast. \
         It has no attributes: its body is its definition.",
        regions::ELEMENTWISE
    )
    .unwrap();
    super::check("regions.md", &page);
}

/// The name, documentation and fields of a kind's type. A type that is another one transparently has the fields of that.
fn described<'i>(
    kind: &str,
    files: &[(String, String)],
    types: &'i [Item],
    nested: &'i [Item],
) -> (&'i str, &'i str, Vec<Member>) {
    let declared = format!("const KIND: &'static str = \"{kind}\";");
    let source = files
        .iter()
        .map(|(_, text)| text)
        .find(|text| text.contains(&declared));
    let source = source.unwrap_or_else(|| panic!("a type states the kind {kind}"));
    let (before, _) = source.split_once(&declared).unwrap();
    let (_, name) = before.rsplit_once("impl KnownRegion for ").unwrap();
    let (name, _) = name.split_once(" {").unwrap();
    let find = |name: &str| {
        let item = types.iter().chain(nested).find(|item| item.name == name);
        item.unwrap_or_else(|| panic!("{name} is declared"))
    };
    let item = find(name);
    let (bare, parameter) = item.target.split_once('<').unwrap_or_default();
    let fields = if bare.is_empty() { item } else { find(bare) };
    let transparent = ["norm"]
        == fields
            .members
            .iter()
            .map(|m| m.name.as_str())
            .collect::<Vec<_>>()[..];
    let fields = if transparent {
        find(&fields.members[0].ty)
    } else {
        fields
    };
    let mut members = fields.members.clone();
    let generic = members.iter_mut().filter(|m| m.ty == "T");
    generic.for_each(|m| m.ty = parameter.trim_end_matches('>').to_owned());
    (&item.name, &item.doc, members)
}

fn expansion(kind: &regions::RegionKind) -> String {
    let shown = SHOWN.iter().find(|(name, ..)| *name == kind.name);
    let (_, written, inputs) = shown.unwrap_or_else(|| panic!("{} needs an example", kind.name));
    let attributes: Attrs = toml::from_str(&written.join("\n")).unwrap();
    let types: Vec<TensorType> = inputs.iter().map(|ty| ty.parse().unwrap()).collect();
    let types: Vec<&TensorType> = types.iter().collect();
    let body = (kind.expand)(&attributes, &types).unwrap();
    verify(&body).unwrap();
    let known: Vec<&str> = ops::names().collect();
    assert!(
        body.nodes()
            .iter()
            .all(|node| known.contains(&node.op.name().as_ref()))
    );
    format!(
        "\nFor `{}`, the body is:\n\n```text\n{}```\n",
        written.join("`, `"),
        text::print(&body)
    )
}
