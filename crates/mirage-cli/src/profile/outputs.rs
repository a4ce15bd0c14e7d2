//! The files that a profile is written to. They are opened before the work and named when all of it
//! is done, so that a run that fails leaves none.

use std::path::Path;

use mirage_bench::{profile::Profile, render};

use super::ProfileArgs;
use crate::{
    error::{CliError, Result},
    file::WholeFile,
    output::json,
};

/// The files, each if it was asked for.
pub(super) struct Outputs {
    html: Option<WholeFile>,
    roofline: Option<WholeFile>,
    memory: Option<(WholeFile, MemoryForm)>,
    trace: Option<WholeFile>,
}

/// What the memory timeline is written as.
#[derive(Clone, Copy)]
enum MemoryForm {
    Json,
    Svg,
}

impl Outputs {
    /// Checks the names and that their folders can be written.
    pub(super) fn create(args: &ProfileArgs) -> Result<Self> {
        let form = args.memory.as_deref().map(memory_form).transpose()?;
        if let Some(path) = args.roofline.as_deref().filter(|p| extension(p) != "svg") {
            return Err(CliError::usage(format!(
                "--roofline {}: the plot is written as SVG, name it .svg",
                path.display()
            )));
        }
        let named = [
            ("--html", &args.html),
            ("--roofline", &args.roofline),
            ("--memory", &args.memory),
            ("--trace", &args.trace),
        ];
        let named: Vec<(&str, &Path)> = named
            .into_iter()
            .filter_map(|(flag, path)| Some((flag, path.as_deref()?)))
            .collect();
        for (i, (flag, path)) in named.iter().enumerate() {
            if let Some((other, _)) = named[..i].iter().find(|(_, p)| p == path) {
                return Err(CliError::usage(format!(
                    "{other} and {flag} are both {}: give each a name of its own",
                    path.display()
                )));
            }
        }
        let file = |path: &Option<_>| path.as_deref().map(WholeFile::create).transpose();
        Ok(Outputs {
            html: file(&args.html)?,
            roofline: file(&args.roofline)?,
            memory: file(&args.memory)?.zip(form),
            trace: file(&args.trace)?,
        })
    }

    /// Writes all of them.
    pub(super) fn finish(self, profile: &Profile, trace: Option<&serde_json::Value>) -> Result<()> {
        if let Some(file) = self.html {
            file.finish(render::profile_html(profile).as_bytes())?;
        }
        if let Some(file) = self.roofline {
            let plot = render::roofline_svg(profile).ok_or_else(|| {
                CliError::failure(
                    "no node computes on memory, so there is no roofline plot: leave --roofline out"
                        .to_owned(),
                )
            })?;
            file.finish(plot.as_bytes())?;
        }
        if let Some((file, form)) = self.memory {
            let content = match form {
                MemoryForm::Json => json(&profile.memory)?,
                MemoryForm::Svg => render::memory_svg(profile),
            };
            file.finish(content.as_bytes())?;
        }
        if let (Some(file), Some(trace)) = (self.trace, trace) {
            file.finish(json(trace)?.as_bytes())?;
        }
        Ok(())
    }
}

fn memory_form(path: &Path) -> Result<MemoryForm> {
    match extension(path).as_str() {
        "json" => Ok(MemoryForm::Json),
        "svg" => Ok(MemoryForm::Svg),
        _ => Err(CliError::usage(format!(
            "--memory {}: name it .json for data or .svg for a chart",
            path.display()
        ))),
    }
}

fn extension(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default();
    extension.to_string_lossy().to_ascii_lowercase()
}
