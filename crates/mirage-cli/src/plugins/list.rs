//! `mirage plugins list`.

use clap::Args;
use mirage_plugin::host::{LoadAttempt, PATH_VARIABLE, Place, Plugin, Search};
use serde::Serialize;

use super::PluginArgs;
use crate::{
    error::Result,
    output::Stream,
    table::{Align, Facts, Rows, bad, bold, text},
};

#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A plugin file that was found, in JSON.
#[derive(Serialize)]
struct FoundJson {
    file: String,
    place: Place,
    /// The plugin; null if the file was refused.
    plugin: Option<PluginJson>,
    /// Why the file was refused.
    refused: Option<String>,
}

#[derive(Serialize)]
struct PluginJson {
    name: &'static str,
    version: &'static str,
    built_with: &'static str,
    passes: &'static [String],
    backends: &'static [String],
}

impl ListArgs {
    pub(super) fn run(&self, plugins: &PluginArgs) -> Result<()> {
        let found = plugins.load_quietly();
        match self.json {
            true => {
                let all: Vec<FoundJson> = found.into_iter().map(FoundJson::of).collect();
                Stream::Stdout.emit_json(&all)
            }
            false => Stream::Stdout.emit(&table(&found, &plugins.search())),
        }
    }
}

impl FoundJson {
    fn of(found: &'static LoadAttempt) -> Self {
        FoundJson {
            file: found.candidate.path.display().to_string(),
            place: found.candidate.place,
            plugin: found.outcome.as_ref().ok().map(|plugin| PluginJson {
                name: plugin.name(),
                version: plugin.version(),
                built_with: plugin.built_with(),
                passes: plugin.passes(),
                backends: plugin.backends(),
            }),
            refused: found.outcome.as_ref().err().map(ToString::to_string),
        }
    }
}

fn table(found: &[&'static LoadAttempt], search: &Search) -> String {
    let mut places = Facts::new(Stream::Stdout);
    let folder = |folder: &Option<std::path::PathBuf>| match folder {
        Some(folder) => folder.display().to_string(),
        None => "(no such folder on this platform)".to_owned(),
    };
    let variable = search
        .path
        .as_ref()
        .map(|p| p.to_string_lossy().into_owned());
    places.fact("searched", "the files of --plugin");
    places.fact(
        "",
        variable.unwrap_or_else(|| format!("{PATH_VARIABLE} (not set)")),
    );
    places.fact("", folder(&search.user));
    places.fact("", folder(&search.program));
    if found.is_empty() {
        return format!("no plugins found\n\n{places}");
    }
    let columns = [
        ("plugin", Align::Left),
        ("version", Align::Left),
        ("provides", Align::Left),
        ("from", Align::Left),
    ];
    let mut rows = Rows::new(Stream::Stdout, &columns);
    for found in found {
        let (path, place) = (&found.candidate.path, found.candidate.place);
        let from = format!("{} ({place})", path.display());
        match &found.outcome {
            Ok(plugin) => rows.row([
                bold(plugin.name()),
                text(plugin.version()),
                text(provides(plugin)),
                text(match plugin.built_with() {
                    "" => from,
                    compiler => format!("{from}, built with {compiler}"),
                }),
            ]),
            Err(why) => rows.row([bad("refused"), text(""), bad(why), text(from)]),
        }
    }
    format!("{rows}\n{places}")
}

fn provides(plugin: &Plugin) -> String {
    let list = |one: &str, many: &str, names: &[String]| match names {
        [] => None,
        [name] => Some(format!("{one} {name}")),
        names => Some(format!("{many} {}", names.join(", "))),
    };
    let parts = [
        list("pass", "passes", plugin.passes()),
        list("backend", "backends", plugin.backends()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
