//! The shell blocks of the README and of the book, and what a page says of each. The program's own tests include this
//! file too: they parse what is not run.

#![allow(dead_code, reason = "each of the two programs of tests uses a part")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What a page says, in the line before a block, where it is not run.
const PARSED: &str = "*Arguments checked in CI, not run: ";
const NOT_RUN: &str = "*Not run in CI: ";

/// What is done with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is run, in the folder in which the blocks before it of the page ran.
    Run,
    /// The arguments of `mirage` are parsed.
    Parsed,
    /// The page says why nothing runs it. What there is of `mirage` in it is parsed.
    NotRun,
}

/// A block ```` ```sh ```` of a page.
pub(crate) struct Block {
    /// The page, and the line at which the block begins.
    pub(crate) place: String,
    pub(crate) kept: Kept,
    /// Its text, with `mirage` where it builds and runs the program.
    pub(crate) script: String,
}

impl Block {
    /// The command lines that begin with `mirage`, each a line, without comments and what follows a pipe.
    pub(crate) fn commands(&self) -> Vec<String> {
        let whole = self.script.replace("\\\n", " ");
        let lines = whole.lines().map(str::trim);
        let lines = lines.filter(|line| line.starts_with("mirage "));
        lines
            .map(|line| line.split(" #").next().unwrap_or(line))
            .map(|line| line.split(" | ").next().unwrap_or(line))
            .map(|line| line.split(" > ").next().unwrap_or(line).trim().to_owned())
            .collect()
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The README and every page of the book, with their blocks.
pub(crate) fn pages() -> Vec<(String, Vec<Block>)> {
    let mut files = vec![root().join("README.md")];
    collect(&root().join("docs"), &mut files);
    files.sort();
    files
        .iter()
        .map(|file| {
            let name = file.strip_prefix(root()).unwrap().display().to_string();
            let blocks = blocks(&name, &fs::read_to_string(file).unwrap());
            (name, blocks)
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "md") {
            files.push(path);
        }
    }
}

fn blocks(page: &str, text: &str) -> Vec<Block> {
    let (mut found, mut before) = (Vec::new(), "");
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside = lines.by_ref().map(|(_, line)| line);
            let script: Vec<&str> = inside.take_while(|line| !line.starts_with("```")).collect();
            if language == "sh" {
                let script = script.join("\n") + "\n";
                found.push(Block {
                    place: format!("{page}:{}", number + 1),
                    kept: kept(before),
                    script: script.replace("cargo run --release -- ", "mirage "),
                });
            }
        }
        if !line.trim().is_empty() {
            before = line;
        }
    }
    found
}

fn kept(before: &str) -> Kept {
    let says = |start: &str| before.starts_with(start) && before.ends_with(".*");
    if says(PARSED) {
        Kept::Parsed
    } else if says(NOT_RUN) {
        Kept::NotRun
    } else {
        Kept::Run
    }
}
