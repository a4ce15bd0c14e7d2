//! Pages of the reference that are written from this program: `docs/reference/cli.md` from clap's definition and
//! `docs/reference/backends.md` from the linked backends. A stale page fails its test;
//! `UPDATE_DOCS=1 cargo test --release --workspace --bin mirage reference` writes both anew. And the command lines that
//! pages show, where they are not run, parse.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../tests/cli/pages.rs"]
mod pages;

use std::{collections::BTreeMap, fmt::Write, fs};

use clap::{CommandFactory, Parser};
use mirage_backend::backends;
use mirage_ir::{
    DType, GraphFlag, Order, ops, regions,
    target::{Capabilities, Capability, Subject, Support},
};

use crate::cli::Cli;

fn check(name: &str, page: &str) {
    let file = pages::root().join("docs/reference").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, page).unwrap();
    }
    let stored = fs::read_to_string(&file).unwrap_or_default();
    let differs = stored.lines().zip(page.lines()).find(|(a, b)| a != b);
    assert!(
        stored == page,
        "docs/reference/{name} is stale; UPDATE_DOCS=1 writes it anew. The first difference: {differs:?}"
    );
}

#[test]
fn the_page_of_the_command_line_is_current() {
    mirage_passes::link();
    let mut program = Cli::command().term_width(100);
    program.build();
    let mut page = "# The command line\n\n\
        Written from the program's own definition: this is what `mirage COMMAND --help` prints, which is also in the manual \
        pages (`mirage man`) and completions (`mirage completions`). Global options stand at the top and are left out \
        below.\n"
        .to_owned();
    write_command(&mut page, &program, "mirage");
    check("cli.md", &page);
}

fn write_command(page: &mut String, command: &clap::Command, path: &str) {
    let is_program = command.get_name() == path;
    let mut shown = command.clone().bin_name(path).term_width(100);
    if !is_program {
        shown = shown.mut_args(|arg| match arg.is_global_set() {
            true => arg.hide(true),
            false => arg,
        });
    }
    let help = shown.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let help = lines.join("\n");
    writeln!(page, "\n## {path}\n\n```text\n{}\n```", help.trim_end()).unwrap();
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        write_command(page, sub, &format!("{path} {}", sub.get_name()));
    }
}

