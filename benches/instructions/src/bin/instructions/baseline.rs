//! The stored counts.

use std::{collections::BTreeMap, fs, path::Path};

use serde::{Deserialize, Serialize};

/// Instructions by name.
pub(crate) type Counts = BTreeMap<String, u64>;

/// By how much a count may differ from the stored one. Between runs counts differ by parts of a per
/// cent, from the random seeds of hash tables; between machines by a little more.
pub(crate) const TOLERANCE_PERCENT: f64 = 3.0;

/// The compiler and target of this build.
const TOOLCHAIN: &str = env!("MIRAGE_TOOLCHAIN");

/// Counts and what they hold for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    /// Compiler and target, for another one makes other instructions.
    pub(crate) toolchain: String,
    /// By how much a count may differ.
    pub(crate) tolerance_percent: f64,
    /// The counts.
    pub(crate) counts: Counts,
}

impl Baseline {
    pub(crate) fn of(counts: Counts, tolerance_percent: f64) -> Self {
        Baseline {
            toolchain: TOOLCHAIN.to_owned(),
            tolerance_percent,
            counts,
        }
    }

    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        toml::from_str(&text).map_err(|e| format!("{}: {}", path.display(), e.message()))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        let text = toml::to_string(self).map_err(|e| e.to_string())?;
        let text = format!(
            "# Instructions by case and number of nodes; written by\n\
             # benches/instructions/run refresh\n\n{text}"
        );
        fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Counts of another compiler or target cannot be compared.
    pub(crate) fn check_toolchain(&self) -> Result<(), String> {
        match self.toolchain == TOOLCHAIN {
            true => Ok(()),
            false => Err(format!(
                "the baseline is of {}, this build of {TOOLCHAIN}: counts cannot be compared. After an upgrade of the toolchain: benches/instructions/run refresh, in a commit of its own",
                self.toolchain
            )),
        }
    }
}
