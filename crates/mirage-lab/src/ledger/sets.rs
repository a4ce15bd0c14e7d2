//! Which passes there are to measure with, and the sets of them.

use mirage_bench::{
    ledger::PassId,
    plan::{MAX_PASSES, OwnSet, PassSet, Plan as RowPlan, PlanOptions, plan},
};
use mirage_pass::{PassSpec, PipelineSpec, Plan, Registry};

use crate::{LabError, Result, ids::pass_id};

/// The passes of a ledger, and sets of them that have names of their own.
pub struct Sets {
    registry: Registry,
    /// Those that were asked for, in the order in which the planner runs them, then those that only
    /// own sets have.
    passes: Vec<PassSpec>,
    /// How many were asked for.
    asked: usize,
    /// One a pass.
    ids: Vec<PassId>,
    own: Vec<OwnSet>,
}

impl Sets {
    /// The passes that were asked for.
    ///
    /// # Errors
    /// They do not go together.
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

    /// Adds a set with a label of its own.
    ///
    /// # Errors
    /// A label that a row has already; passes that do not go together; too many passes in all.
    pub fn add(&mut self, label: &str, spec: PipelineSpec) -> Result<()> {
        if self.own.iter().any(|o| o.label == label) || ["none", "all"].contains(&label) {
            return Err(LabError::Request(format!(
                "there is a row `{label}` already: give another label"
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
                "more than {MAX_PASSES} different passes in all"
            )));
        }
        self.own.push(OwnSet {
            label: label.to_owned(),
            passes: PassSet::of(&places),
        });
        Ok(())
    }

    /// Whether there is nothing to measure but a frame without passes.
    pub fn is_empty(&self) -> bool {
        self.asked == 0 && self.own.is_empty()
    }

    /// The passes as ledgers name them, in the order of a set's indices.
    pub fn ids(&self) -> &[PassId] {
        &self.ids
    }

    /// The place of a pass with these options, which is added if it is new.
    fn place(&mut self, spec: PassSpec, chosen: &Plan) -> usize {
        let text = spec.to_string();
        if let Some(known) = self.ids.iter().position(|id| id.spec == text) {
            return known;
        }
        let mut id = pass_id(&spec, chosen);
        // The same pass with other options is another pass, under a name that tells.
        if self.ids.iter().any(|known| known.name == id.name) {
            id.name = text;
        }
        self.ids.push(id);
        self.passes.push(spec);
        self.passes.len() - 1
    }

    /// The rows and the sets behind them.
    ///
    /// # Errors
    /// More passes than there can be rows for; shares that were asked for and cannot be given.
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

    /// The plan of a set of the passes.
    ///
    /// # Errors
    /// The planner's, in words: a set that is not legal is a row that says so.
    pub fn plan(&self, set: &[usize]) -> std::result::Result<Plan, String> {
        let mut spec = PipelineSpec::empty();
        spec.passes = set.iter().map(|&i| self.passes[i].clone()).collect();
        mirage_pass::plan(&self.registry, &spec).map_err(|e| e.to_string())
    }
}

/// The pass's name as it is registered.
fn name(spec: &PassSpec) -> String {
    spec.name().replace('-', "_")
}
