//! Types and their documentation, read from this crate's sources. It knows what `rustfmt` leaves: a declaration begins a
//! line, a field or variant has a line of its own below its documentation.

use std::{fmt::Write, fs, path::Path};

/// A public struct, enum or type alias.
pub(super) struct Item {
    pub(super) name: String,
    /// What an alias stands for; empty for others.
    pub(super) target: String,
    pub(super) doc: String,
    pub(super) is_enum: bool,
    pub(super) members: Vec<Member>,
}

/// A field, or a variant of an enum.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) name: String,
    /// The Rust type of a field; empty for a variant.
    pub(super) ty: String,
    /// The lines of `#[…]` above it.
    pub(super) attributes: String,
    pub(super) doc: String,
}

/// The files of a folder of `src`, as (stem, text), in alphabetical order.
pub(super) fn files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src")
        .join(folder);
    let mut files: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            (stem, fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// The public types of a file.
pub(super) fn items(source: &str) -> Vec<Item> {
    let (mut found, mut doc, mut lines) = (Vec::new(), Vec::new(), source.lines());
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("///") {
            doc.push(text.strip_prefix(' ').unwrap_or(text));
            continue;
        }
        if line.starts_with("#[") {
            continue;
        }
        let declared = ["pub struct ", "pub enum ", "pub type "]
            .into_iter()
            .find_map(|kind| Some((kind, line.strip_prefix(kind)?)));
        if let Some((kind, rest)) = declared {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            let opens = line.ends_with('{');
            found.push(Item {
                name,
                target: match rest.split_once(" = ") {
                    Some((_, target)) => target.trim_end_matches(';').to_owned(),
                    None => String::new(),
                },
                doc: plain(&doc),
                is_enum: kind == "pub enum ",
                members: if opens {
                    members(&mut lines)
                } else {
                    Vec::new()
                },
            });
        }
        doc.clear();
    }
    found
}

/// The members up to the closing brace.
fn members<'s>(lines: &mut impl Iterator<Item = &'s str>) -> Vec<Member> {
    let (mut found, mut doc, mut attributes) = (Vec::new(), Vec::new(), String::new());
    for line in lines.map(str::trim).take_while(|line| *line != "}") {
        if let Some(text) = line.strip_prefix("///") {
            doc.push(text.strip_prefix(' ').unwrap_or(text));
        } else if line.starts_with("#[") {
            attributes += line;
        } else {
            let line = line.trim_end_matches(',');
            let (name, ty) = line.split_once(": ").unwrap_or((line, ""));
            found.push(Member {
                name: name.trim_start_matches("pub ").to_owned(),
                ty: ty.to_owned(),
                attributes: std::mem::take(&mut attributes),
                doc: plain(&doc),
            });
            doc.clear();
        }
    }
    found
}

/// Documentation as Markdown outside of rustdoc: links to items become their names.
fn plain(doc: &[&str]) -> String {
    let mut text = String::new();
    for line in doc {
        match *line {
            "" => text += "\n\n",
            line => {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push(' ');
                }
                text += line;
            }
        }
    }
    text.replace("[`", "`")
        .replace("`]", "`")
        .replace("crate::", "")
}

/// An attribute's type in words; `enums` are those that it may be one of.
pub(super) fn type_in_words(ty: &str, enums: &[Item]) -> String {
    let within = |ty: &'_ str, outer: &str| -> Option<String> {
        let inner = ty.strip_prefix(outer)?.strip_suffix('>')?;
        Some(type_in_words(inner, enums))
    };
    if let Some(inner) = within(ty, "Option<") {
        return format!("{inner}, or absent");
    }
    if let Some(inner) = within(ty, "Vec<") {
        return match inner.as_str() {
            "integer" => "list of integers".to_owned(),
            _ => format!("list of: {inner}"),
        };
    }
    if let Some(item) = enums.iter().find(|item| item.is_enum && item.name == ty) {
        let names: Vec<String> = item.members.iter().map(|m| snake(&m.name)).collect();
        return names
            .iter()
            .map(|name| format!("`\"{name}\"`"))
            .collect::<Vec<_>>()
            .join(", ");
    }
    match ty {
        "usize" | "u64" | "i64" | "u32" => "integer".to_owned(),
        "f64" => "number".to_owned(),
        "bool" => "true or false".to_owned(),
        "String" => "text".to_owned(),
        "Scalar" => "number, or true or false".to_owned(),
        "DType" => "dtype, such as `\"f32\"`".to_owned(),
        "Order" => "memory order, a list of axes".to_owned(),
        "TensorType" => "tensor type, such as `\"f32[2,3]\"`".to_owned(),
        "Attrs" => "table".to_owned(),
        "Conv" | "Linear" | "GroupNorm" | "LayerNorm" => {
            let name = snake(ty);
            format!("table: the attributes of [`{name}`](operations.md#{name})")
        }
        "[usize; 2]" => "list of 2 integers".to_owned(),
        other => format!("`{other}`"),
    }
}

/// `NearestExact` as serde writes it.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for (i, letter) in name.chars().enumerate() {
        if i > 0 && letter.is_uppercase() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// Text for a cell of a table.
pub(super) fn cell(text: &str) -> String {
    let line = text.replace("\n\n", " ");
    // A bar within backticks too ends a cell.
    line.replace('|', "\\|")
}

/// A table of attributes, and what the words mean that one of them may be. `items` are the types at hand.
pub(super) fn write_attributes(page: &mut String, attributes: &[&Member], items: &[Item]) {
    if attributes.is_empty() {
        return;
    }
    page.push_str("\n| attribute | takes | |\n|---|---|---|\n");
    for member in attributes {
        let words = type_in_words(&member.ty, items);
        writeln!(
            page,
            "| `{}` | {words} | {} |",
            member.name,
            cell(&member.doc)
        )
        .unwrap();
    }
    for member in attributes {
        let is_it = |item: &&Item| item.is_enum && item.name == member.ty;
        let Some(choice) = items.iter().find(is_it).filter(|c| !c.members.is_empty()) else {
            continue;
        };
        // What is the name of an operation needs no other explanation.
        if choice.members.iter().any(|v| v.doc.starts_with("See ")) {
            continue;
        }
        writeln!(page, "\nValues of `{}`:\n", member.name).unwrap();
        for variant in &choice.members {
            writeln!(
                page,
                "- `\"{}\"`: {}",
                snake(&variant.name),
                cell(&variant.doc)
            )
            .unwrap();
        }
    }
}
