//! `mirage bench compare`, and --compare.

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
    /// The ledger to compare with
    #[arg(value_name = "FIRST.json")]
    first: PathBuf,
    /// Ledgers to compare
    #[arg(value_name = "OTHER.json", required = true)]
    others: Vec<PathBuf>,
    /// Exit with 1 if the whole interval of a row is slower by more than this many percent
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    fail_on_regression: Option<f64>,
    /// Compare even if the versions of Mirage, the backend, its engine or passes differ
    #[arg(long)]
    across_versions: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A saved ledger and its file name.
pub(super) struct Saved {
    file: String,
    ledger: Ledger,
}

/// A comparison, in JSON.
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

/// Prints how the rows of the new ledger differ from those of saved ledgers, on standard error if standard
/// output carries JSON.
///
/// # Errors
/// If the whole interval of a row is slower by more than `threshold` percent.
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
                "not comparable: {} differs: {} in {first}, {} in {other}\n",
                d.field, d.first, d.other
            )
        })
        .collect();
    let head = format!("\n{other} compared with {first}\n\n");
    match found.differences.is_empty() {
        true => {
            let moved = render::none_moved(found);
            let moved = moved.map_or(String::new(), |said| format!("{said}\n\n"));
            head + &moved + &ruled(&render::comparison(found))
        }
        // The differences hold for every row.
        false => head + &differences,
    }
}

/// Collects regressions of comparisons.
struct Judge {
    /// Percent; `None` to ignore regressions.
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
                [] => "no row was measured in both ledgers".to_owned(),
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
    /// If rows are slower, or if ledgers cannot be compared.
    fn verdict(self) -> Result<()> {
        let percent = self.threshold.unwrap_or_default();
        if !self.slower.is_empty() {
            return Err(CliError::failure(format!(
                "regression: slower by more than {percent} %: {}",
                self.slower.join("; ")
            )));
        }
        if !self.incomparable.is_empty() {
            return Err(CliError::failure(format!(
                "cannot check for regressions, because the ledgers are not comparable: {}",
                self.incomparable.join("; ")
            )));
        }
        Ok(())
    }
}
