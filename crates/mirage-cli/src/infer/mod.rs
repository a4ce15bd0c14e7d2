//! `mirage infer`.

mod forward;
mod repeats;
mod report;

use std::path::PathBuf;

use clap::Args;
use mirage_ir::TensorData;
use mirage_model::{Size, TensorSpec};
use mirage_pass::{Manager, Registry};
use mirage_stream::{capture_forward, prepare};

use self::{
    forward::{by_definition, on_backend},
    repeats::Repeats,
    report::InferJson,
};
use crate::{
    args::{BackendArgs, ModelArgs, PassArgs, SizeArg},
    error::{CliError, Ending, Result},
    file::WholeFile,
    output::Stream,
    tensors,
};

const EXAMPLES: &str = "\
Examples:
  mirage infer --inputs in.safetensors --output out.safetensors
  mirage infer --inputs in.safetensors --output fp16.safetensors --passes fp16,sdpa
  mirage infer --inputs in.safetensors --output exact.safetensors --reference
  mirage infer --inputs in.safetensors --output out.safetensors --repeat 50 --json

The inputs of lsd-* are sample, frame and previous (f32 [B,3,H,W], pictures in [-1, 1]), timestep
(i64 [B]) and its state (mirage models show NAME), those of stress-* are input, previous and timestep;
outputs are `output` and the new state.";

/// Run one forward pass of a model on tensors from a file
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InferArgs {
    /// The input tensors
    #[arg(long, value_name = "FILE.safetensors")]
    inputs: PathBuf,
    /// The file for the output tensors; there only when it is whole
    #[arg(long, value_name = "FILE.safetensors")]
    output: PathBuf,
    /// Pictures in a batch; by default what the input with the picture has
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Size of the pictures; by default what the input with the picture has
    #[arg(long, value_name = "WxH")]
    size: Option<SizeArg>,
    /// Compute the graph by its definition in f64 instead of on the backend: slow, for comparisons
    #[arg(long, conflicts_with_all = ["repeat", "lockstep"])]
    reference: bool,
    #[command(flatten)]
    repeats: Repeats,
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

impl InferArgs {
    pub(crate) fn run(&self) -> Result<()> {
        let config = self.model.config()?;
        if let Some(SizeArg(size)) = self.size {
            config.validate_size(size).usage()?;
        }
        let plan = self.passes.plan(&Registry::linked().failure()?)?;
        let backend = self.backend.resolve()?;

        let given = tensors::read(&self.inputs)?;
        let file = WholeFile::create(&self.output)?;
        let model = self.model.build(&config)?;
        let (batch, size) = self.shape(&given, model.picture_input(), config.size)?;
        let specs = model
            .input_specs(batch, size.height, size.width)
            .failure()?;
        let inputs = self.check(given, &specs)?;
        let captured = capture_forward(&model, batch, size).failure()?;
        let trained = model.is_trained();
        drop(model);

        let mut forward = if self.reference {
            let capabilities = backend.capabilities(self.backend.device);
            let (graph, _) = Manager::new()
                .run(&plan, &captured.graph, &capabilities)
                .failure()?;
            by_definition(&graph, &captured.params, &inputs)?
        } else {
            let prepared = prepare(
                &captured,
                &plan,
                &mut Manager::new(),
                backend,
                &self.backend.options(),
            )
            .failure()?;
            // The executable has the weights in its own form.
            drop(captured);
            on_backend(prepared, backend, &inputs)?
        };
        file.finish(&tensors::write(&forward.outputs, &config.name)?)?;
        let again = match &mut forward.again {
            Some(again) => self.repeats.run(|| again.run())?,
            None => Vec::new(),
        };
        let file = self.output.display().to_string();
        let result = InferJson::new(&config.name, trained, &forward, &again, file)?;
        match self.json {
            true => Stream::Stdout.emit_json(&result),
            false => Stream::Stdout.emit(&result.text(&forward)),
        }
    }

    /// Batch and size: as asked for, else as the model's picture among the inputs has them.
    fn shape(
        &self,
        given: &[(String, TensorData)],
        picture: &str,
        default: Size,
    ) -> Result<(usize, Size)> {
        let shape = given
            .iter()
            .find(|(name, _)| name == picture)
            .map(|(_, data)| &data.shape[..]);
        let (batch, size) = match shape {
            Some(&[batch, _, height, width]) => (batch, Size { width, height }),
            _ => (1, default),
        };
        let batch = self.batch.map_or(batch, |n| n as usize);
        Ok((batch, self.size.map_or(size, |s| s.0)))
    }

    /// The inputs in the sequence of the specs. The error lists everything that does not fit.
    fn check(
        &self,
        mut given: Vec<(String, TensorData)>,
        specs: &[TensorSpec],
    ) -> Result<Vec<(String, TensorData)>> {
        let mut inputs = Vec::with_capacity(specs.len());
        let mut faults = Vec::new();
        let names: Vec<String> = given.iter().map(|(name, _)| name.clone()).collect();
        for spec in specs {
            let takes = format!("{}{:?}", dtype(spec), spec.shape);
            match given.iter().position(|(name, _)| *name == spec.name) {
                None => faults.push(format!("`{}` ({takes}) is missing", spec.name)),
                Some(at) => {
                    let (name, data) = given.swap_remove(at);
                    if data.shape != spec.shape || data.dtype.name() != dtype(spec) {
                        faults.push(format!(
                            "`{name}` is {}{:?}, the model takes {takes}",
                            data.dtype, data.shape
                        ));
                    }
                    inputs.push((name, data));
                }
            }
        }
        for (name, _) in &given {
            let free = specs
                .iter()
                .map(|s| s.name.as_str())
                .filter(|s| !names.iter().any(|n| n == s));
            let hint = match mirage_pass::nearest(name, free) {
                Some(near) => format!(": did you mean `{near}`?"),
                None => String::new(),
            };
            faults.push(format!("`{name}` is no input of the model{hint}"));
        }
        match &faults[..] {
            [] => Ok(inputs),
            _ => Err(CliError::Failure(format!(
                "{}: {}",
                self.inputs.display(),
                faults.join("; ")
            ))),
        }
    }
}

fn dtype(spec: &TensorSpec) -> String {
    format!("{:?}", spec.dtype).to_lowercase()
}
