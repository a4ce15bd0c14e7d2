//! Which other processes are busy.

use std::{collections::HashMap, fmt};

use serde::Serialize;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// How many are named.
const NAMED: usize = 3;
/// Processors' worth below which a process is not worth a name.
const BUSY: f64 = 0.05;

/// A process that kept processors busy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BusyProcess {
    /// Its name, or that of several processes of one name.
    pub name: String,
    /// How many processors' worth of time it took: 1 is one of them all the while.
    pub processors: f64,
}

impl fmt::Display for BusyProcess {
    /// `rustc 98 %`, where 100 % is one processor.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.0} %", self.name, 100.0 * self.processors)
    }
}

/// The time that each process has taken so far, ms.
#[derive(Debug)]
pub(super) struct Processes(HashMap<Pid, u64>);

impl Processes {
    pub(super) fn read() -> Self {
        let system = system();
        let time =
            |(pid, process): (&Pid, &sysinfo::Process)| (*pid, process.accumulated_cpu_time());
        Processes(system.processes().iter().map(time).collect())
    }

    /// Those that took the most since, over so many seconds, without this one.
    pub(super) fn busiest(&self, seconds: f64) -> Vec<BusyProcess> {
        let own = sysinfo::get_current_pid().ok();
        let mut taken: HashMap<String, f64> = HashMap::new();
        for (pid, process) in system().processes() {
            let Some(before) = self.0.get(pid).filter(|_| Some(*pid) != own) else {
                continue;
            };
            let ms = process.accumulated_cpu_time().saturating_sub(*before);
            let name = process.name().to_string_lossy().into_owned();
            *taken.entry(name).or_default() += ms as f64 / 1e3 / seconds.max(1e-3);
        }
        let mut busy: Vec<BusyProcess> = taken
            .into_iter()
            .filter(|(_, processors)| *processors >= BUSY)
            .map(|(name, processors)| BusyProcess { name, processors })
            .collect();
        busy.sort_by(|a, b| {
            b.processors
                .total_cmp(&a.processors)
                .then(a.name.cmp(&b.name))
        });
        busy.truncate(NAMED);
        busy
    }
}

fn system() -> System {
    let mut system = System::new();
    let times = ProcessRefreshKind::nothing().with_cpu().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, times);
    system
}
