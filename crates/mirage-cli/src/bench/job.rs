//! A resolved command line: what is measured, and which passes there are to do it with.

use mirage_bench::{
    ledger::PassId,
    plan::{MAX_PASSES, OwnSet, PassSet, Plan as RowPlan, PlanOptions, plan},
};
use mirage_model::{ModelConfig, Size};
use mirage_pass::{PassSpec, PipelineSpec, Plan, Registry};
use mirage_stream::Trajectory;

use super::BenchArgs;
use crate::{
    args::ModelArgs,
    error::{CliError, Ending, Result},
};

/// A resolved command line.
pub(super) struct Job {
    pub(super) model: ModelArgs,
    pub(super) config: ModelConfig,
    pub(super) size: Size,
    pub(super) trajectory: Trajectory,
    registry: Registry,
    /// The passes of `--passes` in the order in which the planner runs them, then those that only
    /// the user's own sets have.
    passes: Vec<PassSpec>,
    /// How many are of `--passes`.
    asked: usize,
    /// One a pass.
    pub(super) ids: Vec<PassId>,
    own: Vec<OwnSet>,
}

impl Job {
    pub(super) fn resolve(args: &BenchArgs) -> Result<Self> {
        let (own, overrides): (Vec<String>, Vec<String>) =
            args.model.set.iter().cloned().partition(|s| is_own_set(s));
        let model = ModelArgs {
            set: overrides,
            ..args.model.clone()
        };
        let config = model.config()?;
        let (size, trajectory) = args.frame.resolve(&config)?;
        if args.passes.keeps_order() {
            return Err(CliError::Usage(
                "--keep-order: a ledger puts every set of the passes into a legal order".to_owned(),
            ));
        }
        let mut job = Job {
            model,
            config,
            size,
            trajectory,
            registry: Registry::linked().failure()?,
            passes: Vec::new(),
            asked: 0,
            ids: Vec::new(),
            own: Vec::new(),
        };
        job.ask(args)?;
        for text in &own {
            job.own(text)?;
        }
        if job.asked == 0 && job.own.is_empty() && !args.control && args.plant.is_empty() {
            return Err(CliError::Usage(
                "name the passes to measure: --passes sdpa,fuse (mirage passes list shows all)"
                    .to_owned(),
            ));
        }
        Ok(job)
    }

    /// Takes the passes of `--passes`.
    fn ask(&mut self, args: &BenchArgs) -> Result<()> {
        let mut asked = args.passes.spec()?.passes;
        let chosen = args.passes.plan(&self.registry)?;
        asked.sort_by_key(|spec| {
            chosen
                .steps
                .iter()
                .position(|s| s.info().name == name(spec))
        });
        for spec in asked {
            self.place(spec, &chosen);
        }
        self.asked = self.passes.len();
        Ok(())
    }

    /// Takes a set of the user's own, `LABEL=PASSES`.
    fn own(&mut self, text: &str) -> Result<()> {
        let refuse = |why: String| Err(CliError::Usage(format!("--set {text}: {why}")));
        let (label, passes) = text.split_once('=').unwrap_or((text, ""));
        let label = label.trim();
        if label.is_empty() {
            return refuse("write it as LABEL=PASSES, such as mine=sdpa,fuse".to_owned());
        }
        if self.own.iter().any(|o| o.label == label) || ["none", "all"].contains(&label) {
            return refuse(format!(
                "there is a row `{label}` already: give another label"
            ));
        }
        let spec: PipelineSpec = match passes.parse() {
            Ok(spec) => spec,
            Err(e) => return refuse(format!("{e}")),
        };
        let chosen = match mirage_pass::plan(&self.registry, &spec) {
            Ok(chosen) => chosen,
            Err(e) => return refuse(format!("{e}")),
        };
        let places: Vec<usize> = spec
            .passes
            .into_iter()
            .map(|spec| self.place(spec, &chosen))
            .collect();
        if self.passes.len() > MAX_PASSES {
            return refuse(format!("more than {MAX_PASSES} different passes in all"));
        }
        self.own.push(OwnSet {
            label: label.to_owned(),
            passes: PassSet::of(&places),
        });
        Ok(())
    }

    /// The place of a pass with these options, which is added if it is new.
    fn place(&mut self, spec: PassSpec, chosen: &Plan) -> usize {
        let text = spec.to_string();
        if let Some(known) = self.ids.iter().position(|id| id.spec == text) {
            return known;
        }
        let name = name(&spec);
        let step = chosen.steps.iter().find(|s| s.info().name == name);
        let version = step.map_or(0, |s| s.info().version);
        // The same pass with other options is another pass, under a name that tells.
        let taken = self.ids.iter().any(|id| id.name == name);
        self.ids.push(PassId {
            name: if taken { text.clone() } else { name },
            version,
            spec: text,
        });
        self.passes.push(spec);
        self.passes.len() - 1
    }

    /// The rows and the sets behind them.
    pub(super) fn rows(&self, args: &BenchArgs) -> Result<RowPlan> {
        let options = PlanOptions {
            shapley: args.shapley,
            control: args.control,
            planted: args.plant.clone(),
            own: self.own.clone(),
        };
        let legal = |set: &[usize]| self.plan(set).map(|_| ());
        let rows = plan(self.asked, options, legal).usage()?;
        match &rows.shapley {
            Some(Err(why)) => Err(CliError::Usage(format!("--shapley: {why}"))),
            _ => Ok(rows),
        }
    }

    /// The plan of a set of the passes.
    pub(super) fn plan(&self, set: &[usize]) -> std::result::Result<Plan, String> {
        let mut spec = PipelineSpec::empty();
        spec.passes = set.iter().map(|&i| self.passes[i].clone()).collect();
        mirage_pass::plan(&self.registry, &spec).map_err(|e| e.to_string())
    }
}

/// Whether a `--set` is a set of passes: keys of a model's configuration have a dot.
fn is_own_set(text: &str) -> bool {
    text.split_once('=')
        .is_some_and(|(key, _)| !key.contains('.'))
}

/// The pass's name as it is registered.
fn name(spec: &PassSpec) -> String {
    spec.name().replace('-', "_")
}
