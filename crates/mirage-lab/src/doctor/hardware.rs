//! The machine, its graphics cards and the installed libraries.

use mirage_machine::{Graphics, Library, Load, Machine, Rates, libraries};
use serde::Serialize;

/// The hardware and libraries of this machine.
#[derive(Serialize)]
pub struct Hardware {
    /// The machine.
    pub machine: Machine,
    /// Graphics cards and their driver.
    pub graphics: Graphics,
    /// Libraries that backends look for.
    pub libraries: Vec<Library>,
    /// The load of the machine.
    pub load: Load,
    /// The measured rates of arithmetic and memory.
    pub rates: Option<Rates>,
    /// Warnings about load, clock and temperature.
    pub warnings: Vec<String>,
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

    /// Adds a warning.
    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }
}
