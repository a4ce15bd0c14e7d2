//! `mirage man`.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};

use crate::{
    cli::Cli,
    error::{CliError, Ending, Result},
    output::emit_bytes,
};

const EXAMPLES: &str = "\
Examples:
  mirage man | man -l -                             read the manual page
  mirage man ~/.local/share/man/man1                install a page for every command";

/// Print the manual page, or write all manual pages to a folder
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// Write a page for every command to this folder, which is created if it does not exist
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl ManArgs {
    pub(crate) fn run(&self) -> Result<()> {
        let Some(folder) = self.folder.as_ref().filter(|f| *f != Path::new("-")) else {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut page)
                .failure()?;
            return emit_bytes(&page);
        };
        if folder.exists() && !folder.is_dir() {
            let folder = folder.display();
            return Err(CliError::failure(format!(
                "{folder} is not a folder; give another name"
            )));
        }
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
        written.map_err(|e| {
            let folder = folder.display();
            CliError::failure(format!(
                "cannot write manual pages to {folder}: {e}; check that the folder can be written"
            ))
        })
    }
}
