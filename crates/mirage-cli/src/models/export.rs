//! `mirage models export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mirage_model::{WeightLayout, named_parameters, parameter_count};
use serde::Serialize;

use crate::{
    args::ModelArgs,
    error::{CliError, Ending, Result},
    file::AtomicFile,
    output::Stream,
    units,
};

#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// Write the weights to this file, in f32. Written atomically
    #[arg(long, value_name = "FILE.safetensors")]
    output: PathBuf,
    /// Names and layout of the tensors. PyTorch: linear layers are [out, in], norms have weight and bias.
    /// Burn: linear layers are [in, out], norms have gamma and beta. --weights loads either
    #[arg(long, value_enum, default_value_t = Layout::Pytorch)]
    layout: Layout,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Layout {
    Pytorch,
    Burn,
}

/// The exported weights, in JSON.
#[derive(Serialize)]
struct ExportJson {
    model: String,
    trained: bool,
    layout: Layout,
    tensors: usize,
    parameters: usize,
    bytes: u64,
    output: String,
}

impl ExportArgs {
    pub(super) fn run(&self) -> Result<()> {
        let config = self.model.config()?;
        let name = self.output.display().to_string();
        self.model
            .files()
            .write("--output", Some(&self.output))
            .check()?;
        if self.output.exists() && !self.output.is_file() {
            return Err(CliError::failure(format!(
                "cannot create {name}: it is not a regular file; give --output the name of a new or existing file"
            )));
        }
        // Fails before weights are initialised or read if the folder cannot be written.
        drop(AtomicFile::create(&self.output)?);
        let model = self.model.build(&config)?;
        let layout = match self.layout {
            Layout::Pytorch => WeightLayout::PyTorch,
            Layout::Burn => WeightLayout::Burn,
        };
        model.save_weights(&self.output, layout).failure()?;
        let size = std::fs::metadata(&self.output);
        self.tell(&ExportJson {
            model: config.name.clone(),
            trained: model.is_trained(),
            layout: self.layout,
            tensors: named_parameters(&model).len(),
            parameters: parameter_count(&model),
            bytes: size.failure()?.len(),
            output: name,
        })
    }

    fn tell(&self, written: &ExportJson) -> Result<()> {
        if self.json {
            return Stream::Stdout.emit_json(written);
        }
        let weights = if written.trained {
            "weights"
        } else {
            "untrained weights"
        };
        Stream::Stdout.emit(&format!(
            "{}: {} {weights} in {} tensors → {} ({})\n",
            written.model,
            units::count(written.parameters as u64),
            written.tensors,
            written.output,
            units::bytes(written.bytes)
        ))
    }
}
