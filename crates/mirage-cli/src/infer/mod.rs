//! `mirage infer`.

mod repeats;
mod report;

use std::path::PathBuf;

use clap::Args;
use mirage_ir::TensorData;
use mirage_lab::{
    Job,
    infer::{by_definition, check, not_finite, on_backend, picture_shape},
    tensors,
};
use mirage_model::Size;
use mirage_pass::{Manager, Registry};
use mirage_stream::{Named, Ranges, SamplerConfig, capture_forward};

use self::{repeats::Repeats, report::InferJson};
use crate::{
    args::{BackendArgs, FrameArgs, ModelArgs, PassArgs, Request, SizeArg, lowering},
    error::{CliError, Ending, Result},
    file::AtomicFile,
    files::Files,
    output::Stream,
};

const EXAMPLES: &str = "\
Examples:
  mirage infer --inputs in.safetensors --output out.safetensors
  mirage infer --inputs in.safetensors --output fp16.safetensors --passes fp16,sdpa
  mirage infer --inputs in.safetensors --output exact.safetensors --reference
  mirage infer --inputs in.safetensors --output out.safetensors --repeat 50 --json

The inputs of lsd-* are sample, frame and previous (f32 [B,3,H,W], pictures in [-1, 1]), timestep
(i64 [B]) and its state (mirage models show NAME), those of stress-* are input, previous and
timestep; outputs are `output` and the new state.";

/// Run one forward pass of a model on tensors from a file
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InferArgs {
    /// Read the input tensors from this file
    #[arg(long, value_name = "FILE.safetensors")]
    inputs: PathBuf,
    /// Write the output tensors to this file. Written atomically
    #[arg(long, value_name = "FILE.safetensors")]
    output: PathBuf,
    /// Batch size [default: that of the picture input]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Size of the pictures [default: that of the picture input]
    #[arg(long, value_name = "WxH")]
    size: Option<SizeArg>,
    /// Evaluate the graph with the reference interpreter in f64 instead of the backend; slow
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
    /// The files that are read and written.
    pub(crate) fn files(&self) -> Files {
        Files::default()
            .reads("--inputs", Some(&self.inputs))
            .and(self.model.files())
            .and(self.passes.files())
            .writes("--output", Some(&self.output))
    }

    pub(crate) fn run(&self) -> Result<()> {
        let registry = Registry::linked().failure()?;
        let frame = FrameArgs {
            size: self.size,
            steps: SamplerConfig::default().steps,
        };
        let passes = Some(&self.passes);
        let job = Request::new(&self.model, &frame, passes, &self.backend).resolve(&registry)?;

        let given = tensors::read(&self.inputs).failure()?;
        let file = AtomicFile::create_binary(&self.output)?;
        let model = job.model()?;
        let (batch, size) = self.shape(&given, model.picture_input(), job.size);
        let specs = model
            .input_specs(batch, size.height, size.width)
            .failure()?;
        let inputs = check(given, &specs).map_err(|faults| {
            let path = self.inputs.display();
            CliError::failure(format!("{path}: {}", faults.join("; ")))
        })?;
        let captured = capture_forward(&model, batch, size).failure()?;
        let trained = model.is_trained();
        let notes = model.weight_notes().to_vec();
        drop(model);

        let mut forward = if self.reference {
            let (graph, _) = Manager::new()
                .run(&job.plan, &captured.graph, &job.capabilities())
                .failure()?;
            by_definition(&graph, &captured.params, &inputs)?
        } else {
            let prepared = job.prepare(&captured, &mut Manager::new())?;
            // The executable holds its own copy of the weights.
            drop(captured);
            on_backend(prepared, job.backend, &inputs)?
        };
        forward.notes.splice(0..0, notes);
        if let Some(found) = not_finite(&forward.outputs).failure()? {
            return Err(self.refused(&found, &job, &inputs, (batch, size)));
        }
        let model = &job.config.name;
        file.finish(&tensors::write(&forward.outputs, model).failure()?)?;
        let again = match &mut forward.again {
            Some(again) => self.repeats.run(|| Ok(again.run()?))?,
            None => Vec::new(),
        };
        let file = self.output.display().to_string();
        let result = InferJson::new(model, trained, &forward, &again, file)?;
        match self.json {
            true => Stream::Stdout.emit_json(&result),
            false => Stream::Stdout.emit(&result.text(&forward)),
        }
    }

    /// Returns the error of outputs that are not finite; `found` has their counts.
    fn refused(
        &self,
        found: &str,
        job: &Job,
        inputs: &[Named],
        (batch, size): (usize, Size),
    ) -> CliError {
        let ranges = || -> Result<Option<Ranges>> {
            let model = job.model()?;
            let captured = capture_forward(&model, batch, size).failure()?;
            drop(model);
            Ok(Ranges::find(&captured, inputs)?)
        };
        let why = match not_finite(inputs) {
            Ok(Some(given)) => format!("the input is not finite either: {given}"),
            _ => match ranges() {
                Ok(Some(ranges)) => ranges.explain(&lowering(&job.asked)),
                Ok(None) => "the model is too large to find the layer".to_owned(),
                Err(e) => format!("the layer was not found: {e}"),
            },
        };
        CliError::failure(format!(
            "the result is not finite: {found}; {why}; nothing was written to {}",
            self.output.display()
        ))
    }

    /// Returns batch and size: as requested, otherwise those of the picture among the inputs.
    fn shape(&self, given: &[(String, TensorData)], picture: &str, default: Size) -> (usize, Size) {
        let (batch, size) = picture_shape(given, picture).unwrap_or((1, default));
        let batch = self.batch.map_or(batch, |n| n as usize);
        (batch, self.size.map_or(size, |s| s.0))
    }
}
