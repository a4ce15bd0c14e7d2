//! Prints the machine, its graphics cards and its libraries.

use mirage_lab::doctor::Hardware;
use mirage_machine::{CacheKind, Graphics};

use crate::{
    output::Stream,
    table::{Facts, bad, bold},
    units,
};

/// Lists the machine, its cards and its libraries.
pub(super) fn facts(hardware: &Hardware) -> Facts {
    let mut facts = Facts::new(Stream::Stdout);
    processor(hardware, &mut facts);
    cards(&hardware.graphics, &mut facts);
    for library in &hardware.libraries {
        match &library.path {
            Some(path) => facts.fact(library.name, path.display()),
            None => facts.fact(library.name, format!("not found ({})", library.purpose)),
        }
    }
    for warning in &hardware.warnings {
        facts.styled("warning", bad(warning));
    }
    if !hardware.load.is_known() {
        facts.fact(
            "load",
            "load, clock and temperature are unavailable on this platform",
        );
    }
    facts
}

fn processor(hardware: &Hardware, facts: &mut Facts) {
    let machine = &hardware.machine;
    facts.styled("processor", bold(&machine.processor.name));
    let mut cores = units::plural(machine.processors as u64, "processor");
    if let Some(n) = machine.cores {
        cores = format!("{} with {cores}", units::plural(n as u64, "core"));
    }
    let kind = match machine.is_virtual {
        Some(true) => ", virtual machine",
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
    if let Some(clock) = hardware.load.clock {
        let (now, most) = (clock.fastest_mhz, clock.highest_mhz);
        facts.fact("clock", format!("{now:.0} of {most:.0} MHz"));
    }
    if let Some(rates) = hardware.rates {
        facts.fact(
            "measured",
            format!(
                "f32 {:.0} GFLOP/s in registers, copy {:.1} GB/s, read {:.1} GB/s, with {}",
                rates.fma_gflops,
                rates.copy_gbytes,
                rates.read_gbytes,
                units::plural(rates.threads as u64, "thread")
            ),
        );
    }
}

fn cards(graphics: &Graphics, facts: &mut Facts) {
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
            0 => "no device file: a container must be started with access to the card".to_owned(),
            n => units::plural(n as u64, "device file"),
        };
        facts.fact("driver", format!("NVIDIA {version}, {devices}"));
    }
    if let Some(why) = &graphics.nvidia_smi_error {
        facts.styled("nvidia-smi", bad(why));
    }
}

fn known(text: String) -> String {
    match text.is_empty() {
        true => "unavailable on this platform".to_owned(),
        false => text,
    }
}
