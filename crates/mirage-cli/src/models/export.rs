//! `mirage models export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mirage_model::{AnyModel, WeightLayout, named_parameters, parameter_count};
use serde::Serialize;

use crate::{
    args::ModelArgs,
    error::{CliError, Ending, Result},
    file::AtomicFile,
    files::Files,
    output::{Stream, emit_file},
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
    /// The files that are read and written.
    pub(super) fn files(&self) -> Files {
        self.model.files().writes("--output", Some(&self.output))
    }

    pub(super) fn run(&self) -> Result<()> {
        let config = self.model.config()?;
        let name = self.output.display().to_string();
        if name != "-" && self.output.exists() && !self.output.is_file() {
            return Err(CliError::failure(format!(
                "cannot create {name}: it is not a regular file; give --output the name of a new or existing file"
            )));
        }
        // Fails before weights are initialised or read if the folder cannot be written.
        let is_stdout = AtomicFile::create_binary(&self.output)?.is_stdout();
        let model = self.model.build(&config)?;
        let layout = match self.layout {
            Layout::Pytorch => WeightLayout::PyTorch,
            Layout::Burn => WeightLayout::Burn,
        };
        let size = match is_stdout {
            true => to_stdout(&model, layout)?,
            false => {
                model.save_weights(&self.output, layout).failure()?;
                std::fs::metadata(&self.output).failure()?.len()
            }
        };
        self.tell(&ExportJson {
            model: config.name.clone(),
            trained: model.is_trained(),
            layout: self.layout,
            tensors: named_parameters(&model).len(),
            parameters: parameter_count(&model),
            bytes: size,
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

/// Writes the weights to standard output, through a temporary file, and returns their size in bytes.
fn to_stdout(model: &AnyModel, layout: WeightLayout) -> Result<u64> {
    let folder = tempfile::tempdir().failure()?;
    let path = folder.path().join("weights.safetensors");
    model.save_weights(&path, layout).failure()?;
    emit_file(&path)
}
