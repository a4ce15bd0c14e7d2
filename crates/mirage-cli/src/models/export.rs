//! `mirage models export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mirage_model::{WeightLayout, named_parameters, parameter_count};
use serde::Serialize;

use crate::{
    args::ModelArgs,
    error::{CliError, Ending, Result},
    file::WholeFile,
    output::Stream,
    units,
};

#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// The file for the weights, in f32; there only when it is whole
    #[arg(long, value_name = "FILE.safetensors")]
    output: PathBuf,
    /// Whose names and layout the tensors have: PyTorch's linear layers have their outputs first, its
    /// norms weight and bias; burn's have their inputs first, and gamma and beta. --weights takes either
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

/// What was written.
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
        if self.output.exists() && !self.output.is_file() {
            return Err(CliError::failure(format!(
                "{name}: it is no file; weights are written beside a file's place and moved there when whole"
            )));
        }
        // A folder that cannot be written is found out before weights are drawn or read.
        drop(WholeFile::create(&self.output)?);
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
