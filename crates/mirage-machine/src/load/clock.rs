//! Clock speed and thermal throttling of processors.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::sys;

const CPUS: &str = "/sys/devices/system/cpu";

/// The clock of the processors, MHz.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Clock {
    /// The clock of the fastest processor now. Idle ones are slow by design, so only the fastest matters.
    pub fastest_mhz: f64,
    /// The maximum of the hardware.
    pub highest_mhz: f64,
}

impl Clock {
    /// Returns the current clock; `None` if the system does not report it, as in most virtual machines.
    pub(crate) fn read() -> Option<Self> {
        Self::of(Path::new(CPUS))
    }

    fn of(cpus: &Path) -> Option<Self> {
        let highest = |name: &str| {
            let khz = folders(cpus).filter_map(|cpu| sys::number::<f64>(&cpu.join(name)));
            khz.reduce(f64::max).map(|khz| khz / 1e3)
        };
        Some(Clock {
            fastest_mhz: highest("cpufreq/scaling_cur_freq")?,
            highest_mhz: highest("cpufreq/cpuinfo_max_freq")?,
        })
    }
}

/// Returns how often processors were throttled since the system started; `None` if it is not counted.
pub(super) fn throttles() -> Option<u64> {
    throttles_of(Path::new(CPUS))
}

fn throttles_of(cpus: &Path) -> Option<u64> {
    let name = "thermal_throttle/core_throttle_count";
    let counts = folders(cpus).filter_map(|cpu| sys::number::<u64>(&cpu.join(name)));
    counts.reduce(|a, b| a + b)
}

/// Returns the folder of each processor.
fn folders(cpus: &Path) -> impl Iterator<Item = PathBuf> {
    let online = sys::text(&cpus.join("present"));
    let last = online.and_then(|list| list.rsplit(['-', ',']).next()?.parse::<usize>().ok());
    let cpus = cpus.to_owned();
    (0..=last.unwrap_or(0)).map(move |i| cpus.join(format!("cpu{i}")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_fastest_clock_and_all_throttles_count() {
        let cpus = tempfile::tempdir().expect("a temporary folder");
        fs::write(cpus.path().join("present"), "0-1\n").expect("a file");
        for (i, now, throttled) in [(0, "800000", "2"), (1, "3500000", "5")] {
            let cpu = cpus.path().join(format!("cpu{i}"));
            for (folder, name, text) in [
                ("cpufreq", "scaling_cur_freq", now),
                ("cpufreq", "cpuinfo_max_freq", "4000000"),
                ("thermal_throttle", "core_throttle_count", throttled),
            ] {
                fs::create_dir_all(cpu.join(folder)).expect("a folder");
                fs::write(cpu.join(folder).join(name), text).expect("a file");
            }
        }
        let expected = Clock {
            fastest_mhz: 3500.0,
            highest_mhz: 4000.0,
        };
        assert_eq!(Clock::of(cpus.path()), Some(expected));
        assert_eq!(throttles_of(cpus.path()), Some(7));
    }

    #[test]
    fn a_machine_that_does_not_tell_is_not_guessed() {
        let empty = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(Clock::of(empty.path()), None);
        assert_eq!(throttles_of(empty.path()), None);
    }
}
