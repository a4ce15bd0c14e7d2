//! `--backend` and `--device`.

use clap::Args;
use mirage_backend::{Backend, CompileOptions, backends, find};

use crate::error::{CliError, Ending, Result};

/// The backend and its device.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Backend")]
pub(crate) struct BackendArgs {
    /// The backend that runs the graph (see `mirage backends`)
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    pub(crate) backend: String,
    /// The index of the backend's device
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = device)]
    pub(crate) device: usize,
}

/// Parses the index of a device.
fn device(text: &str) -> std::result::Result<usize, String> {
    text.parse().map_err(|e: std::num::ParseIntError| {
        let (name, index) = text.split_once(':').unwrap_or((text, "0"));
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
        match is_name {
            false => e.to_string(),
            true => {
                let name = if name == "gpu" { "cuda" } else { name };
                let index = index.parse().unwrap_or(0_usize);
                format!(
                    "a device is the index of one of a backend's devices (mirage backends lists them); write --backend {name} --device {index}"
                )
            }
        }
    })
}

impl BackendArgs {
    /// Returns the backend.
    ///
    /// # Errors
    /// If there is no such backend, or if it has no such device.
    pub(crate) fn resolve(&self) -> Result<&'static dyn Backend> {
        let name = &self.backend;
        let backend = usable(name)?;
        let devices = backend.devices().failure()?;
        if !devices.iter().any(|d| d.index == self.device) {
            let known: Vec<String> = devices.iter().map(|d| d.index.to_string()).collect();
            return Err(CliError::usage(format!(
                "backend `{name}` has no device {}: available: {}",
                self.device,
                known.join(", ")
            )));
        }
        Ok(backend)
    }

    /// Returns the options to compile with.
    pub(crate) fn options(&self) -> CompileOptions {
        CompileOptions {
            device: self.device,
        }
    }
}

/// Backends of this repository that are not built into every program, and how to add them.
const ELSEWHERE: [(&str, &str); 2] = [
    (
        "cuda",
        "build mirage with --features cuda, or build the backend as a plugin and load it with --plugin \
         target/cuda/release/libmirage_backend_cuda.so; docs/expert/graphics-cards.md has the commands",
    ),
    (
        "tch",
        "run scripts/setup-libtorch.sh, set the variables that it prints, build the plugin (cargo build --release \
         --manifest-path plugins/backend-tch/Cargo.toml --features export --target-dir target/tch) and load it with \
         --plugin target/tch/release/libmirage_backend_tch.so; see docs/expert/libtorch.md",
    ),
];

/// Returns the backend of this name.
///
/// # Errors
/// If there is no such backend, or if it has no device on this machine.
pub(crate) fn usable(name: &str) -> Result<&'static dyn Backend> {
    let backend = find(name).ok_or_else(|| CliError::usage(unknown(name)))?;
    match backend.devices().failure()?.is_empty() {
        false => Ok(backend),
        true => Err(CliError::usage(format!(
            "backend `{name}` finds no device on this machine: use another backend (mirage backends lists them)"
        ))),
    }
}

fn unknown(name: &str) -> String {
    if let Some((_, how)) = ELSEWHERE.iter().find(|(known, _)| *known == name) {
        return format!(
            "backend `{name}` is not built into this program, and no loaded plugin provides it: {how}"
        );
    }
    let known = || backends().into_iter().map(|b| b.info().name);
    let advice = match mirage_suggest::nearest(name, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "this program has {}.",
            known()
                .map(|n| format!("`{n}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    format!(
        "unknown backend `{name}`: {advice} Others are plugins, loaded with --plugin FILE: `cuda` for NVIDIA cards (docs/expert/graphics-cards.md), `tch` for libtorch (docs/expert/libtorch.md)"
    )
}
