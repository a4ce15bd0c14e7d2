//! Plans: the steps of a pipeline, as data.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{Options, Pass, PassInfo, PassSpec, PipelineSpec};

/// One run of a pass.
#[derive(Clone)]
pub struct PlannedPass {
    /// The pass.
    pub pass: &'static dyn Pass,
    /// Its options.
    pub options: Options,
    /// Whether the planner added the step without a request.
    pub automatic: bool,
}

impl PlannedPass {
    /// Returns a requested step.
    pub fn new(pass: &'static dyn Pass, options: Options) -> Self {
        PlannedPass {
            pass,
            options,
            automatic: false,
        }
    }

    /// Returns the pass's metadata.
    pub fn info(&self) -> &'static PassInfo {
        self.pass.info()
    }

    /// Returns the step as in a pipeline, with the options that differ from their defaults.
    pub fn spec(&self) -> PassSpec {
        let spec = PassSpec::new(self.info().name);
        self.options.changed().fold(spec, |spec, (name, value)| {
            spec.with(name, value.to_string())
        })
    }
}

impl fmt::Debug for PlannedPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}",
            self.spec(),
            if self.automatic { " (automatic)" } else { "" }
        )
    }
}

impl PartialEq for PlannedPass {
    /// Passes are compared by name and version.
    fn eq(&self, other: &Self) -> bool {
        let key = |s: &PlannedPass| (s.info().name, s.info().version, s.automatic);
        key(self) == key(other) && self.options == other.options
    }
}

impl Serialize for PlannedPass {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut step = s.serialize_struct("PlannedPass", 5)?;
        step.serialize_field("name", self.info().name)?;
        step.serialize_field("version", &self.info().version)?;
        step.serialize_field("phase", &self.info().phase)?;
        step.serialize_field("automatic", &self.automatic)?;
        step.serialize_field("options", &self.options)?;
        step.end()
    }
}

/// The steps that a pipeline runs, in order. Created by [`plan`](crate::plan).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    /// Returns the steps.
    pub steps: Vec<PlannedPass>,
}

impl Plan {
    /// Returns a plan of one pass without automatic steps, for testing a pass alone.
    pub fn single(pass: &'static dyn Pass, options: Options) -> Self {
        Plan {
            steps: vec![PlannedPass::new(pass, options)],
        }
    }

    /// Returns all steps as a pipeline. Planned by [`plan_in_order`](crate::plan_in_order), it gives the same
    /// steps, none of them automatic.
    pub fn spec(&self) -> PipelineSpec {
        self.steps.iter().map(PlannedPass::spec).collect()
    }
}

impl fmt::Display for Plan {
    /// Writes a line for each step: its number, the pass with its options, its phase, and `automatic` if the
    /// planner added it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.steps.iter().map(|s| s.spec().to_string()).collect();
        let width = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
        for (i, (step, name)) in self.steps.iter().zip(&names).enumerate() {
            let info = step.info();
            let when = if info.is_cleanup() && info.always {
                "cleanup"
            } else {
                info.phase.name()
            };
            let number = i + 1;
            if step.automatic {
                writeln!(f, "{number:>2}  {name:<width$}  {when:<9}  automatic")?;
            } else {
                writeln!(f, "{number:>2}  {name:<width$}  {when}")?;
            }
        }
        Ok(())
    }
}
