//! `mirage profile`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mirage_pass::{Manager, Registry};
use mirage_stream::{
    By, Noise, NoisePolicy, Profile, ProfileRow, SamplerConfig, Session, Trajectory, UNCOVERED,
    capture_frame, prepare, profile,
};
use mirage_video::{Filter, Frame, Resizer, SourceOptions, open_source};
use serde::Serialize;
use serde_json::json;

use crate::{
    args::{BackendArgs, ModelArgs, PassArgs, SizeArg},
    error::{CliError, Ending, Result, of_video},
    file::WholeFile,
    output::{Stream, json},
    progress::Progress,
    table::{Align, Rows, bold, text},
    units,
};

const EXAMPLES: &str = "\
Examples:
  mirage profile --passes sdpa,fuse                  time by operation
  mirage profile --by layer --depth 2 --top 20       time by layer
  mirage profile --trace trace.json                  every node, for ui.perfetto.dev

Every second frame is profiled, the others run plain between them, so that what profiling itself costs
is measured and printed. Times of nodes are medians over the profiled frames.";

/// Where the time of a frame goes: by operation, by layer, or node by node
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProfileArgs {
    /// What nodes are summed up by
    #[arg(long, value_enum, default_value_t = Grouping::Op)]
    by: Grouping,
    /// Parts of the module path that make a layer
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..))]
    depth: u8,
    /// Rows that are printed; JSON has all
    #[arg(long, value_name = "N", default_value_t = 25)]
    top: usize,
    /// The frame's size in the model
    #[arg(long, value_name = "WxH")]
    size: Option<SizeArg>,
    /// Denoising steps a frame
    #[arg(long, value_name = "N", default_value_t = SamplerConfig::default().steps)]
    steps: usize,
    /// Frames, of which every second is profiled
    #[arg(long, value_name = "N", default_value_t = 20)]
    frames: usize,
    /// Frames left out at the start
    #[arg(long, value_name = "N", default_value_t = 4)]
    warmup: usize,
    /// Write the nodes of a frame as a Chrome trace, which ui.perfetto.dev shows
    #[arg(long, value_name = "FILE.json")]
    trace: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    passes: PassArgs,
    #[command(flatten)]
    backend: BackendArgs,
}

/// What nodes are summed up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Grouping {
    /// The operation or the kind of region
    Op,
    /// The first parts of the module path
    Layer,
    /// Nothing: each node alone
    Node,
}

/// A profile as JSON has it.
#[derive(Serialize)]
struct ProfileJson<'a> {
    model: &'a str,
    size: [usize; 2],
    steps: usize,
    backend: &'a str,
    device: &'a str,
    passes: &'a str,
    #[serde(flatten)]
    profile: &'a Profile,
    uncovered_ms: f64,
    rows: &'a [ProfileRow],
}

impl ProfileArgs {
    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        let config = self.model.config()?;
        let size = self.size.map_or(config.size, |s| s.0);
        config.validate_size(size).usage()?;
        let sampler = SamplerConfig {
            steps: self.steps,
            ..SamplerConfig::default()
        };
        let trajectory = Trajectory::plan(&config.schedule, &sampler)
            .map_err(|e| CliError::Usage(format!("--{e}")))?;
        if self.frames < self.warmup + 2 {
            return Err(CliError::Usage(format!(
                "--frames {} leaves fewer than 2 after --warmup {}: one to profile, one to compare with",
                self.frames, self.warmup
            )));
        }
        let plan = self.passes.plan(&Registry::linked().failure()?)?;
        let backend = self.backend.resolve()?;
        let options = self.backend.options();
        let trace = self.trace.as_deref().map(WholeFile::create).transpose()?;
        let progress = Progress::new(quiet_log && !self.json);

        let stage = progress.stage(format!("preparing {}", config.name));
        let model = self.model.build(&config)?;
        let captured = capture_frame(&model, size, &trajectory).failure()?;
        drop(model);
        let prepared =
            prepare(&captured, &plan, &mut Manager::new(), backend, &options).failure()?;
        drop((stage, captured));
        let elements = trajectory.draws() * 3 * size.width * size.height;
        let noise = Noise::new(self.model.seed, NoisePolicy::Fixed, elements);
        let mut session = Session::new(prepared.executable, noise).failure()?;

