//! The passes to measure, and sets of them.

use mirage_bench::{
    ledger::PassId,
    plan::{MAX_PASSES, OwnSet, PassSet, Plan as RowPlan, PlanOptions, plan},
};
use mirage_pass::{PassSpec, PipelineSpec, Plan, Registry};

use crate::{LabError, Result, ids::pass_id};

/// The passes of a ledger, and named sets of them.
pub struct Sets {
    registry: Registry,
    /// The requested passes in the planner's order, then those that only own sets have.
    passes: Vec<PassSpec>,
    /// The number of requested passes.
    asked: usize,
    /// One per pass.
    ids: Vec<PassId>,
    own: Vec<OwnSet>,
}

impl Sets {
    /// Creates the sets of the requested passes.
    ///
    /// # Errors
    /// If the passes cannot be combined.
    pub fn new(registry: Registry, asked: PipelineSpec) -> Result<Self> {
        let mut sets = Sets {
            registry,
            passes: Vec::new(),
            asked: 0,
            ids: Vec::new(),
            own: Vec::new(),
        };
        let chosen = mirage_pass::plan(&sets.registry, &asked)?;
        let mut asked = asked.passes;
        asked.sort_by_key(|spec| {
            chosen
                .steps
                .iter()
                .position(|s| s.info().name == name(spec))
        });
        for spec in asked {
            sets.place(spec, &chosen);
        }
        sets.asked = sets.passes.len();
        Ok(sets)
    }

    /// Adds a set with a label.
    ///
    /// # Errors
    /// If a row already has this label, if the passes cannot be combined, or if there are too many passes.
    pub fn add(&mut self, label: &str, spec: PipelineSpec) -> Result<()> {
        if self.own.iter().any(|o| o.label == label) || ["none", "all"].contains(&label) {
            return Err(LabError::Request(format!(
                "a row `{label}` already exists; use another label"
            )));
        }
        let chosen = mirage_pass::plan(&self.registry, &spec)?;
        let places: Vec<usize> = spec
            .passes
            .into_iter()
            .map(|spec| self.place(spec, &chosen))
            .collect();
        if self.passes.len() > MAX_PASSES {
            return Err(LabError::Request(format!(
                "too many different passes: at most {MAX_PASSES} in all rows"
            )));
        }
        self.own.push(OwnSet {
            label: label.to_owned(),
            passes: PassSet::of(&places),
        });
        Ok(())
    }

    /// Returns whether there is nothing to measure except no passes.
    pub fn is_empty(&self) -> bool {
        self.asked == 0 && self.own.is_empty()
    }

    /// Returns the passes in the order of the sets' indices.
    pub fn ids(&self) -> &[PassId] {
        &self.ids
    }

    /// Returns the index of a pass with these options, and adds it if it is new.
    fn place(&mut self, spec: PassSpec, chosen: &Plan) -> usize {
        let text = spec.to_string();
        if let Some(known) = self.ids.iter().position(|id| id.spec == text) {
            return known;
        }
        let mut id = pass_id(&spec, chosen);
        // The same pass with other options is another pass, named with its options.
        if self.ids.iter().any(|known| known.name == id.name) {
            id.name = text;
        }
        self.ids.push(id);
        self.passes.push(spec);
        self.passes.len() - 1
    }

    /// Returns the rows and their sets.
    ///
    /// # Errors
    /// If there are too many passes, or if Shapley shares cannot be computed.
    pub fn rows(&self, shapley: bool, control: bool, planted: Vec<f64>) -> Result<RowPlan> {
        let options = PlanOptions {
            shapley,
            control,
            planted,
            own: self.own.clone(),
        };
        let legal = |set: &[usize]| self.plan(set).map(|_| ());
        let rows =
            plan(self.asked, options, legal).map_err(|e| LabError::Request(e.to_string()))?;
        match &rows.shapley {
            Some(Err(why)) => Err(LabError::Request(format!("--shapley: {why}"))),
            _ => Ok(rows),
        }
    }

    /// Returns the plan of a set.
    ///
    /// # Errors
    /// If the set is illegal; its row shows the message.
    pub fn plan(&self, set: &[usize]) -> std::result::Result<Plan, String> {
        let mut spec = PipelineSpec::empty();
        spec.passes = set.iter().map(|&i| self.passes[i].clone()).collect();
        mirage_pass::plan(&self.registry, &spec).map_err(|e| e.to_string())
    }
}

/// Returns the registered name of a pass.
fn name(spec: &PassSpec) -> String {
    spec.name().replace('-', "_")
}
