//! `mirage plugins`, and the plugins that every command loads.

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

Plugins are looked for, in this order: the files of --plugin; the files and folders of
MIRAGE_PLUGIN_PATH; the user's data folder; the folder mirage-plugins next to the program.
MIRAGE_PLUGIN_TIMEOUT sets the seconds that a plugin may take to say what it is.";

/// The plugins: from where, which version, what they bring, and why one was refused
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
    /// Every file that was met, a line each (what `mirage plugins` does)
    List(ListArgs),
    /// A plugin to start from, in a folder of its name
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