        let frames = scene(self.frames, session.size(), self.model.seed)?;
        let bar = progress.frames("profiling", Some(frames.len() as u64));
        let found = profile(
            &prepared.graph,
            &mut session,
            &frames,
            self.warmup,
            |done| bar.done(done as u64),
        )
        .failure()?;
        drop(bar);
        if let Some(file) = trace {
            file.finish(json(&chrome_trace(&found))?.as_bytes())?;
        }
        let rows = found.rows(match self.by {
            Grouping::Op => By::Op,
            Grouping::Layer => By::Layer(usize::from(self.depth)),
            Grouping::Node => By::Node,
        });
        let devices = backend.devices().failure()?;
        let device = devices.get(self.backend.device).map_or("", |d| &d.name);
        let asked = self.passes.spec()?.to_string();
        if self.json {
            return Stream::Stdout.emit_json(&ProfileJson {
                model: &config.name,
                size: [size.width, size.height],
                steps: self.steps,
                backend: backend.info().name,
                device,
                passes: &asked,
                uncovered_ms: found.uncovered_ms(),
                profile: &found,
                rows: &rows,
            });
        }
        let steps = units::plural(self.steps as u64, "step");
        let passes = if asked.is_empty() {
            "no passes"
        } else {
            &asked
        };
        Stream::Stdout.emit(&format!(
            "{} at {}x{}, {steps} a frame, {passes}, on {} ({device})\n\n{}",
            config.name,
            size.width,
            size.height,
            backend.info().name,
            self.table(&found, &rows)
        ))
    }

    fn table(&self, found: &Profile, rows: &[ProfileRow]) -> String {
        let head = match self.by {
            Grouping::Op => "operation",
            Grouping::Layer => "layer",
            Grouping::Node => "node",
        };
        let columns = [
            (head, Align::Left),
            ("nodes", Align::Right),
            ("time", Align::Right),
            ("share", Align::Right),
            ("GFLOP/s", Align::Right),
            ("GB/s", Align::Right),
        ];
        let mut table = Rows::new(Stream::Stdout, &columns);
        for row in rows.iter().take(self.top) {
            let covered = row.name != UNCOVERED;
            let cell = |show: bool, value: String| text(if show { value } else { "·".to_owned() });
            table.row([
                bold(&row.name),
                cell(covered, row.nodes.to_string()),
                text(units::milliseconds(row.ms)),
                text(format!("{:.1} %", 100.0 * row.share)),
                cell(row.flops > 0, format!("{:.1}", row.gflops())),
                cell(row.bytes > 0, format!("{:.1}", row.gbytes())),
            ]);
        }
        let more = match rows.len().saturating_sub(self.top) {
            0 => String::new(),
            n => format!("{n} more rows (--top {} shows all)\n", rows.len()),
        };
        format!(
            "{table}{more}\na frame takes {}, profiled {} (medians of {} after a warm-up of {})\n",
            units::milliseconds(found.plain_ms),
            units::milliseconds(found.profiled_ms),
            units::plural(found.frames as u64, "alternating frame"),
            found.warmup,
        )
    }
}

/// The first frames of the built-in scene in the model's size.
pub(crate) fn scene(count: usize, (width, height): (u32, u32), seed: u64) -> Result<Vec<Frame>> {
    let options = SourceOptions {
        frames: Some(count as u64),
        seed,
        ..SourceOptions::default()
    };
    let mut source = open_source("scene", &options).map_err(|e| of_video(&e))?;
    let mut resizer = Resizer::new(Filter::Lanczos3);
    let mut frames = Vec::with_capacity(count);
    while let Some(frame) = source.next_frame().map_err(|e| of_video(&e))? {
        let small = resizer.resize(&frame, width, height);
        frames.push(small.map_err(|e| of_video(&e))?);
    }
    Ok(frames)
}

/// The nodes of a frame one after the other, in the Trace Event Format. Times are microseconds.
fn chrome_trace(profile: &Profile) -> serde_json::Value {
    let mut at = 0.0;
    let events: Vec<serde_json::Value> = profile
        .nodes
        .iter()
        .map(|n| {
            let (start, duration) = (at, n.ms * 1e3);
            at += duration;
            json!({
                "name": n.op, "cat": "node", "ph": "X", "pid": 1, "tid": 1,
                "ts": start, "dur": duration,
                "args": {"node": n.node, "path": n.path, "flops": n.flops, "bytes": n.bytes},
            })
        })
        .collect();
    json!({"displayTimeUnit": "ms", "traceEvents": events})
}
