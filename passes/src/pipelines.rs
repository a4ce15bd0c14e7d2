//! Named sets of passes, built in from a file each. The top-level folder `configs/pipelines` links to them.
//!
//! The first line of a file is a comment that says what the set is for.

use mirage_pass::{PipelineSpec, TomlError};

/// A named set of passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// The name, as in `--pipeline NAME`.
    pub name: &'static str,
    /// The text of the file, in TOML.
    pub toml: &'static str,
}

impl Pipeline {
    /// Returns one line on what the set is for.
    pub fn summary(&self) -> &'static str {
        let first = self.toml.lines().next().unwrap_or_default();
        first.trim_start_matches(['#', ' '])
    }

    /// Parses the file.
    ///
    /// # Errors
    /// If the file is not a valid pipeline. A test of this crate rules that out for the built-in ones.
    pub fn spec(&self) -> Result<PipelineSpec, TomlError> {
        PipelineSpec::from_toml(self.toml)
    }
}

macro_rules! pipeline {
    ($name:literal) => {
        Pipeline {
            name: $name,
            toml: include_str!(concat!("../pipelines/", $name, ".toml")),
        }
    };
}

/// The built-in sets, the most accurate first.
pub const PIPELINES: &[Pipeline] = &[
    pipeline!("safe"),
    pipeline!("quality"),
    pipeline!("auto"),
    pipeline!("fast"),
];

/// Returns the set of this name.
pub fn find(name: &str) -> Option<&'static Pipeline> {
    PIPELINES.iter().find(|p| p.name == name)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use mirage_pass::{Numerics, Plan, Registry, plan};

    use super::*;

    fn planned(pipeline: &Pipeline) -> Plan {
        let spec = pipeline.spec().unwrap();
        plan(&Registry::linked().unwrap(), &spec).unwrap()
    }

    /// The numerics of the passes that were asked for.
    fn numerics(name: &str) -> Vec<Numerics> {
        let steps = planned(find(name).unwrap()).steps.into_iter();
        let asked = steps.filter(|s| !s.automatic);
        asked.map(|s| s.info().numerics).collect()
    }

    #[test]
    fn every_file_is_built_in_says_what_it_is_for_and_is_legal() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
        let file = |e: std::io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
        let files: BTreeSet<String> = fs::read_dir(folder).unwrap().map(file).collect();
        let built_in = PIPELINES.iter().map(|p| format!("{}.toml", p.name));
        assert_eq!(files, built_in.collect());
        for pipeline in PIPELINES {
            assert!(pipeline.toml.starts_with("# "), "{}", pipeline.name);
            assert!(pipeline.summary().ends_with('.'), "{}", pipeline.name);
            assert!(!planned(pipeline).steps.is_empty());
        }
        assert_eq!(find("fastest"), None);
    }

    #[test]
    fn names_keep_their_promises_about_numbers() {
        let keeps = |n: &Numerics| n.interpreter_bound() == 0.0;
        assert!(numerics("safe").iter().all(keeps));
        let lowers = |n: &Numerics| matches!(n, Numerics::LowersPrecision { .. });
        assert!(!numerics("quality").iter().any(lowers));
        assert!(numerics("fast").iter().any(lowers));
        let auto = find("auto").unwrap().spec().unwrap();
        assert!(auto.passes.iter().any(|p| p.name() == "auto_precision"));
    }
}
