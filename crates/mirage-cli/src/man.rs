//! `mirage man`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use crate::{
    cli::Cli,
    error::{CliError, Ending, Result},
    output::emit_bytes,
};

const EXAMPLES: &str = "\
Examples:
  mirage man | man -l -                             read it
  mirage man ~/.local/share/man/man1                install it, with a page for every command";

/// The manual page, on standard output or in a folder
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// Write a page for every command into this folder, which is made if need be
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl ManArgs {
    pub(crate) fn run(&self) -> Result<()> {
        let Some(folder) = &self.folder else {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut page)
                .failure()?;
            return emit_bytes(&page);
        };
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
        written.map_err(|e| {
            let folder = folder.display();
            CliError::failure(format!(
                "{folder}: cannot write manual pages: {e}; check that the folder can be written"
            ))
        })
    }
}
