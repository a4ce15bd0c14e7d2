//! Output of a report.

use std::path::PathBuf;

use clap::Args;
use mirage_bench::render::{Table, csv, markdown};
use serde::Serialize;

use crate::{
    error::{Ending, Result},
    file::AtomicFile,
    files::Files,
    output::{Stream, json},
};

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// Save the report as JSON
    #[arg(long, value_name = "FILE.json")]
    save: Option<PathBuf>,
    /// Save the rows as CSV
    #[arg(long, value_name = "FILE.csv")]
    csv: Option<PathBuf>,
    /// Print the rows as markdown, with every column and row
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Output files, created before measuring so that a file that cannot be written is an early error.
pub(super) struct Outputs<'a> {
    args: &'a OutputArgs,
    save: Option<AtomicFile>,
    csv: Option<AtomicFile>,
}

impl OutputArgs {
    /// The files that are written.
    pub(super) fn files(&self) -> Files {
        Files::default()
            .writes("--save", self.save.as_ref())
            .writes("--csv", self.csv.as_ref())
    }

    pub(super) fn begin(&self) -> Result<Outputs<'_>> {
        let begin = |path: &Option<PathBuf>| path.as_deref().map(AtomicFile::create).transpose();
        Ok(Outputs {
            args: self,
            save: begin(&self.save)?,
            csv: begin(&self.csv)?,
        })
    }
}

impl Outputs<'_> {
    /// Writes the files, and prints JSON or markdown if requested, otherwise `text`.
    pub(super) fn tell(self, report: &impl Serialize, table: &Table, text: String) -> Result<()> {
        let whole = json(report)?;
        if let Some(file) = self.csv {
            file.finish(csv(table).failure()?.as_bytes())?;
        }
        if let Some(file) = self.save {
            file.finish(whole.as_bytes())?;
        }
        Stream::Stdout.emit(&match (self.args.json, self.args.markdown) {
            (true, _) => whole,
            (_, true) => markdown(&table.clone().without_empty_columns()),
            _ => text,
        })
    }
}
