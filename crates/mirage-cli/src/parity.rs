//! `mirage parity`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mirage_backend::{Backend, backends};
use mirage_bench::render::{self, Column, Table};
use mirage_lab::parity::{Case, Precision, Reference, Row, Set, compare};
use mirage_model::{ModelConfig, ModelError, Size, presets};
use mirage_pass::Registry;
use serde::Serialize;

use crate::{
    args::{SizeArg, usable},
    error::{CliError, Ending, Result},
    file::AtomicFile,
    files::Files,
    output::{Stream, json},
    progress::Progress,
    table::ruled,
};

const EXAMPLES: &str = "\
Examples:
  mirage parity                                            every available backend, the main sets
  mirage parity --model lsd-light,stress --reference cpu   larger models, against cpu in f32
  mirage parity --backend cuda --passes sdpa,fuse --dtypes fp16 --save parity.json

Runs one forward pass of each model on seeded inputs and compares it with the reference
interpreter in f64. The error bound is the backend's tolerance in f32 or the loosest numerics
class among the passes. Exit code 1 if an error exceeds its bound.";

/// The sets that are compared by default: from no passes to all that are compatible.
const MAIN_SETS: [&str; 4] = [
    "",
    "sdpa,fuse",
    "fold_batch_norm,sdpa,channels_last,pad_channels,fuse",
    "fold_batch_norm,sdpa,channels_last,pad_channels,fuse,graph_capture",
];
/// The name of the reference interpreter.
const DEFINITION: &str = "definition";

/// Check that backends compute what the graph defines, for sets of passes and dtypes
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ParityArgs {
    /// Backends to check [default: all with a device on this machine]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    backend: Vec<String>,
    /// Models to check: built-in ones or configuration files
    #[arg(
        long,
        value_name = "NAMES|FILES",
        value_delimiter = ',',
        default_value = "lsd-tiny"
    )]
    model: Vec<String>,
    /// Set of passes to check, `none` for no passes; repeatable [default: the main sets]
    #[arg(long, value_name = "PASSES")]
    passes: Vec<String>,
    /// Dtypes to check each set in; fp16 and bf16 add the pass of that name
    #[arg(long, value_enum, value_name = "DTYPES", value_delimiter = ',', default_values_t = PrecisionArg::ALL)]
    dtypes: Vec<PrecisionArg>,
    /// What to compare with: `definition` (reference interpreter in f64, slow) or a backend in f32 without
    /// passes
    #[arg(long, value_name = "NAME", default_value = DEFINITION)]
    reference: String,
    /// Size of the pictures [default: each model's]
    #[arg(long, value_name = "WxH")]
    size: Option<SizeArg>,
    /// Seed of untrained weights and inputs
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Write the results as JSON
    #[arg(long, value_name = "FILE.json")]
    save: Option<PathBuf>,
    /// Print the table as markdown
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The dtype of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PrecisionArg {
    F32,
    Fp16,
    Bf16,
}

impl PrecisionArg {
    const ALL: [PrecisionArg; 3] = [PrecisionArg::F32, PrecisionArg::Fp16, PrecisionArg::Bf16];

