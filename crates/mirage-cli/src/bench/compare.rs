//! Ledgers against saved ones.

use std::path::{Path, PathBuf};

use clap::Args;
use mirage_bench::{
    compare::{CompareOptions, Comparison, compare},
    ledger::{self, Ledger},
    render,
    stats::{DEFAULT_MARGIN, Resampling},
};
use serde::Serialize;

use super::show::ruled;
use crate::{
    args::percent,
    error::{CliError, Ending, Result},
    output::Stream,
};

/// Compare saved ledgers, row by row, without measuring
#[derive(Args, Debug)]
pub(super) struct CompareArgs {
    /// The ledger that the others are compared with
    #[arg(value_name = "FIRST.json")]
    first: PathBuf,
    /// Other ledgers
    #[arg(value_name = "OTHER.json", required = true)]
    others: Vec<PathBuf>,
    /// Exit with 1 if a row of another ledger is slower by more than so many percent with its whole
    /// interval
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    fail_on_regression: Option<f64>,
    /// Compare although versions differ, those of Mirage, the backend, its engine, and passes
    #[arg(long)]
    across_versions: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A saved ledger and its name.
pub(super) struct Saved {
    file: String,
    ledger: Ledger,
}

/// A comparison as JSON has it.
#[derive(Serialize)]
struct ComparisonJson<'a> {
    first: &'a str,
    other: &'a str,
    #[serde(flatten)]
    comparison: Comparison,
}

impl Saved {
    fn read(path: &Path) -> Result<Self> {
        Ok(Saved {
            file: path.display().to_string(),
            ledger: ledger::read(path).failure()?,
        })
    }
}

/// Reads saved ledgers.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<Saved>> {
    paths.iter().map(|path| Saved::read(path)).collect()
}

fn options(across_versions: bool) -> CompareOptions {
    CompareOptions {
        resampling: Resampling::default(),
        margin: DEFAULT_MARGIN,
        across_versions,
    }
}

impl CompareArgs {
    pub(super) fn run(&self) -> Result<()> {
        let first = Saved::read(&self.first)?;
        let others = read_all(&self.others)?;
        let options = options(self.across_versions);
        let mut judge = Judge::new(self.fail_on_regression);
        let mut all = Vec::new();
        for other in &others {
            let found = compare(&first.ledger, &other.ledger, &options);
            judge.look(&other.file, &found);
            if !self.json {
                Stream::Stdout.emit(&table(&first.file, &other.file, &found))?;
            }
            all.push(ComparisonJson {
                first: &first.file,
                other: &other.file,
                comparison: found,
            });
        }
        if self.json {
            Stream::Stdout.emit_json(&all)?;
        }
        judge.verdict()
    }
}

/// Tells how the rows of a ledger that was just measured differ from those of saved ones, on standard
/// error where standard output carries JSON. The error names rows that are slower by more than
/// `threshold` percent with their whole interval.
pub(super) fn tell(
    before: &[Saved],
    (name, now): (&str, &Ledger),
    threshold: Option<f64>,
    json: bool,
) -> Result<()> {
    let stream = match json {
        true => Stream::Stderr,
        false => Stream::Stdout,
    };
    let mut judge = Judge::new(threshold);
    for saved in before {
        let found = compare(&saved.ledger, now, &options(false));
        stream.emit(&table(&saved.file, name, &found))?;
        judge.look(&saved.file, &found);
    }
    judge.verdict()
}

fn table(first: &str, other: &str, found: &Comparison) -> String {
    let differences: String = found
        .differences
        .iter()
        .map(|d| {
            format!(
                "not comparable: {}: {} there, {} here\n",
                d.field, d.first, d.other
            )
        })
        .collect();
    let head = format!("\n{other} against {first}\n\n");
    match found.differences.is_empty() {
        true => {
            let moved = render::none_moved(found);
            let moved = moved.map_or(String::new(), |said| format!("{said}\n\n"));
            head + &moved + &ruled(&render::comparison(found))
        }
        // Every row would say the same.
        false => head + &differences,
    }
}

/// Looks for regressions in comparisons.
struct Judge {
    /// Percent; `None` where nobody asks.
    threshold: Option<f64>,
    slower: Vec<String>,
    incomparable: Vec<String>,
}

impl Judge {
    fn new(threshold: Option<f64>) -> Self {
        Judge {
            threshold,
            slower: Vec::new(),
            incomparable: Vec::new(),
        }
    }

    fn look(&mut self, file: &str, found: &Comparison) {
        let Some(percent) = self.threshold else {
            return;
        };
        if !found.is_comparable() {
            let fields: Vec<&str> = found.differences.iter().map(|d| &*d.field).collect();
            let why = match fields[..] {
                [] => "no row was measured in both".to_owned(),
                [field] => format!("{field} differs"),
                _ => format!("{} differ", fields.join(", ")),
            };
            self.incomparable.push(format!("{file}: {why}"));
        }
        let slower = found.regressions(percent / 100.0);
        self.slower
            .extend(slower.map(|row| format!("{} ({file})", row.label)));
    }

    /// # Errors
    /// Rows that are slower; ledgers that cannot be compared, so that no regression can be ruled out.
    fn verdict(self) -> Result<()> {
        let percent = self.threshold.unwrap_or_default();
        if !self.slower.is_empty() {
            return Err(CliError::failure(format!(
                "slower by more than {percent} %: {}",
                self.slower.join("; ")
            )));
        }
        if !self.incomparable.is_empty() {
            return Err(CliError::failure(format!(
                "not comparable, so no regression can be ruled out: {}",
                self.incomparable.join("; ")
            )));
        }
        Ok(())
    }
}
