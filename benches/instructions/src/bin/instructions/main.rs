//! Instructions of the graph, the planner and the passes, counted by valgrind's callgrind and compared
//! with a stored baseline. docs/expert/measuring-parts.md tells how and why.
//!
//!     benches/instructions/run            # compare
//!     benches/instructions/run refresh    # store anew

// This is a program; it prints what it finds.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod baseline;
mod callgrind;
mod judge;

use std::{path::Path, process::ExitCode};

use mirage_instructions::cases;

use baseline::{Baseline, Counts};

/// Numbers of nodes; growth is between the two.
const SIZES: [usize; 2] = [500, 5000];

/// The function between whose entry and exit instructions are counted.
const COUNTED: &str = "instructions::counted_by_callgrind";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(),
        ["refresh"] => refresh(),
        // What this program starts under valgrind.
        ["run"] => {
            run();
            Ok(())
        }
        _ => Err("usage: instructions [refresh]".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Names of what is counted, in order.
fn names() -> Vec<String> {
    let cases = cases().into_iter();
    cases
        .flat_map(|case| SIZES.map(|nodes| format!("{}/{nodes}", case.name)))
        .collect()
}

/// Runs every case once at every size, in the order of [`names`].
fn run() {
    for case in cases() {
        for nodes in SIZES {
            let mut work = Some(case.prepare(nodes).work());
            let mut done = None;
            counted_by_callgrind(&mut || done = work.take().map(|work| work()));
            drop(done);
        }
    }
}

/// What is counted; never inlined, so that callgrind finds it.
#[inline(never)]
fn counted_by_callgrind(work: &mut dyn FnMut()) {
    work();
    std::hint::black_box(());
}

fn count() -> Result<Counts, String> {
    let counts = callgrind::count(COUNTED)?;
    let names = names();
    match counts.len() == names.len() {
        true => Ok(names.into_iter().zip(counts).collect()),
        false => Err(format!(
            "callgrind counted {} cases of {}: is the program stripped, so that `{COUNTED}` has no name?",
            counts.len(),
            names.len()
        )),
    }
}

fn path() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.toml"))
}

fn refresh() -> Result<(), String> {
    let counts = count()?;
    let kept = Baseline::read(path())
        .map_or_else(|_| baseline::TOLERANCE_PERCENT, |b| b.tolerance_percent);
    Baseline::of(counts, kept).write(path())?;
    println!(
        "{} is written; commit it with the change that moved the counts",
        path().display()
    );
    Ok(())
}

fn compare() -> Result<(), String> {
    let baseline = Baseline::read(path())?;
    baseline.check_toolchain()?;
    let counts = count()?;
    let judged = judge::judge(&baseline, &counts, SIZES);
    print!("{}", judged.table);
    match judged.faults.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{}\nIf this is meant: benches/instructions/run refresh, and commit {}",
            judged.faults.join("\n"),
            "benches/instructions/baseline.toml"
        )),
    }
}
