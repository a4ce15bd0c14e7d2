//! Loads plugins: `--plugin` and the search path.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use mirage_plugin::host::{self, LoadAttempt, Search};

use crate::{
    error::{CliError, Result, warn},
    files::Files,
};

/// The plugins to load.
#[derive(Args, Clone, Debug)]
pub(crate) struct PluginArgs {
    /// Load passes and backends from a shared library (see `mirage plugins`); repeatable
    #[arg(long = "plugin", global = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Timeout in seconds for a plugin to describe itself
    #[arg(
        long = "plugin-timeout",
        global = true,
        hide = true,
        value_name = "SECONDS",
        env = "MIRAGE_PLUGIN_TIMEOUT",
        value_parser = seconds
    )]
    timeout: Option<Duration>,
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds = text.parse().ok().filter(|s| *s > 0.0);
    seconds
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .ok_or_else(|| "expected a number of seconds above 0, such as 30 or 0.5".to_owned())
}

impl PluginArgs {
    /// The files that are read.
    pub(crate) fn files(&self) -> Files {
        let files = self.files.iter();
        files.fold(Files::default(), |files, file| {
            files.reads("--plugin", Some(file))
        })
    }

    /// Returns where to search for plugins.
    pub(super) fn search(&self) -> Search {
        let mut search = Search::of_process(self.files.clone());
        search.patience = self.timeout.unwrap_or(search.patience);
        search
    }

    /// Loads the plugins, and returns the outcome for each file.
    pub(super) fn load_quietly(&self) -> Vec<&'static LoadAttempt> {
        host::load(&self.search())
    }

    /// Loads the plugins, and prints a warning for each file that is refused.
    ///
    /// # Errors
    /// If a file of --plugin does not exist.
    pub(crate) fn load(&self) -> Result<()> {
        if let Some(missing) = self.files.iter().find(|file| !file.exists()) {
            return Err(CliError::usage(format!(
                "--plugin {}: no such file",
                missing.display()
            )));
        }
        for found in self.load_quietly() {
            if let Err(why) = &found.outcome {
                let file = found.candidate.path.display();
                warn(&format!("plugin {file} is refused: {why}"));
            }
        }
        Ok(())
    }
}
