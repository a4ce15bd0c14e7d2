//! Writes the graph after each pass to files.

use std::path::{Path, PathBuf};

use mirage_ir::Graph;

use super::{Change, Instrument, StepView};
use crate::{Fault, PassRun, Plan, files};

/// Writes the graph in text form to a folder: `00-input.txt`, then `01-PASS.txt` and so on, a file for
/// each pass that changed it. The folder is created if needed; existing files are replaced.
#[derive(Clone, Debug)]
pub struct Dump {
    folder: PathBuf,
}

impl Dump {
    /// Returns an instrument that writes to this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Dump {
            folder: folder.into(),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn write(&self, number: usize, name: &str, graph: &Graph) -> Result<PathBuf, Fault> {
        let path = self.folder.join(format!("{number:02}-{name}.txt"));
        match files::write_whole(&path, &graph.to_string()) {
            Ok(()) => Ok(path),
            Err(e) => Err(Fault::Instrument {
                instrument: "dump",
                message: format!("{} cannot be written: {e}", path.display()),
            }),
        }
    }
}

impl Instrument for Dump {
    fn name(&self) -> &'static str {
        "dump"
    }

    fn begin(&mut self, _plan: &Plan, graph: &Graph) -> Result<(), Fault> {
        self.write(0, "input", graph).map(drop)
    }

    fn after(
        &mut self,
        step: StepView<'_>,
        change: Change<'_>,
        run: &mut PassRun,
    ) -> Result<(), Fault> {
        if change.outcome.is_changed() {
            let path = self.write(step.index + 1, step.step.info().name, change.after)?;
            run.remark(self.name(), path.display().to_string());
        }
        Ok(())
    }
}
