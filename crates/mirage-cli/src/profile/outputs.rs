//! The output files of a profile. They are created before the work and renamed after it, so that a failed
//! run leaves none.

use std::path::Path;

use mirage_bench::{profile::Profile, render};

use super::ProfileArgs;
use crate::{
    error::{CliError, Result},
    file::AtomicFile,
    output::json,
};

/// The requested files.
pub(super) struct Outputs {
    html: Option<AtomicFile>,
    roofline: Option<AtomicFile>,
    memory: Option<(AtomicFile, MemoryForm)>,
    trace: Option<AtomicFile>,
}

/// Format of the memory timeline.
#[derive(Clone, Copy)]
enum MemoryForm {
    Json,
    Svg,
}

impl Outputs {
    /// Checks the names and that the folders can be written.
    pub(super) fn create(args: &ProfileArgs) -> Result<Self> {
        let form = args.memory.as_deref().map(memory_form).transpose()?;
        if let Some(path) = args
            .roofline
            .as_deref()
            .filter(|p| !is_stdout(p) && extension(p) != "svg")
        {
            return Err(CliError::usage(format!(
                "--roofline {}: the name must end in .svg",
                path.display()
            )));
        }
        let file = |path: &Option<_>| path.as_deref().map(AtomicFile::create).transpose();
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
                    "there is no roofline plot because no node computes on memory; drop --roofline"
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
        _ if is_stdout(path) => Ok(MemoryForm::Json),
        "svg" => Ok(MemoryForm::Svg),
        _ => Err(CliError::usage(format!(
            "--memory {}: the name must end in .json (data) or .svg (chart)",
            path.display()
        ))),
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn extension(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default();
    extension.to_string_lossy().to_ascii_lowercase()
}
