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
    file::WholeFile,
    output::Stream,
};

/// Draws behind an interval: there are many, and nobody calls a verdict by their last digit.
const RESAMPLES: usize = 1000;

/// A page over the saved ledgers of a folder: medians over time, versions and machines
#[derive(Args, Debug)]
pub(super) struct HistoryArgs {
    /// A folder with ledgers that `mirage bench --save` wrote
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Write a page with a chart a row
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl HistoryArgs {
    pub(super) fn run(&self) -> Result<()> {
        let files = read_folder(&self.folder).failure()?;
        let page = self.html.as_deref().map(WholeFile::create).transpose()?;
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
                "{}: there is no ledger in it; mirage bench --save FILE.json makes one{}",
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
        .map(|file| format!("not read: {}\n", file.reason));
    found.groups.iter().map(group).chain(unread).collect()
}
