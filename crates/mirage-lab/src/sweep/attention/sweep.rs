//! Measures attention shape by shape within a time budget.

use std::{collections::HashMap, ops::ControlFlow, time::Duration};

use mirage_backend::{Backend, CompileOptions};
use mirage_bench::{
    measure::{Clock, MeasureError, Series, Subject, measure},
    stats::Resampling,
};
use mirage_ir::{DType, Graph, GraphError, Params};

use super::{AttentionRow, Difference, Shape, Side, SpeedUp};
use crate::sweep::{
    Outcome, Program, Rotation, memory,
    report::{measuring_time, no_time, part},
};

/// How attention is measured.
pub struct AttentionOptions<'a> {
    /// The backend.
    pub backend: &'a dyn Backend,
    /// The options to compile with.
    pub compile: CompileOptions,
    /// The time budget for all shapes.
    pub budget: Duration,
    /// The limit of a program's estimated memory in bytes; `None` for the free memory.
    pub memory: Option<u64>,
    /// The seed of inputs and order.
    pub seed: u64,
}

/// The progress of a sweep, reported before each shape and each of its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The number of shapes done.
    pub done: usize,
    /// The number of all shapes.
    pub of: usize,
    /// The time since the start.
    pub elapsed: Duration,
}

/// Measures the fused and the separate operations in turn, from the smallest shape to the largest. A side
/// that does not fit into memory, or a shape that does not fit into the remaining time, is a row that says
/// so. The rows are in the order of `shapes`; if `watch` stops the sweep, the remaining rows say so.
pub fn sweep(
    shapes: &[Shape],
    options: &AttentionOptions<'_>,
    clock: &dyn Clock,
    watch: &mut dyn FnMut(At) -> ControlFlow<()>,
) -> Vec<AttentionRow> {
    let mut order: Vec<usize> = (0..shapes.len()).collect();
    order.sort_by_key(|&i| shapes[i].flops());
    let mut sweep = Sweep {
        options,
        clock,
        watch,
        start: clock.now(),
        rates: HashMap::new(),
        at: (0, shapes.len()),
        stopped: false,
    };
    let mut rows: Vec<(usize, AttentionRow)> = order
        .into_iter()
        .map(|i| {
            let row = sweep.shape(shapes[i]);
            sweep.at.0 += 1;
            (i, row)
        })
        .collect();
    rows.sort_by_key(|(i, _)| *i);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    Op,
    Naive,
}

struct Sweep<'a, 'o> {
    options: &'a AttentionOptions<'o>,
    clock: &'a dyn Clock,
    watch: &'a mut dyn FnMut(At) -> ControlFlow<()>,
    start: Duration,
    /// Operations per second of the last measured shape, by form and dtype.
    rates: HashMap<(Form, DType), f64>,
    /// The number of shapes done, and of all.
    at: (usize, usize),
    stopped: bool,
}

impl Sweep<'_, '_> {
    fn elapsed(&self) -> Duration {
        self.clock.now().saturating_sub(self.start)
    }

    fn left(&self) -> Duration {
        self.options.budget.saturating_sub(self.elapsed())
    }

    fn shape(&mut self, shape: Shape) -> AttentionRow {
        let row = |op, naive| AttentionRow {
            shape,
            flops: shape.flops(),
            op,
            naive,
            speed_up: None,
            difference: None,
        };
        let (done, of) = self.at;
        let at = At {
            done,
            of,
            elapsed: self.elapsed(),
        };
        self.stopped |= (self.watch)(at).is_break();
        let graphs = [self.fitting(shape.op()), self.fitting(shape.naive())];
        let refused = self.refused(shape);
        let [mut op, mut naive] = graphs.map(|graph| match &refused {
            Some(outcome) => Err(graph.err().unwrap_or_else(|| outcome.clone())),
            None => graph.and_then(|graph| self.program(&graph)),
        });
        let mut programs: Vec<&mut Program> = [&mut op, &mut naive]
            .into_iter()
            .filter_map(|p| p.as_mut().ok())
            .collect();
        let measured = self.measure(shape, &mut programs);
        drop(programs);
        let mut series = match measured {
            Ok(series) => series.into_iter(),
            Err(outcome) => {
                let side = |p: Result<Program, Outcome>| {
                    Side::unmeasured(p.err().unwrap_or_else(|| outcome.clone()))
                };
                return row(side(op), side(naive));
            }
        };
        let mut next = |built: &Result<Program, Outcome>| match built {
            Ok(_) => series.next().unwrap_or_default(),
            Err(_) => Series::default(),
        };
        let (op_series, naive_series) = (next(&op), next(&naive));
        let resampling = self.resampling();
        let mut side = |form, built: &Result<Program, Outcome>, series: &Series| match built {
            Err(outcome) => Side::unmeasured(outcome.clone()),
            Ok(program) => {
                let (repeats, memory) = (program.repeats(), program.memory());
                let side = Side::of(series, repeats, &memory, shape.flops(), &resampling);
                if let Some(rate) = side.gflops {
                    self.rates.insert((form, shape.dtype), rate * 1e9);
                }
                side
            }
        };
        AttentionRow {
            speed_up: SpeedUp::of(&op_series, &naive_series, &resampling),
            ..row(
                side(Form::Op, &op, &op_series),
                side(Form::Naive, &naive, &naive_series),
            )
        }
        .with_difference(&mut op, &mut naive)
    }

