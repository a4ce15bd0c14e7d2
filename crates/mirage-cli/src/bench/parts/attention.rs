//! `mirage bench attention`.

use std::time::Duration;

use clap::Args;
use mirage_bench::{
    measure::{Clock, MonotonicClock},
    stats::Verdict,
};
use mirage_ir::DType;
use mirage_lab::sweep::{
    Outcome, Setting,
    attention::{AttentionOptions, AttentionReport, AttentionRow, FORMAT, SCHEMA, grid, sweep},
};
use mirage_machine::Watch;

use super::{flow, ladder::Ladder, left, outputs::OutputArgs, warnings};
use crate::{
    args::{BackendArgs, time},
    bench::columns,
    error::{CliError, Result},
    files::Files,
    interrupt::stop_on_interrupt,
    progress::Progress,
    units,
};

const EXAMPLES: &str = "\
Examples:
  mirage bench attention --lengths 64..4096 --head-dims 32,64
  mirage bench attention --dtype f32 --heads 8 --time 5m --save attention.json
  mirage bench attention --memory 4000 --markdown

Measures self-attention of one picture: the fused operation, alternating with softmax(q·kᵀ/√d)·v
as one node per step. Shapes are measured from the smallest to the largest. A shape that would not
fit into memory (by an estimate) or into the remaining time is not measured, and its row says so.
docs/expert/measuring-parts.md has the method and the fields.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AttentionArgs {
    /// Sequence lengths; A..B doubles from A to B
    #[arg(long, value_name = "SIZES", default_value = "64..16384")]
    lengths: Ladder,
    /// Head dimensions
    #[arg(
        long,
        value_name = "SIZES",
        default_value = "4,8,16,32,40,64,80,128,160"
    )]
    head_dims: Ladder,
    /// Number of heads
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    heads: u16,
    /// Dtypes
    #[arg(long, value_name = "DTYPES", value_delimiter = ',', default_value = "f32,f16,bf16", value_parser = float)]
    dtype: Vec<DType>,
    /// Time budget for all shapes
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = time)]
    time: Duration,
    /// Memory limit in megabytes [default: 90 % of the free memory]
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    memory: Option<u64>,
    /// Seed of the inputs and the order
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    backend: BackendArgs,
}

/// Parses a floating-point dtype.
fn float(text: &str) -> std::result::Result<DType, String> {
    match text.trim().parse::<DType>() {
        Ok(dtype) if dtype.is_float() => Ok(dtype),
        _ => Err("expected f32, f16, bf16 or f64".to_owned()),
    }
}

impl AttentionArgs {
    /// The files that are read and written.
    pub(super) fn files(&self) -> Files {
        self.output.files()
    }

    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        let backend = self.backend.resolve()?;
        let mut dtypes: Vec<DType> = Vec::new();
        for &dtype in &self.dtype {
            if !dtypes.contains(&dtype) {
                dtypes.push(dtype);
            }
        }
        let heads = usize::from(self.heads);
        let shapes = grid(&self.lengths.0, &self.head_dims.0, heads, &dtypes);
        let outputs = self.output.begin()?;
        let progress = Progress::new(quiet_log);
        let stage = progress.timed(format!("measuring {} shapes", shapes.len()), self.time);
        let stop = stop_on_interrupt()?;
        let options = AttentionOptions {
            backend,
            compile: self.backend.options(),
            budget: self.time,
            memory: self.memory.map(|mb| mb * 1_000_000),
            seed: self.seed,
        };
        let mut stopped = false;
        let (clock, machine) = (MonotonicClock::default(), Watch::start());
        let rows = sweep(&shapes, &options, &clock, &mut |at| {
            let time = left(self.time.saturating_sub(at.elapsed));
            stage.at(at.elapsed, format!("{} of {}, {time}", at.done, at.of));
            let flow = flow(&stop);
            stopped |= flow.is_break();
            flow
        });
        drop(stage);
        let mut setting = Setting::of(backend, self.backend.device, self.seed, self.time);
        setting.elapsed_s = clock.now().as_secs_f64();
        setting.stopped = stopped;
        setting.warnings = machine.finish().warnings();
        let report = AttentionReport {
            format: FORMAT.to_owned(),
            schema: SCHEMA,
            setting,
            rows,
        };
        outputs.tell(&report, &report.table(), text(&report))?;
        ending(&report)
    }
}

fn text(report: &AttentionReport) -> String {
    let keys: &[&str] = &[
        "dtype",
        "head_dim",
        "length",
        "op_ms",
        "naive_ms",
        "speed_up",
        "op_gflops",
        "op_peak_mb",
        "naive_peak_mb",
        "relative_l2",
        "not_measured",
    ];
    let table = report.table().without_empty_columns();
    let count = |verdict: Verdict| {
        let is = |r: &&AttentionRow| r.speed_up.as_ref().and_then(|s| s.verdict) == Some(verdict);
        report.rows.iter().filter(is).count()
    };
    let heads = report.rows.first().map_or(0, |r| r.shape.heads) as u64;
    format!(
        "attention with {}, on {} ({})\n\n{}\nthe fused operation is faster than separate ones for {} of {}, slower for {}, the same for {}, undecided for {}\n{}",
        units::plural(heads, "head"),
        report.setting.backend.name,
        report.setting.machine.device,
        columns(&table, keys),
        count(Verdict::Faster),
        units::plural(report.rows.len() as u64, "shape"),
        count(Verdict::Slower),
        count(Verdict::Same),
        count(Verdict::Undecided),
        warnings(&report.setting),
    )
}

/// Returns an error if a shape failed or nothing was measured.
fn ending(report: &AttentionReport) -> Result<()> {
    let outcomes = || {
        report
            .rows
            .iter()
            .flat_map(|r| [&r.op.outcome, &r.naive.outcome])
    };
    let nothing = outcomes().all(|o| *o != Outcome::Measured);
    if nothing && report.setting.stopped {
        return Err(super::interrupted());
    }
    if let Some(Outcome::Failed(why)) = outcomes().find(|o| matches!(o, Outcome::Failed(_))) {
        return Err(CliError::failure(format!("a shape failed: {why}")));
    }
    match nothing {
        true => Err(CliError::failure(
            "nothing was measured; see the reason in each row, and use a longer --time or smaller sizes".to_owned(),
        )),
        false => Ok(()),
    }
}
