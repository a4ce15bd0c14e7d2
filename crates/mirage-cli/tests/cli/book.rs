//! The shell blocks of the README and of the book, run as a reader would: a page from top to bottom, in one folder.

use std::{
    fs,
    process::{Command, Output},
    time::Instant,
};

use crate::{
    pages::{Block, Kept, pages},
    support::Place,
};

/// A page's blocks that are run.
struct Page {
    name: String,
    blocks: Vec<Block>,
}

#[test]
fn blocks_of_pages_run() {
    let pages: Vec<Page> = pages()
        .into_iter()
        .map(|(name, blocks)| Page {
            name,
            blocks: blocks
                .into_iter()
                .filter(|block| block.kept == Kept::Run)
                .collect(),
        })
        .filter(|page| !page.blocks.is_empty())
        .collect();
    assert!(
        pages.len() > 5,
        "pages have blocks that run: {}",
        pages.len()
    );
    let failures: Vec<String> = pages.iter().flat_map(Page::run).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

impl Page {
    /// Runs the blocks in order; gives what failed.
    fn run(&self) -> Vec<String> {
        let place = Place::new();
        let start = Instant::now();
        let failures = self.blocks.iter().filter_map(|block| {
            let output = script(&place, &block.script);
            (!output.status.success()).then(|| {
                format!(
                    "{}: ended with {}\n{}{}",
                    block.place,
                    output.status,
                    block.script,
                    String::from_utf8_lossy(&output.stderr)
                )
            })
        });
        let failures = failures.collect();
        // Seen with --nocapture: which pages are worth making quicker.
        let seconds = start.elapsed().as_secs_f32();
        #[expect(clippy::print_stdout, reason = "tells people, who ask for it")]
        {
            println!(
                "{:6.1} s  {}, {} blocks",
                seconds,
                self.name,
                self.blocks.len()
            );
        }
        failures
    }
}

/// Runs a script in the folder, with the program on its path.
fn script(place: &Place, text: &str) -> Output {
    let programs = place.path("programs");
    if !programs.exists() {
        fs::create_dir(&programs).unwrap();
        let program = env!("CARGO_BIN_EXE_mirage");
        let wrapper = programs.join("mirage");
        fs::write(&wrapper, format!("#!/bin/sh\nexec '{program}' \"$@\"\n")).unwrap();
        let made = Command::new("chmod").arg("+x").arg(&wrapper).status();
        assert!(made.unwrap().success());
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("bash");
    command
        .args(["-euo", "pipefail", "-c", text])
        .current_dir(place.path("."))
        .env_remove("MIRAGE_LOG")
        .env_remove("MIRAGE_PLUGIN_PATH")
        .env("XDG_DATA_HOME", place.path("data"))
        .env("PATH", format!("{}:{path}", programs.display()));
    command.output().unwrap()
}
