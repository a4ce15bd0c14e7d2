//! Description of the machine.

use std::{collections::BTreeSet, path::Path, thread::available_parallelism};

use serde::Serialize;

use crate::{Cache, Processor, cache, sys};

/// A machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// Its processor.
    pub processor: Processor,
    /// Number of cores, if known.
    pub cores: Option<usize>,
    /// Number of logical processors that this process may use; more than cores with several threads for each.
    pub processors: usize,
    /// Caches of the first processor, nearest first; empty if unknown.
    pub caches: Vec<Cache>,
    /// Memory, if known.
    pub memory: Option<Memory>,
    /// Its operating system.
    pub system: System,
    /// Whether it is a virtual machine, if known.
    pub is_virtual: Option<bool>,
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Total memory, or the limit of the process's control group.
    pub total: u64,
    /// Memory that is available without swapping.
    pub available: u64,
}

/// An operating system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct System {
    /// Its name and version.
    pub name: String,
    /// Its kernel's version, if known.
    pub kernel: Option<String>,
    /// The architecture that this program was built for.
    pub architecture: &'static str,
}

impl Machine {
    /// Describes this machine.
    pub fn here() -> Self {
        let cpuinfo = sys::text(Path::new("/proc/cpuinfo")).unwrap_or_default();
        Machine {
            processor: Processor::here(),
            cores: cores(&cpuinfo),
            processors: available_parallelism().map_or(1, usize::from),
            caches: cache::here(),
            memory: Memory::here(),
            system: System::here(),
            is_virtual: is_virtual(&cpuinfo),
        }
    }
}

impl Memory {
    /// Reads the current memory of this machine; `None` if the system does not report it.
    pub fn here() -> Option<Self> {
        let of_system = memory(&sys::text(Path::new("/proc/meminfo"))?)?;
        let group = Path::new("/sys/fs/cgroup");
        let limit: Option<u64> = sys::number(&group.join("memory.max"));
        // The page cache of the control group is reclaimed before memory runs out.
        let stat = sys::text(&group.join("memory.stat")).unwrap_or_default();
        let taken = sys::number(&group.join("memory.current"))
            .map(|taken: u64| taken.saturating_sub(inactive_files(&stat)));
        Some(match (limit, taken) {
            (Some(limit), Some(taken)) => Memory {
                total: of_system.total.min(limit),
                available: of_system.available.min(limit.saturating_sub(taken)),
            },
            _ => of_system,
        })
    }
}

impl System {
    fn here() -> Self {
        let release = sys::text(Path::new("/etc/os-release"));
        System {
            name: release
                .and_then(|text| system_name(&text))
                .unwrap_or_else(|| std::env::consts::OS.to_owned()),
            kernel: sys::text(Path::new("/proc/sys/kernel/osrelease")),
            architecture: std::env::consts::ARCH,
        }
    }
}

/// Parses `/proc/meminfo`, in which sizes are in KiB.
fn memory(meminfo: &str) -> Option<Memory> {
    let field = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(1024)
    };
    Some(Memory {
        total: field("MemTotal:")?,
        available: field("MemAvailable:")?,
    })
}

/// Parses the bytes of inactive file pages from a control group's `memory.stat`.
fn inactive_files(stat: &str) -> u64 {
    let mut lines = stat.lines();
    let told = lines.find_map(|line| line.strip_prefix("inactive_file ")?.trim().parse().ok());
    told.unwrap_or(0)
}

/// Returns the number of cores of all sockets; `None` if the processors do not state theirs.
fn cores(cpuinfo: &str) -> Option<usize> {
    let field = |processor: &str, name: &str| -> Option<u32> {
        let line = processor.lines().find(|line| line.starts_with(name))?;
        line.split_once(':')?.1.trim().parse().ok()
    };
    let core = |processor: &str| {
        Some((
            field(processor, "physical id")?,
            field(processor, "core id")?,
        ))
    };
    let cores: BTreeSet<_> = cpuinfo.split("\n\n").filter_map(core).collect();
    (!cores.is_empty()).then_some(cores.len())
}

/// Returns the display name of `/etc/os-release`.
fn system_name(release: &str) -> Option<String> {
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches(['"', '\'']).to_owned())
}

/// Reads the flags of x86 processors; other architectures have no such flag.
fn is_virtual(cpuinfo: &str) -> Option<bool> {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"))?;
    Some(flags.split_whitespace().any(|flag| flag == "hypervisor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_machine_says_so_in_its_flags() {
        assert_eq!(
            is_virtual("flags\t\t: fpu sse hypervisor avx\n"),
            Some(true)
        );
        assert_eq!(is_virtual("flags\t\t: fpu sse\n"), Some(false));
        assert_eq!(is_virtual("Features\t: fp asimd\n"), None);
    }

    #[test]
    fn threads_of_one_core_are_one_core() {
        let cpu = |socket, core| format!("physical id\t: {socket}\ncore id\t\t: {core}\n");
        let text = [cpu(0, 0), cpu(0, 1), cpu(0, 0), cpu(1, 0)].join("\n");
        assert_eq!(cores(&text), Some(3));
        assert_eq!(cores("processor\t: 0\n"), None);
    }

    #[test]
    fn memory_and_the_systems_name_are_read() {
        let text = "MemTotal:  2048 kB\nMemFree: 1 kB\nMemAvailable: 1024 kB\n";
        let expected = Memory {
            total: 2 << 20,
            available: 1 << 20,
        };
        assert_eq!(memory(text), Some(expected));
        assert_eq!(memory("MemTotal:  2048 kB\n"), None);
        let name = system_name("ID=x\nPRETTY_NAME=\"Some Linux 12\"\n");
        assert_eq!(name.as_deref(), Some("Some Linux 12"));
    }

    #[test]
    fn files_of_a_group_are_read() {
        let stat = "anon 4096\nfile 12288\ninactive_file 8192\nactive_file 4096\n";
        assert_eq!(inactive_files(stat), 8192);
        assert_eq!(inactive_files("anon 4096\n"), 0);
    }

    #[test]
    fn what_is_told_makes_sense() {
        let here = Machine::here();
        assert!(here.processors >= 1 && !here.system.name.is_empty());
        if let Some(memory) = here.memory {
            assert!(memory.available <= memory.total);
        }
    }
}