#[test]
fn command_lines_in_pages_parse() {
    mirage_passes::link();
    let (mut parsed, mut failures) = (0, Vec::new());
    for (_, blocks) in pages::pages() {
        for block in blocks.iter().filter(|block| block.kept != pages::Kept::Run) {
            let commands = block.commands();
            if block.kept == pages::Kept::Parsed && commands.is_empty() {
                failures.push(format!("{}: has no command of mirage", block.place));
            }
            for command in commands {
                parsed += 1;
                let arguments = words(&command);
                if let Err(error) = Cli::try_parse_from(&arguments) {
                    failures.push(format!("{}: `{command}`: {error}", block.place));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(parsed > 5, "pages have command lines: {parsed}");
}

/// The words of a command line; single quotes keep one together.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for letter in command.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            letter => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn words_keep_what_is_quoted() {
    assert_eq!(
        words("mirage run  --passes 'fp16{keep=a b}'"),
        ["mirage", "run", "--passes", "fp16{keep=a b}"]
    );
}

#[test]
fn the_page_of_backends_is_current() {
    let mut page = "# Backends and capabilities\n\n\
        Written from the backends in the default program. `mirage backends --json` prints the same of every backend here, on \
        this machine; for one in a plugin, as `cuda` and `tch` are, name it: `mirage --plugin FILE backends --json`.\n\n\
        *fast*: a path of its own; *slow*: correct, by converting to another dtype or by the generic way. A region without a kernel runs its body. \
        Passes read this table and nothing else of a backend.\n"
        .to_owned();
    let mut linked: Vec<_> = backends();
    // Backends that other features link stand in no page: it is of the default program.
    linked.retain(|backend| !matches!(backend.info().name, "cuda" | "tch"));
    for backend in linked {
        let info = backend.info();
        writeln!(
            page,
            "\n## {}\n\nEngine: {}. {}. `mirage parity` allows it {:e} in f32.",
            info.name,
            info.engine,
            sentence(info.summary),
            backend.tolerance()
        )
        .unwrap();
        write_capabilities(&mut page, &backend.capabilities(0));
    }
    check("backends.md", &page);
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// The dtypes that are alike, and how well something runs in them.
type ByDtype = Vec<(Vec<&'static str>, String)>;

fn write_capabilities(page: &mut String, all: &Capabilities) {
    let operations = ops::names().map(Subject::operation).collect::<Vec<_>>();
    let kinds = regions::KINDS
        .iter()
        .map(|kind| kind.name)
        .chain([regions::ELEMENTWISE]);
    let kinds = kinds.map(Subject::region).collect::<Vec<_>>();
    for (title, subjects) in [("operations", operations), ("region kinds", kinds)] {
        // Subjects that are alike in every dtype share a row.
        let mut rows: BTreeMap<ByDtype, Vec<String>> = BTreeMap::new();
        for subject in subjects {
            let name = match &subject {
                Subject::Operation(name) | Subject::Region(name) => format!("`{name}`"),
                other => format!("`{other}`"),
            };
            rows.entry(by_dtype(all, &subject)).or_default().push(name);
        }
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
        writeln!(page, "\n| {title} | dtypes | how |\n|---|---|---|").unwrap();
        for (support, names) in rows {
            for (dtypes, how) in support {
                writeln!(
                    page,
                    "| {} | {} | {how} |",
                    names.join(", "),
                    dtypes.join(", ")
                )
                .unwrap();
            }
        }
    }
    page.push_str("\n| reads the graph's flag | in |\n|---|---|\n");
    for flag in GraphFlag::ALL {
        let dtypes = DType::ALL
            .into_iter()
            .filter(|&dtype| all.heeds(flag, dtype));
        let names: Vec<&str> = dtypes.map(|dtype| dtype.name()).collect();
        let names = if names.is_empty() {
            "no dtype".to_owned()
        } else {
            names.join(", ")
        };
        writeln!(page, "| `{}` | {names} |", Subject::flag(flag)).unwrap();
    }
}

fn by_dtype(all: &Capabilities, subject: &Subject) -> ByDtype {
    let mut found: ByDtype = Vec::new();
    for dtype in DType::ALL {
        let how = cell(all.find(subject, dtype));
        match found.iter_mut().find(|(_, other)| *other == how) {
            Some((dtypes, _)) => dtypes.push(dtype.name()),
            None => found.push((vec![dtype.name()], how)),
        }
    }
    found
}

/// How well, and in which orders beside row-major.
fn cell(line: Option<&Capability>) -> String {
    let Some(line) = line else {
        return "no kernel".to_owned();
    };
    let mut cell = match line.support {
        Support::Fast => "fast",
        Support::Slow => "slow",
    }
    .to_owned();
    let channels_last = |order: &&Order| **order == Order::channels_last(order.rank());
    let ranks: Vec<String> = line
        .orders
        .iter()
        .filter(channels_last)
        .map(|o| o.rank().to_string())
        .collect();
    if !ranks.is_empty() {
        write!(cell, "; channels last (rank {})", ranks.join(", ")).unwrap();
    }
    let others: Vec<String> = line
        .orders
        .iter()
        .filter(|o| !channels_last(o))
        .map(|o| format!("{o:?}"))
        .collect();
    if !others.is_empty() {
        write!(cell, "; {}", others.join(", ")).unwrap();
    }
    if line.channel_multiple > 1 {
        write!(cell, "; channels in multiples of {}", line.channel_multiple).unwrap();
    }
    cell
}
