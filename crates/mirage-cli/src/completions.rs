//! `mirage completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{cli::Cli, error::Result, output::emit_bytes};

const EXAMPLES: &str = "\
Examples:
  mirage completions bash > ~/.local/share/bash-completion/completions/mirage
  mirage completions zsh > ~/.zfunc/_mirage
  mirage completions fish > ~/.config/fish/completions/mirage.fish";

/// Print a completion script for your shell
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl CompletionsArgs {
    pub(crate) fn run(&self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "mirage", &mut script);
        emit_bytes(&script)
    }
}
