//! Pages, links and graphs of the book.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mirage_ir::{text, verify};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Every page below a folder.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
    found
}

/// The targets of a page's links, outside of code blocks.
fn links(page: &str) -> Vec<String> {
    let mut in_code = false;
    let lines = page.lines().filter(|line| {
        in_code ^= line.trim_start().starts_with("```");
        !in_code
    });
    lines
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = fs::read_to_string(docs().join("SUMMARY.md")).unwrap();
    let listed = links(&summary);
    for page in pages(&docs()) {
        let name = page.strip_prefix(docs()).unwrap().to_string_lossy();
        let is_listed = name == "SUMMARY.md" || listed.iter().any(|l| *l == name);
        assert!(is_listed, "docs/{name} is not in docs/SUMMARY.md");
    }
}

#[test]
fn links_lead_to_files() {
    for page in pages(&docs()) {
        let text = fs::read_to_string(&page).unwrap();
        for target in links(&text) {
            let (file, _) = target.split_once('#').unwrap_or((&target, ""));
            if file.is_empty() || file.contains("://") {
                continue;
            }
            // The built book has no files but those of its folder.
            let depth = page.strip_prefix(docs()).unwrap().components().count() - 1;
            assert!(
                file.matches("../").count() <= depth,
                "{} links to {target} outside of the book; use the address in the repository",
                page.display()
            );
            let there = page.parent().unwrap().join(file);
            assert!(
                there.exists(),
                "{} links to {target}, which does not exist",
                page.display()
            );
        }
    }
}

/// Whole graphs in pages are graphs. Parts of one, which do not begin with `graph`, are not looked at.
#[test]
fn graphs_in_pages_are_valid() {
    let mut seen = 0;
    for page in pages(&docs()) {
        let source = fs::read_to_string(&page).unwrap();
        for block in source.split("```text\n").skip(1) {
            let block = block.split("```").next().unwrap();
            if !block.starts_with("graph \"") {
                continue;
            }
            let graph = text::parse(block);
            let graph = graph.unwrap_or_else(|e| panic!("{}: {e}\n{block}", page.display()));
            verify(&graph).unwrap_or_else(|e| panic!("{}: {e}\n{block}", page.display()));
            seen += 1;
        }
    }
    assert!(seen > 10, "pages have graphs: {seen}");
}

/// A block of Rust is a test of `examples/book`, or an excerpt of a file that the text before it names.
#[test]
fn rust_in_pages_compiles_or_is_in_the_sources() {
    let root = docs().join("..");
    let tested = fs::read_to_string(root.join("examples/book/src/lib.rs")).unwrap();
    let mut excerpts = 0;
    for page in pages(&docs()) {
        let name = page
            .strip_prefix(docs())
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let source = fs::read_to_string(&page).unwrap();
        let parts: Vec<&str> = source.split("```").collect();
        // Text and blocks take turns.
        for pair in parts.chunks_exact(2) {
            let (before, block) = (pair[0], pair[1]);
            if let Some(excerpt) = block.strip_prefix("rust,ignore\n") {
                is_excerpt(&root, &name, before, excerpt);
                excerpts += 1;
            } else if block.starts_with("rust") {
                assert!(
                    tested.contains(&format!("\"{name}\"")),
                    "docs/{name} has Rust to compile: add the page to examples/book/src/lib.rs"
                );
            }
        }
    }
    assert!(excerpts > 5, "pages have excerpts: {excerpts}");
}

/// That the runs of lines between `…` are in the file that the last paragraph names, in their order.
fn is_excerpt(root: &Path, page: &str, before: &str, excerpt: &str) {
    let paragraph = before.trim_end().rsplit("\n\n").next().unwrap_or_default();
    let mut named = paragraph
        .split('`')
        .skip(1)
        .step_by(2)
        .collect::<Vec<_>>()
        .into_iter();
    let file = named.rfind(|name| name.ends_with(".rs"));
    let file = file.unwrap_or_else(|| {
        panic!("docs/{page}: the paragraph before this excerpt names its file:\n{excerpt}")
    });
    let lines = |text: &str| -> Vec<String> { text.lines().map(|l| l.trim().to_owned()).collect() };
    let source = lines(&fs::read_to_string(root.join(file)).unwrap());
    let mut from = 0;
    for run in lines(excerpt)
        .split(|line| line == "…")
        .filter(|run| !run.is_empty())
    {
        let at = source[from..]
            .windows(run.len())
            .position(|lines| lines == run);
        let at = at.unwrap_or_else(|| {
            panic!(
                "docs/{page}: {file} does not have these lines in this order:\n{}",
                run.join("\n")
            )
        });
        from += at + run.len();
    }
}
