//! Other busy processes.

use std::{collections::HashMap, fmt, fs};

use serde::Serialize;

use super::counters::ticks;
use crate::sys;

/// Maximum number of reported processes.
const NAMED: usize = 3;
/// Minimum number of processors that a reported process used.
const BUSY: f64 = 0.05;

/// A busy process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BusyProcess {
    /// Its name, possibly of several processes.
    pub name: String,
    /// Number of processors that it used: 1 is one processor all the time.
    pub processors: f64,
}

impl fmt::Display for BusyProcess {
    /// Writes `rustc 98 %`, where 100 % is one processor.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.0} %", self.name, 100.0 * self.processors)
    }
}

/// The name and the ticks of each other process, by process id.
#[derive(Debug, Default)]
pub(super) struct Processes(HashMap<u32, (String, u64)>);

impl Processes {
    /// Reads the current processes; empty if the system does not report them (Linux does).
    pub(super) fn read() -> Self {
        let own = std::process::id();
        let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
        let process = |folder: fs::DirEntry| {
            let number: u32 = folder.file_name().to_str()?.parse().ok()?;
            let stat = sys::text(&folder.path().join("stat"))?;
            (number != own).then(|| Some((number, taken(&stat)?)))?
        };
        Processes(folders.filter_map(process).collect())
    }

    /// Returns those that used the most time since, in processors, given the ticks of one processor in that
    /// time.
    pub(super) fn busiest(&self, now: &Self, ticks_a_processor: f64) -> Vec<BusyProcess> {
        let mut sums: HashMap<&str, u64> = HashMap::new();
        for (number, (name, ticks)) in &now.0 {
            if let Some((_, before)) = self.0.get(number) {
                *sums.entry(name).or_default() += ticks.saturating_sub(*before);
            }
        }
        let process = |(name, ticks): (&str, u64)| BusyProcess {
            name: name.to_owned(),
            processors: ticks as f64 / ticks_a_processor.max(1.0),
        };
        let mut busy: Vec<BusyProcess> = sums.into_iter().map(process).collect();
        busy.retain(|process| process.processors >= BUSY);
        busy.sort_by(|a, b| {
            let by_time = b.processors.total_cmp(&a.processors);
            by_time.then_with(|| a.name.cmp(&b.name))
        });
        busy.truncate(NAMED);
        busy
    }
}

/// Parses a process's name and its own ticks.
fn taken(stat: &str) -> Option<(String, u64)> {
    let name = stat.split_once('(')?.1.rsplit_once(')')?.0;
    let [user, system, ..] = ticks(stat)?;
    Some((name.to_owned(), user + system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_are_told_by_name_and_share() {
        let at = |all: &[(u32, &str, u64)]| {
            let process =
                |&(number, name, ticks): &(u32, &str, u64)| (number, (name.to_owned(), ticks));
            Processes(all.iter().map(process).collect())
        };
        let before = at(&[
            (1, "a", 100),
            (2, "rustc", 0),
            (3, "rustc", 50),
            (4, "idle", 7),
        ]);
        let now = at(&[
            (1, "a", 110),
            (2, "rustc", 60),
            (3, "rustc", 90),
            (4, "idle", 7),
            (5, "new", 99),
        ]);
        let busy = before.busiest(&now, 100.0);
        let words: Vec<String> = busy.iter().map(BusyProcess::to_string).collect();
        assert_eq!(words, ["rustc 100 %", "a 10 %"]);
    }

    #[test]
    fn a_stat_gives_name_and_ticks() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 99 0 0 0 20 3 2 1 20 0 1 0";
        assert_eq!(taken(stat), Some(("a) b".to_owned(), 23)));
        assert_eq!(taken("7"), None);
    }
}
