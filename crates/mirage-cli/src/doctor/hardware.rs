//! The machine, its graphics cards, and the libraries that are here.

use mirage_bench::machine::{CacheKind, Graphics, Library, Load, Machine, Rates, libraries};
use serde::Serialize;

use crate::{
    output::Stream,
    table::{Facts, bad, bold},
    units,
};

/// What is here.
#[derive(Serialize)]
pub(super) struct Hardware {
    machine: Machine,
    graphics: Graphics,
    libraries: Vec<Library>,
    load: Load,
    /// What arithmetic and memory reach, if it was measured.
    rates: Option<Rates>,
    /// What keeps the machine busy or slow, in words.
    warnings: Vec<String>,
}

impl Hardware {
    pub(super) fn new(load: Load, rates: Option<Rates>) -> Self {
        Hardware {
            machine: Machine::here(),
            graphics: Graphics::here(),
            libraries: libraries(),
            warnings: load.warnings(),
            load,
            rates,
        }
    }

    /// Adds what a reader should know.
    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// For a terminal.
    pub(super) fn facts(&self) -> Facts {
        let mut facts = Facts::new(Stream::Stdout);
        self.processor(&mut facts);
        self.cards(&mut facts);
        for library in &self.libraries {
            match &library.path {
                Some(path) => facts.fact(library.name, path.display()),
                None => facts.fact(library.name, format!("not found ({})", library.purpose)),
            }
        }
        for warning in &self.warnings {
            facts.styled("warning", bad(warning));
        }
        if !self.load.is_known() {
            facts.fact(
                "load",
                "this system does not tell it, nor clock and heat (Linux does)",
            );
        }
        facts
    }

    fn processor(&self, facts: &mut Facts) {
        let machine = &self.machine;
        facts.styled("processor", bold(&machine.processor.name));
        let mut cores = units::plural(machine.processors as u64, "processor");
        if let Some(n) = machine.cores {
            cores = format!("{} with {cores}", units::plural(n as u64, "core"));
        }
        let kind = match machine.is_virtual {
            Some(true) => ", of a virtual machine",
            _ => "",
        };
        facts.fact("cores", format!("{cores}{kind}"));
        facts.fact("features", machine.processor.details());
        let caches = machine.caches.iter().map(|cache| {
            let kind = match cache.kind {
                CacheKind::Data => " data",
                CacheKind::Instruction => " instructions",
                CacheKind::Unified => "",
            };
            format!("L{}{kind} {}", cache.level, units::bytes(cache.bytes))
        });
        let caches: Vec<String> = caches.collect();
        facts.fact("caches", known(caches.join(", ")));
        facts.fact(
            "memory",
            known(machine.memory.map_or_else(String::new, |memory| {
                format!(
                    "{}, {} available",
                    units::bytes(memory.total),
                    units::bytes(memory.available)
                )
            })),
        );
        let system = &machine.system;
        let kernel = system.kernel.as_deref().unwrap_or_default();
        facts.fact(
            "system",
            format!("{} {kernel} {}", system.name, system.architecture),
        );
        if let Some(clock) = self.load.clock {
            let (now, most) = (clock.fastest_mhz, clock.highest_mhz);
            facts.fact("clock", format!("{now:.0} of {most:.0} MHz"));
        }
        if let Some(rates) = self.rates {
            facts.fact(
                "measured",
                format!(
                    "f32 {:.0} GFLOP/s in registers, copy {:.1} GB/s, read {:.1} GB/s, with {}; bf16 products are measured through a backend, below",
                    rates.fma_gflops,
                    rates.copy_gbytes,
                    rates.read_gbytes,
                    units::plural(rates.threads as u64, "thread")
                ),
            );
        }
    }

    fn cards(&self, facts: &mut Facts) {
        let graphics = &self.graphics;
        for card in &graphics.cards {
            let driver = card.driver.as_deref().unwrap_or("no driver");
            let memory = card
                .memory
                .map_or_else(String::new, |m| format!(", {}", units::bytes(m)));
            facts.fact("card", format!("{} ({driver}{memory})", card.name));
        }
        if graphics.cards.is_empty() {
            facts.fact("card", "no graphics card found");
        }
        if let Some(version) = &graphics.nvidia_driver {
            let devices = match graphics.nvidia_devices.len() {
                0 => "no device file: a container must be given them".to_owned(),
                n => units::plural(n as u64, "device file"),
            };
            facts.fact("driver", format!("NVIDIA {version}, {devices}"));
        }
        if let Some(why) = &graphics.nvidia_smi_error {
            facts.styled("nvidia-smi", bad(why));
        }
    }
}

fn known(text: String) -> String {
    match text.is_empty() {
        true => "this system does not tell".to_owned(),
        false => text,
    }
}
