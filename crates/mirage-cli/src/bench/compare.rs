//! A ledger against a saved one.

use std::path::Path;

use mirage_bench::{
    compare::{CompareOptions, compare},
    ledger::{self, Ledger},
    render,
    stats::{DEFAULT_MARGIN, Resampling},
};

use super::ruled;
use crate::{
    error::{CliError, Ending, Result},
    output::Stream,
};

/// A saved ledger.
pub(super) fn read(path: &Path) -> Result<Ledger> {
    ledger::read(path).failure()
}

/// Tells how rows differ from those before. The error names rows that are slower by more than
/// `threshold` percent with their whole interval.
pub(super) fn tell(before: &Ledger, now: &Ledger, threshold: Option<f64>) -> Result<()> {
    let options = CompareOptions {
        resampling: Resampling::default(),
        margin: DEFAULT_MARGIN,
        across_versions: false,
    };
    let comparison = compare(before, now, &options);
    let table = ruled(&render::comparison(&comparison));
    let differences: String = comparison
        .differences
        .iter()
        .map(|d| {
            format!(
                "not comparable: {} was {}, is {}\n",
                d.field, d.first, d.other
            )
        })
        .collect();
    Stream::Stderr.emit(&format!("\n{table}{differences}"))?;
    let Some(percent) = threshold else {
        return Ok(());
    };
    if !comparison.is_comparable() {
        return Err(CliError::Failure(
            "the ledgers cannot be compared, so no regression can be ruled out".to_owned(),
        ));
    }
    let slower: Vec<&str> = comparison
        .regressions(percent / 100.0)
        .map(|row| row.label.as_str())
        .collect();
    match slower[..] {
        [] => Ok(()),
        _ => Err(CliError::Failure(format!(
            "slower by more than {percent} %: {}",
            slower.join("; ")
        ))),
    }
}
