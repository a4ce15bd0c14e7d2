//! The output files of a ledger.

use std::path::PathBuf;

use mirage_bench::{ledger::Ledger, render};

use super::BenchArgs;
use crate::{
    error::{Ending, Result},
    file::AtomicFile,
};

/// Output files, created before measuring so that a file that cannot be written is an early error, and
/// written atomically.
pub(super) struct Outputs {
    json: Option<AtomicFile>,
    csv: Option<AtomicFile>,
    html: Option<AtomicFile>,
}

impl Outputs {
    pub(super) fn claim(args: &BenchArgs) -> Result<Self> {
        let create = |path: &Option<PathBuf>| path.as_deref().map(AtomicFile::create).transpose();
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
