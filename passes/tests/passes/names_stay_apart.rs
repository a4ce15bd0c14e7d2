//! No pass names a backend, and no backend names a pass: they meet through capabilities and graph
//! attributes.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use mirage_pass::Registry;

/// Every string literal in the Rust sources below a folder, with its file.
fn literals(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            literals(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let code: Vec<&str> = source
                .lines()
                .filter(|l| !is_exempt(l.trim_start()))
                .collect();
            for literal in code.join("\n").split('"').skip(1).step_by(2) {
                found.push((literal.to_owned(), path.display().to_string()));
            }
        }
    }
}

/// Comments, and the processor's own names for its features.
fn is_exempt(line: &str) -> bool {
    line.starts_with("//") || line.contains("feature_detected!")
}

/// Whether a text has the pass's name as a word. Two names are dtypes too.
fn names(literal: &str, pass: &str) -> bool {
    let mut words = literal.split(|c: char| !c.is_alphanumeric() && c != '_');
    !["bf16", "tf32"].contains(&pass) && words.any(|word| word == pass)
}

fn below(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    literals(folder, &mut found);
    assert!(found.len() > 20, "{} has sources", folder.display());
    found
}

#[test]
fn passes_and_backends_do_not_name_each_other() {
    mirage_passes::link();
    let passes: Vec<&str> = Registry::linked().unwrap().names().collect();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plugins = fs::read_dir(here.join("../plugins")).unwrap();
    let plugins = plugins.map(|plugin| plugin.unwrap().path());
    let is_backend = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("backend-")
    };
    let crates = ["mirage-backend", "mirage-runtime", "mirage-burn"];
    let crates = crates.map(|name| here.join("../crates").join(name));
    for folder in plugins.filter(is_backend).chain(crates) {
        for (literal, file) in below(&folder.join("src")) {
            let named = passes.iter().find(|pass| names(&literal, pass));
            assert_eq!(named, None, "{file} names a pass: {literal}");
        }
    }
    for (literal, file) in below(&here.join("src")) {
        let named = ["cpu", "cuda", "tch", "flex"].iter().find(|b| {
            literal
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word == **b)
        });
        assert_eq!(named, None, "{file} names a backend: {literal}");
    }
}
