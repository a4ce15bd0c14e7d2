//! The machine, its graphics cards, and the libraries that are here.

use mirage_machine::{Graphics, Library, Load, Machine, Rates, libraries};
use serde::Serialize;

/// What is here.
#[derive(Serialize)]
pub struct Hardware {
    /// Where it ran.
    pub machine: Machine,
    /// Graphics cards and their driver.
    pub graphics: Graphics,
    /// Libraries that backends look for.
    pub libraries: Vec<Library>,
    /// What keeps the machine busy.
    pub load: Load,
    /// What arithmetic and memory reach, if it was measured.
    pub rates: Option<Rates>,
    /// What keeps the machine busy or slow, in words.
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

    /// Adds what a reader should know.
    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }
}