    /// Returns why a shape is not measured.
    fn refused(&self, shape: Shape) -> Option<Outcome> {
        if self.stopped {
            return Some(Outcome::Skipped("interrupted".to_owned()));
        }
        let (need, left) = (self.need(shape), self.left());
        (left.is_zero() || need > left).then(|| no_time(need, left))
    }

    /// Estimates the time to measure both forms, from the last shapes.
    fn need(&self, shape: Shape) -> Duration {
        let flops = shape.flops() as f64;
        let run = [Form::Op, Form::Naive].into_iter().filter_map(|form| {
            let rate = self.rates.get(&(form, shape.dtype))?;
            Duration::try_from_secs_f64(flops / rate).ok()
        });
        measuring_time(run.sum())
    }

    /// Returns the graph if it is valid and fits into memory.
    fn fitting(&self, graph: Result<Graph, GraphError>) -> Result<Graph, Outcome> {
        let graph = graph.map_err(|e| Outcome::Failed(e.to_string()))?;
        memory::fits(memory::needed(&graph), self.options.memory).map_err(Outcome::Skipped)?;
        Ok(graph)
    }

    fn program(&self, graph: &Graph) -> Result<Program, Outcome> {
        let (backend, compile) = (self.options.backend, &self.options.compile);
        let (params, inputs) = (Params::new(), Rotation::of(graph, 0, 0));
        Program::new(graph, &params, inputs, self.options.seed, backend, compile)
            .map_err(|e| Outcome::Failed(e.to_string()))
    }

    /// Measures the programs and returns their series in order. The time is an equal share of the remaining
    /// time, or more if the shape needs it.
    fn measure(
        &mut self,
        shape: Shape,
        programs: &mut [&mut Program],
    ) -> Result<Vec<Series>, Outcome> {
        let (done, of) = self.at;
        let left = self.left();
        let share = left / u32::try_from(of - done).unwrap_or(u32::MAX).max(1);
        let budget = share.max(self.need(shape).mul_f64(1.5)).min(left);
        let mut subjects: Vec<&mut dyn Subject> = programs
            .iter_mut()
            .map(|p| *p as &mut dyn Subject)
            .collect();
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let (clock, start, stopped) = (self.clock, self.start, &mut self.stopped);
        let watch = &mut self.watch;
        let measured = measure(
            &mut subjects,
            &part(budget, self.options.seed),
            clock,
            &mut |_| {
                let elapsed = clock.now().saturating_sub(start);
                let flow = watch(At { done, of, elapsed });
                *stopped |= flow.is_break();
                flow
            },
        );
        match measured {
            Ok(measured) => Ok(measured.series),
            Err(MeasureError::NoTime { round, .. }) => Err(no_time(2 * round, budget)),
            Err(MeasureError::Stopped) => Err(Outcome::Skipped("interrupted".to_owned())),
        }
    }

    fn resampling(&self) -> Resampling {
        Resampling {
            seed: self.options.seed,
            ..Resampling::default()
        }
    }
}

impl AttentionRow {
    /// Adds the difference of both results, if both ran.
    fn with_difference(
        mut self,
        op: &mut Result<Program, Outcome>,
        naive: &mut Result<Program, Outcome>,
    ) -> Self {
        if let (Ok(op), Ok(naive), Some(_)) = (op, naive, &self.speed_up) {
            let results = op.results().ok().zip(naive.results().ok());
            self.difference = results.and_then(|(a, b)| Difference::of(a.first()?, b.first()?));
        }
        self
    }
}
