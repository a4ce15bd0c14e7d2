//! The files that a ledger is written to.

use std::path::PathBuf;

use mirage_bench::{ledger::Ledger, render};

use super::BenchArgs;
use crate::{
    error::{CliError, Ending, Result},
    file::WholeFile,
};

/// Files being made: found out before minutes are spent whether they can be written, and whole or not
/// there afterwards.
pub(super) struct Outputs {
    json: Option<WholeFile>,
    csv: Option<WholeFile>,
    html: Option<WholeFile>,
}

impl Outputs {
    pub(super) fn claim(args: &BenchArgs) -> Result<Self> {
        let asked = [
            ("--save", &args.save),
            ("--csv", &args.csv),
            ("--html", &args.html),
        ];
        let asked: Vec<(&str, &PathBuf)> = asked
            .into_iter()
            .filter_map(|(flag, path)| Some((flag, path.as_ref()?)))
            .collect();
        for (i, (flag, path)) in asked.iter().enumerate() {
            if let Some((other, _)) = asked[..i].iter().find(|(_, p)| p == path) {
                return Err(CliError::usage(format!(
                    "{flag} {0} and {other} {0} are the same file: give each a name of its own",
                    path.display()
                )));
            }
        }
        let create = |path: &Option<PathBuf>| path.as_deref().map(WholeFile::create).transpose();
        Ok(Outputs {
            json: create(&args.save)?,
            csv: create(&args.csv)?,
            html: create(&args.html)?,
        })
    }

    pub(super) fn write(self, ledger: &Ledger) -> Result<()> {
        if let Some(file) = self.json {
            file.finish(ledger.to_json().failure()?.as_bytes())?;
        }
        if let Some(file) = self.csv {
            file.finish(render::csv(&render::flat(ledger)).failure()?.as_bytes())?;
        }
        if let Some(file) = self.html {
            file.finish(render::html(ledger).as_bytes())?;
        }
        Ok(())
    }
}
