//! What each pass does to the numbers.

use mirage_ir::{
    Graph, Params,
    cost::graph_cost,
    interp::{self, Difference, Tensor},
};

use super::{Change, Instrument, StepView, sample::Sample};
use crate::{Fault, Numerics, PassRun, Plan};

/// Runs the f64 interpreter on the graph before and after each pass, on the same seeded random
/// inputs, and reports how far the results are apart.
///
/// Opt-in, for small graphs: one of more operations than the limit is left out, as is one that the
/// interpreter cannot run, and a remark on each pass says so. What it shows is what the *graph*
/// computes, in f64 with roundings at its casts; what kernels add is not in it.
#[derive(Debug)]
pub struct NumericsDiff {
    seed: u64,
    max_flops: u64,
    params: Option<Params>,
    sample: Option<Sample>,
    /// The results of the graph as it is now, or why there are none.
    current: Result<Vec<Tensor>, String>,
    effects: Vec<NumericEffect>,
}

/// What one pass did to the numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct NumericEffect {
    /// The step's position in the plan, from 0.
    pub step: usize,
    /// The pass.
    pub pass: &'static str,
    /// How far the results after it are from those before it, the largest of all outputs and new
    /// contents of states.
    pub difference: Difference,
    /// Whether that is within what the pass promises.
    pub kept: bool,
}

impl NumericsDiff {
    /// The operations of the largest graph that is run, unless [`Self::max_flops`] says otherwise:
    /// some seconds a pass.
    pub const MAX_FLOPS: u64 = 200_000_000;

    /// With random inputs of this seed, and made-up parameters.
    pub fn new(seed: u64) -> Self {
        NumericsDiff {
            seed,
            max_flops: Self::MAX_FLOPS,
            params: None,
            sample: None,
            current: Err("no pipeline has begun".to_owned()),
            effects: Vec::new(),
        }
    }

    /// The same with these parameters where they are the graph's.
    #[must_use]
    pub fn params(mut self, params: Params) -> Self {
        self.params = Some(params);
        self
    }

    /// The same with another limit of floating-point operations for the graphs that are run.
    #[must_use]
    pub fn max_flops(mut self, max_flops: u64) -> Self {
        self.max_flops = max_flops;
        self
    }

    /// What the passes of the last pipeline did; those that could not be compared are not here.
    pub fn effects(&self) -> &[NumericEffect] {
        &self.effects
    }

    fn evaluate(&self, graph: &Graph) -> Result<Vec<Tensor>, String> {
        let flops = graph_cost(graph).flops;
        if flops > self.max_flops {
            let limit = self.max_flops;
            return Err(format!(
                "the graph has {flops} operations, more than the limit of {limit}"
            ));
        }
        let sample = self
            .sample
            .as_ref()
            .ok_or("the graph's inputs cannot be made up")?;
        let run = interp::run(graph, &sample.params, &sample.inputs, &sample.states);
        let run = run.map_err(|e| e.to_string())?;
        Ok(run.outputs.into_iter().chain(run.states).collect())
    }
}

impl Instrument for NumericsDiff {
    fn name(&self) -> &'static str {
        "numerics"
    }

    fn begin(&mut self, _plan: &Plan, graph: &Graph) -> Result<(), Fault> {
        self.effects.clear();
        self.sample = None;
        self.current = match Sample::new(graph, self.params.as_ref(), self.seed) {
            Ok(sample) => {
                self.sample = Some(sample);
                self.evaluate(graph)
            }
            Err(e) => Err(e.to_string()),
        };
        Ok(())
    }

    fn after(
        &mut self,
        step: StepView<'_>,
        change: Change<'_>,
        run: &mut PassRun,
    ) -> Result<(), Fault> {
        if !change.outcome.is_changed() {
            return Ok(());
        }
        let after = self.evaluate(change.after);
        let before = std::mem::replace(&mut self.current, after);
        match (&before, &self.current) {
            (Ok(before), Ok(after)) => match difference(after, before) {
                Ok(difference) => {
                    let info = step.step.info();
                    let kept = match info.numerics.interpreter_bound() {
                        0.0 => after.iter().zip(before).all(|(a, b)| a.same_bits(b)),
                        bound => difference.max_rel <= bound,
                    };
                    run.remark(self.name(), describe(info.numerics, difference, kept));
                    let (step, pass) = (step.index, info.name);
                    self.effects.push(NumericEffect {
                        step,
                        pass,
                        difference,
                        kept,
                    });
                }
                Err(e) => run.remark(self.name(), format!("not compared: {e}")),
            },
            (Err(e), _) | (_, Err(e)) => run.remark(self.name(), format!("not compared: {e}")),
        }
        Ok(())
    }
}

/// The largest difference of two lists of results.
fn difference(candidates: &[Tensor], references: &[Tensor]) -> Result<Difference, String> {
    if candidates.len() != references.len() {
        return Err(format!(
            "{} results, before {}",
            candidates.len(),
            references.len()
        ));
    }
    candidates
        .iter()
        .zip(references)
        .try_fold(Difference::default(), |worst, (c, r)| {
            Ok(worst.max(Difference::between(c, r).map_err(|e| e.to_string())?))
        })
}

fn describe(numerics: Numerics, difference: Difference, kept: bool) -> String {
    let Difference {
        max_abs,
        max_rel,
        rel_l2,
    } = difference;
    let verdict = if kept { "within" } else { "BEYOND" };
    format!("max {max_abs:.2e}, relative {max_rel:.2e}, L2 {rel_l2:.2e}: {verdict} `{numerics}`")
}
