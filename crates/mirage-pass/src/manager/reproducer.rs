//! Reproducers of failures.

use std::{
    io,
    path::{Path, PathBuf},
};

use mirage_ir::{Graph, GraphError, target::Capabilities, text};
use serde::{Deserialize, Serialize};

use crate::{
    Fingerprint, PassSpec, PipelineSpec, Plan, PlanError, PlannedPass, Registry, TomlError, files,
    plan_in_order,
};

/// A pass, its options, the backend's capabilities and the graph. A pass depends on nothing else, so this
/// reproduces its failure.
///
/// Saved as TOML, with the graph in text form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reproducer {
    /// What happened.
    pub error: String,
    /// The pass's version.
    pub version: u32,
    /// The pass and its options.
    pub passes: PipelineSpec,
    /// The graph before the pass, in text form.
    pub graph: String,
    /// The backend's capabilities.
    pub capabilities: Capabilities,
}

impl Reproducer {
    pub(super) fn new(
        step: &PlannedPass,
        graph: &Graph,
        capabilities: &Capabilities,
        error: String,
    ) -> Self {
        Reproducer {
            error,
            version: step.info().version,
            passes: PipelineSpec::from_iter([step.spec()]),
            graph: graph.to_string(),
            capabilities: capabilities.clone(),
        }
    }

    /// The pass.
    pub fn pass(&self) -> Option<&PassSpec> {
        self.passes.passes.first()
    }

    /// Returns the plan to run on [`Self::graph`] with [`Self::capabilities`].
    pub fn plan(&self, registry: &Registry) -> Result<Plan, PlanError> {
        plan_in_order(registry, &self.passes)
    }

    /// Parses the graph.
    pub fn parse_graph(&self) -> Result<Graph, GraphError> {
        text::parse(&self.graph)
    }

    /// Returns the content of the file.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_else(|e| format!("# cannot be written: {e}\n"))
    }

    /// Parses the content of a file.
    pub fn from_toml(text: &str) -> Result<Self, TomlError> {
        toml::from_str(text).map_err(|e| TomlError::new(text, &e))
    }

    /// Writes the file atomically into a folder, which is created if needed, under a unique name.
    pub fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        let text = self.to_toml();
        let pass = self.pass().map_or("", PassSpec::name);
        let id = Fingerprint::of_text(&text).to_string();
        let path = folder.join(format!("{}-{}.toml", files::safe_name(pass), &id[..12]));
        files::write_whole(&path, &text)?;
        Ok(path)
    }
}
