//! `mirage bench history`.

use std::path::PathBuf;

use clap::Args;
use mirage_bench::{
    history::{History, history, read_folder},
    render,
    stats::Resampling,
};

use super::show::ruled;
use crate::{
    error::{CliError, Ending, Result},
    file::AtomicFile,
    files::Files,
    output::Stream,
};

/// Bootstrap samples per interval; fewer than for verdicts, as there are many intervals.
const RESAMPLES: usize = 1000;

/// Show the saved ledgers of a folder over time, versions and machines
#[derive(Args, Debug)]
pub(super) struct HistoryArgs {
    /// Folder with ledgers saved by `mirage bench --save`
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Write an HTML page with a chart per row
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl HistoryArgs {
    /// The files that are read and written.
    pub(super) fn files(&self) -> Files {
        Files::default()
            .reads_in("FOLDER", &self.folder, "*.json")
            .writes("--html", self.html.as_ref())
    }

    pub(super) fn run(&self) -> Result<()> {
        let files = read_folder(&self.folder).failure()?;
        let page = self.html.as_deref().map(AtomicFile::create).transpose()?;
        let how = Resampling {
            resamples: RESAMPLES,
            ..Resampling::default()
        };
        let found = history(files, &how);
        if found.groups.is_empty() {
            let unread = found
                .unreadable
                .iter()
                .map(|file| format!("; {}", file.reason));
            return Err(CliError::failure(format!(
                "{}: no ledgers in this folder; save one with mirage bench --save FILE.json{}",
                self.folder.display(),
                unread.collect::<String>()
            )));
        }
        if let Some(page) = page {
            page.finish(render::history_page(&found).as_bytes())?;
        }
        match self.json {
            true => Stream::Stdout.emit_json(&found),
            false => Stream::Stdout.emit(&summary(&found)),
        }
    }
}

fn summary(found: &History) -> String {
    let group = |group| {
        format!(
            "{}\n\n{}\n",
            render::history_title(group),
            ruled(&render::history_table(group))
        )
    };
    let unread = found
        .unreadable
        .iter()
        .map(|file| format!("skipped: {}\n", file.reason));
    found.groups.iter().map(group).chain(unread).collect()
}
