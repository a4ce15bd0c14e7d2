//! `mirage graph run`.

use std::path::PathBuf;

use clap::Args;
use mirage_ir::{DType, Graph};
use mirage_lab::{
    graph_file::{GraphFile, GraphResult, GraphRun},
    infer::not_finite,
    tensors,
};
use mirage_pass::Registry;
use serde::Serialize;

use crate::{
    args::{BackendArgs, PassArgs},
    error::{CliError, Ending, Result},
    file::AtomicFile,
    files::Files,
    output::Stream,
    table::{Align, Rows, bold, dim, text},
    units,
};

const EXAMPLES: &str = "\
Examples:
  mirage graph dump --stage before --forward --output step.txt
  mirage graph run step.txt --passes sdpa,fuse --repeat 20
  mirage graph run step.txt --passes fp16 --check   check the error against the reference interpreter
  mirage graph run step.txt --inputs in.safetensors --output out.safetensors
  mirage graph run repro/01-fuse.toml                a file of `mirage run --reproducers repro`";

/// Run a graph from a file, with any passes on any backend
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct RunArgs {
    /// A graph in text or wire form, or a reproducer, whose passes are the default
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Read inputs and parameters by name; those that are missing get seeded random elements
    #[arg(long, value_name = "FILE.safetensors")]
    inputs: Option<PathBuf>,
    /// Write the outputs. Written atomically
    #[arg(long, short, value_name = "FILE.safetensors")]
    output: Option<PathBuf>,
    /// Execute N more times and print the median time
    #[arg(long, value_name = "N", default_value_t = 0)]
    repeat: u32,
    /// Compare the outputs with the reference interpreter in f64 on the graph before the passes; exit with 1
    /// if the error exceeds the tolerance of the backend and the passes
    #[arg(long)]
    check: bool,
    /// Seed of random elements
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    passes: PassArgs,
    #[command(flatten)]
    backend: BackendArgs,
}

/// The result of a run, in JSON.
#[derive(Serialize)]
struct RunJson {
    graph: String,
    engine: String,
    passes: Vec<PassJson>,
    nodes: [usize; 2],
    compile_ms: f64,
    first_ms: f64,
    median_ms: Option<f64>,
    check: Option<CheckJson>,
    outputs: Vec<OutputJson>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct PassJson {
    name: &'static str,
    rewrites: usize,
}

#[derive(Serialize)]
struct CheckJson {
    max_abs: f64,
    max_rel: f64,
    rel_l2: f64,
    bound: f64,
    holds: bool,
}

#[derive(Serialize)]
struct OutputJson {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
}

impl RunArgs {
    /// The files that are read and written.
    pub(super) fn files(&self) -> Files {
        Files::default()
            .reads("FILE", Some(&self.file))
            .reads("--inputs", self.inputs.as_ref())
            .and(self.passes.files())
            .writes("--output", self.output.as_ref())
    }

    pub(super) fn run(&self) -> Result<()> {
        let registry = Registry::linked().failure()?;
        let GraphFile { graph, passes } = GraphFile::read(&self.file)?;
        let asked = self.passes.spec()?;
        let asked = passes.filter(|_| asked.is_empty()).unwrap_or(asked);
        let plan = self.passes.plan(&registry, &asked)?;
        let backend = self.backend.resolve()?;
        let given = match &self.inputs {
            Some(path) => tensors::read(path).failure()?,
            None => Vec::new(),
        };
        let file = self
            .output
            .as_deref()
            .map(AtomicFile::create_binary)
            .transpose()?;
        let name = Graph::name(&graph).to_owned();
        let given_not_finite = not_finite(&given).failure()?;
        let run = GraphRun {
            plan: &plan,
            backend,
            device: self.backend.device,
            given,
            seed: self.seed,
            repeat: self.repeat,
            check: self.check,
        };
        let result = run.run(graph)?;
        if let Some(found) = not_finite(&result.forward.outputs).failure()? {
            let why = given_not_finite.map_or(String::new(), |given| {
                format!("; the input is not finite either: {given}")
            });
            return Err(CliError::failure(format!(
                "{}: the result is not finite: {found}{why}; nothing was written",
                self.file.display()
            )));
        }
        if let Some(file) = file {
            let bytes = tensors::write(&result.forward.outputs, &name).failure()?;
            file.finish(&bytes)?;
        }
        let found = RunJson::of(name, &result);
        match self.json {
            true => Stream::Stdout.emit_json(&found)?,
            false => Stream::Stdout.emit(&found.text())?,
        }
        match &found.check {
            Some(check) if !check.holds => Err(CliError::failure(format!(
                "{}: the error of the outputs is {:.1e} of their largest element and exceeds the bound of {:.1e}; \
                 run again with fewer passes to find the cause",
                self.file.display(),
                check.max_rel,
                check.bound
            ))),
            _ => Ok(()),
        }
    }
}

impl RunJson {
    fn of(graph: String, result: &GraphResult) -> Self {
        let (forward, pipeline) = (&result.forward, &result.pipeline);
        let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        RunJson {
            graph,
            engine: forward.engine.clone(),
            passes: pipeline
                .passes
                .iter()
                .map(|p| PassJson {
                    name: p.name,
                    rewrites: p.rewrites,
                })
                .collect(),
            nodes: [pipeline.before.nodes, pipeline.after.nodes],
            compile_ms: ms(forward.compile),
            first_ms: ms(forward.time),
            median_ms: result.median.map(ms),
            check: result.check.as_ref().map(|check| CheckJson {
                max_abs: check.difference.max_abs,
                max_rel: check.difference.max_rel,
                rel_l2: check.difference.rel_l2,
                bound: check.bound,
                holds: check.difference.max_rel <= check.bound,
            }),
            outputs: forward
                .outputs
                .iter()
                .map(|(name, data)| OutputJson {
                    name: name.clone(),
                    dtype: data.dtype,
                    shape: data.shape.clone(),
                })
                .collect(),
            notes: forward.notes.clone(),
        }
    }

    fn text(&self) -> String {
        let columns = [("pass", Align::Left), ("rewrites", Align::Right)];
        let mut passes = Rows::new(Stream::Stdout, &columns);
        for pass in &self.passes {
            match pass.rewrites {
                0 => passes.row([dim(pass.name), dim(0)]),
                n => passes.row([bold(pass.name), text(n)]),
            }
        }
        let columns = [("output", Align::Left), ("type", Align::Left)];
        let mut outputs = Rows::new(Stream::Stdout, &columns);
        for output in &self.outputs {
            let ty = format!("{}{:?}", output.dtype, output.shape);
            outputs.row([bold(&output.name), text(ty)]);
        }
        let [before, after] = self.nodes;
        let again = self.median_ms.map_or(String::new(), |ms| {
            format!(", then {} (median)", units::milliseconds(ms))
        });
        let check = self.check.as_ref().map_or(String::new(), |check| {
            format!(
                "error against the reference interpreter: {:.1e} of the largest element (bound {:.1e}), {:.1e} relative L2\n",
                check.max_rel, check.bound, check.rel_l2
            )
        });
        let notes: String = self.notes.iter().map(|n| format!("note: {n}\n")).collect();
        format!(
            "{passes}\n{outputs}\n{}: {before} → {after} nodes on {}, compiled in {}, ran in {}{again}\n{check}{notes}",
            self.graph,
            self.engine,
            units::milliseconds(self.compile_ms),
            units::milliseconds(self.first_ms),
        )
    }
}
