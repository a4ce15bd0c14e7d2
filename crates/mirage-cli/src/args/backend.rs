//! Which backend.

use clap::Args;
use mirage_backend::{Backend, CompileOptions, backends, find};

use crate::error::{CliError, Ending, Result};

/// Which backend.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Backend")]
pub(crate) struct BackendArgs {
    /// What runs the graph (see `mirage backends`)
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    pub(crate) backend: String,
    /// The number of the backend's device
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) device: usize,
}

impl BackendArgs {
    /// The backend, if it has the device.
    pub(crate) fn resolve(&self) -> Result<&'static dyn Backend> {
        let name = &self.backend;
        let backend = usable(name)?;
        let devices = backend.devices().failure()?;
        if !devices.iter().any(|d| d.index == self.device) {
            let known: Vec<String> = devices.iter().map(|d| d.index.to_string()).collect();
            return Err(CliError::usage(format!(
                "backend `{name}` has no device {}: there is {}",
                self.device,
                known.join(", ")
            )));
        }
        Ok(backend)
    }

    /// How to compile.
    pub(crate) fn options(&self) -> CompileOptions {
        CompileOptions {
            device: self.device,
        }
    }
}

/// Backends of this repository that are not in every program, and how to get one.
const ELSEWHERE: [(&str, &str); 2] = [
    (
        "cuda",
        "build it in (--features cuda) or apart, as a plugin, and name that (--plugin \
         target/cuda/release/libmirage_backend_cuda.so); docs/backends.md has the commands",
    ),
    (
        "tch",
        "make libtorch (scripts/setup-libtorch.sh), set what that prints, build it (cargo build --release \
         --manifest-path plugins/backend-tch/Cargo.toml --features export --target-dir target/tch) and name it \
         (--plugin target/tch/release/libmirage_backend_tch.so); see docs/backends.md",
    ),
];

/// The backend of this name, if it has a device.
pub(crate) fn usable(name: &str) -> Result<&'static dyn Backend> {
    let backend = find(name).ok_or_else(|| CliError::usage(unknown(name)))?;
    match backend.devices().failure()?.is_empty() {
        false => Ok(backend),
        true => Err(CliError::usage(format!(
            "backend `{name}` finds no device here: use another one (mirage backends)"
        ))),
    }
}

fn unknown(name: &str) -> String {
    if let Some((_, how)) = ELSEWHERE.iter().find(|(known, _)| *known == name) {
        return format!("backend `{name}` is not in this program, and no plugin brings it: {how}");
    }
    let advice = mirage_suggest::advice(name, backends().iter().map(|b| b.info().name));
    format!(
        "unknown backend `{name}`: {advice}; a plugin's backend needs --plugin FILE (mirage plugins list)"
    )
}