    fn precision(self) -> Precision {
        match self {
            PrecisionArg::F32 => Precision::F32,
            PrecisionArg::Fp16 => Precision::Fp16,
            PrecisionArg::Bf16 => Precision::Bf16,
        }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    mirage: &'static str,
    reference: &'a str,
    seed: u64,
    devices: Vec<String>,
    rows: &'a [Row],
}

impl ParityArgs {
    /// The files that are read and written.
    pub(crate) fn files(&self) -> Files {
        let is_file = |name: &&String| presets().iter().all(|preset| preset.name != **name);
        let models = self.model.iter().filter(is_file);
        models
            .fold(Files::default(), |files, name| {
                files.reads("--model", Some(name))
            })
            .writes("--save", self.save.as_ref())
    }

    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        let registry = Registry::linked().failure()?;
        let (backends, sets) = (self.backends()?, self.sets(&registry)?);
        let configs: Vec<ModelConfig> = self
            .model
            .iter()
            .map(|name| config(name))
            .collect::<Result<_>>()?;
        let sizes: Vec<Size> = configs
            .iter()
            .map(|c| self.size.map_or(c.size, |s| s.0))
            .collect();
        for (config, size) in configs.iter().zip(&sizes) {
            config.validate_size(*size).usage()?;
        }
        let reference = match self.reference.as_str() {
            DEFINITION => Reference::Definition,
            name => Reference::Backend(
                usable(name).map_err(|e| CliError::usage(format!("--reference: {e}")))?,
            ),
        };
        let file = self.save.as_deref().map(AtomicFile::create).transpose()?;
        let progress = Progress::new(quiet_log && !self.json);
        let mut rows = Vec::new();
        for (config, &size) in configs.iter().zip(&sizes) {
            let stage = progress.stage(format!("computing the reference of {}", config.name));
            let case = Case::new(config, size, self.seed, &reference, &registry)?;
            drop(stage);
            let stage = progress.stage(format!("comparing {}", config.name));
            for backend in &backends {
                rows.extend(sets.iter().map(|set| compare(&case, *backend, set)));
            }
            drop(stage);
        }
        let device = |b: &&'static dyn Backend| {
            let first = b.devices().ok().and_then(|d| d.into_iter().next());
            first.map_or(String::new(), |d| {
                format!("{}: {}, {}", b.info().name, d.name, d.details)
            })
        };
        let report = Report {
            mirage: env!("CARGO_PKG_VERSION"),
            reference: &self.reference,
            seed: self.seed,
            devices: backends.iter().map(device).collect(),
            rows: &rows,
        };
        if let Some(file) = file {
            file.finish(json(&report)?.as_bytes())?;
        }
        self.tell(&report)?;
        match rows.iter().filter(|r| !r.within).count() {
            0 => Ok(()),
            n => Err(CliError::failure(format!(
                "the error of {n} of {} comparisons exceeds its bound",
                rows.len()
            ))),
        }
    }

    fn backends(&self) -> Result<Vec<&'static dyn Backend>> {
        if self.backend.is_empty() {
            let here = |b: &&'static dyn Backend| b.devices().is_ok_and(|d| !d.is_empty());
            return Ok(backends().into_iter().filter(here).collect());
        }
        self.backend.iter().map(|name| usable(name)).collect()
    }

    fn sets(&self, registry: &Registry) -> Result<Vec<Set>> {
        let given = || self.passes.iter().map(String::as_str);
        let asked: Vec<&str> = match self.passes.is_empty() {
            true => MAIN_SETS.to_vec(),
            false => given().map(|s| if s == "none" { "" } else { s }).collect(),
        };
        let mut sets = Vec::new();
        for passes in asked {
            for dtype in &self.dtypes {
                sets.push(Set::new(registry, passes, dtype.precision())?);
            }
        }
        Ok(sets)
    }

    fn tell(&self, report: &Report<'_>) -> Result<()> {
        if self.json {
            return Stream::Stdout.emit_json(report);
        }
        let table = table(report.rows);
        let mut out = match self.markdown {
            true => render::markdown(&table),
            false => ruled(Stream::Stdout, &table),
        };
        let mut notes: Vec<&str> = Vec::new();
        for row in report.rows {
            for note in row.notes.iter().chain(&row.error) {
                if !notes.contains(&note.as_str()) {
                    notes.push(note);
                }
            }
        }
        out.extend(notes.iter().map(|note| format!("\nnote: {note}\n")));
        Stream::Stdout.emit(&out)
    }
}

fn config(name: &str) -> Result<ModelConfig> {
    ModelConfig::load(name).map_err(|e| match e {
        ModelError::UnknownModel { .. } => CliError::usage(e.to_string()),
        _ => CliError::failure(e.to_string()),
    })
}

fn table(rows: &[Row]) -> Table {
    let column = |key, title, numeric| Column {
        key,
        title,
        numeric,
    };
    let number = |x: Option<f64>| x.map_or(String::new(), |x| format!("{x:.2e}"));
    let cells = |row: &Row| {
        vec![
            format!("{} {}x{}", row.model, row.size[0], row.size[1]),
            row.backend.to_owned(),
            match row.passes.as_str() {
                "" => "none".to_owned(),
                set => set.to_owned(),
            },
            row.dtype.to_owned(),
            number(row.max_abs),
            number(row.max_rel),
            number(row.rel_l2),
            number(Some(row.bound)),
            match (&row.error, row.within) {
                (Some(_), _) => "failed".to_owned(),
                (None, true) => "within".to_owned(),
                (None, false) => "exceeded".to_owned(),
            },
        ]
    };
    Table {
        columns: vec![
            column("model", "model", false),
            column("backend", "backend", false),
            column("passes", "passes", false),
            column("dtype", "dtype", false),
            column("max_abs", "max abs. error", true),
            column("max_rel", "rel. to max element", true),
            column("rel_l2", "rel. L2 error", true),
            column("bound", "error bound", true),
            column("verdict", "verdict", false),
        ],
        rows: rows.iter().map(cells).collect(),
    }
}
