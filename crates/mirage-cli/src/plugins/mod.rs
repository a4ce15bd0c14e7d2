//! `mirage plugins`, and the plugins of every command.

mod list;
mod load;
mod new;

use clap::{Args, Subcommand};

pub(crate) use load::PluginArgs;

use crate::error::Result;
use list::ListArgs;
use new::NewArgs;

const EXAMPLES: &str = "\
Examples:
  mirage plugins list
  mirage plugins list --plugin target/release/libmirage_example_pass.so
  mirage run --plugin libmirage_example_pass.so --passes subtract_negated
  mirage plugins new my-pass --kind pass

Plugins are loaded from, in this order: the files of --plugin; the files and folders of
MIRAGE_PLUGIN_PATH; the user's data folder; the folder mirage-plugins next to the program.
MIRAGE_PLUGIN_TIMEOUT sets the timeout in seconds for a plugin to describe itself.";

/// List the plugins that were found, or create a new one
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct PluginsArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List every plugin file that was found, and why one was refused (the default action)
    List(ListArgs),
    /// Create a plugin crate to start from, in a folder of its name
    New(NewArgs),
}

impl PluginsArgs {
    pub(crate) fn run(&self, plugins: &PluginArgs) -> Result<()> {
        match &self.action {
            None => self.list.run(plugins),
            Some(Action::List(args)) => args.run(plugins),
            Some(Action::New(args)) => args.run(),
        }
    }
}
