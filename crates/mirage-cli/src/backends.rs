//! `mirage backends`.

use clap::Args;
use mirage_backend::{Backend, backends};
use mirage_ir::{DType, target::Support};
use mirage_plugin::host::{Origin, origin_of_backend};
use serde::Serialize;

use crate::{
    error::Result,
    origin::OriginJson,
    output::Stream,
    table::{Align, Rows, bad, bold, dim, text},
};

const EXAMPLES: &str = "\
Examples:
  mirage backends
  mirage backends --json | jq '.[].devices'";

/// List the available backends and their devices
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BackendsArgs {
    /// Print JSON, including capabilities
    #[arg(long)]
    json: bool,
}

/// A backend, in JSON.
#[derive(Serialize)]
struct BackendJson {
    name: &'static str,
    version: &'static str,
    engine: &'static str,
    summary: &'static str,
    origin: OriginJson,
    devices: Vec<DeviceJson>,
    /// Why devices could not be listed.
    error: Option<String>,
}

#[derive(Serialize)]
struct DeviceJson {
    index: usize,
    name: String,
    details: String,
    fast: Vec<DType>,
    slow: Vec<DType>,
    capabilities: mirage_ir::target::Capabilities,
}

impl BackendsArgs {
    pub(crate) fn run(&self) -> Result<()> {
        let all: Vec<BackendJson> = backends().into_iter().map(describe).collect();
        if self.json {
            return Stream::Stdout.emit_json(&all);
        }
        let columns = [
            ("backend", Align::Left),
            ("device", Align::Right),
            ("description", Align::Left),
            ("dtypes", Align::Left),
        ];
        let mut rows = Rows::new(Stream::Stdout, &columns).keep_whole(0..2);
        for backend in &all {
            let mut about = format!(
                "{}: {} (version {})",
                backend.engine, backend.summary, backend.version
            );
            if let origin @ Origin::Plugin(_) = origin_of_backend(backend.name) {
                about.push_str(&format!(", from {origin}"));
            }
            rows.row([bold(backend.name), text(""), text(about), text("")]);
            for device in &backend.devices {
                let name = format!("{}, {}", device.name, device.details);
                rows.row([
                    text(""),
                    text(device.index),
                    text(name),
                    text(dtypes(device)),
                ]);
            }
            match &backend.error {
                Some(error) => rows.row([text(""), text(""), bad(error), text("")]),
                None if backend.devices.is_empty() => {
                    rows.row([text(""), text(""), dim("no device found"), text("")])
                }
                None => {}
            }
        }
        Stream::Stdout.emit(&rows.to_string())
    }
}

fn describe(backend: &'static dyn Backend) -> BackendJson {
    let info = backend.info();
    let (devices, error) = match backend.devices() {
        Ok(devices) => (devices, None),
        Err(e) => (Vec::new(), Some(e.to_string())),
    };
    let devices = devices.into_iter().map(|device| {
        let capabilities = backend.capabilities(device.index);
        let with = |support| {
            let supports =
                |d: &DType| d.is_float() && capabilities.support("conv", *d) == Some(support);
            DType::ALL.into_iter().filter(supports).collect()
        };
        DeviceJson {
            index: device.index,
            name: device.name,
            details: device.details,
            fast: with(Support::Fast),
            slow: with(Support::Slow),
            capabilities,
        }
    });
    BackendJson {
        name: info.name,
        version: info.version,
        engine: info.engine,
        summary: info.summary,
        origin: origin_of_backend(info.name).into(),
        devices: devices.collect(),
        error,
    }
}

/// Lists the floating-point dtypes of convolutions, and which are slow.
fn dtypes(device: &DeviceJson) -> String {
    let list = |dtypes: &[DType]| {
        dtypes
            .iter()
            .map(|d| d.name())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (&device.fast[..], &device.slow[..]) {
        (fast, []) => list(fast),
        ([], slow) => format!("slow: {}", list(slow)),
        (fast, slow) => format!("{}; slow: {}", list(fast), list(slow)),
    }
}
