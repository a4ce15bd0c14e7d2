//! Measures how much each pass changes numerical results.

use mirage_ir::{
    Graph, Params,
    cost::graph_cost,
    interp::{self, Difference, Tensor},
};

use super::{Change, Instrument, StepView, sample::Sample};
use crate::{Fault, Numerics, PassRun, Plan};

/// Runs the f64 interpreter on the graph before and after each pass with the same seeded random inputs,
/// and reports the difference of the results.
///
/// Opt-in, for small graphs: a graph with more operations than the limit, or that the interpreter cannot
/// run, is not compared, and a remark says so. The difference is that of the *graphs*, computed in f64
/// with rounding at casts; it does not include the error of a backend's kernels.
#[derive(Debug)]
pub struct NumericsDiff {
    seed: u64,
    max_flops: u64,
    params: Option<Params>,
    sample: Option<Sample>,
    /// The results of the current graph, or why there are none.
    current: Result<Vec<Tensor>, String>,
    effects: Vec<NumericEffect>,
}

/// The difference that one pass made.
#[derive(Clone, Debug, PartialEq)]
pub struct NumericEffect {
    /// The step's position in the plan, from 0.
    pub step: usize,
    /// The pass.
    pub pass: &'static str,
    /// The largest difference over all outputs and new state contents.
    pub difference: Difference,
    /// Whether the difference is within the pass's numerics class.
    pub kept: bool,
}

impl NumericsDiff {
    /// The default of [`Self::max_flops`]: some seconds for each pass.
    pub const MAX_FLOPS: u64 = 200_000_000;

    /// Returns an instrument with random inputs and parameters of this seed.
    pub fn new(seed: u64) -> Self {
        NumericsDiff {
            seed,
            max_flops: Self::MAX_FLOPS,
            params: None,
            sample: None,
            current: Err("no pipeline was run".to_owned()),
            effects: Vec::new(),
        }
    }

    /// Uses these parameters where the graph has them, instead of random ones.
    #[must_use]
    pub fn params(mut self, params: Params) -> Self {
        self.params = Some(params);
        self
    }

    /// Sets the limit of floating-point operations of a graph that is run.
    #[must_use]
    pub fn max_flops(mut self, max_flops: u64) -> Self {
        self.max_flops = max_flops;
        self
    }

    /// Returns the differences of the last pipeline, without passes that could not be compared.
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
            .ok_or("no random inputs can be generated for this graph")?;
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

/// Returns the largest difference between two lists of results.
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
