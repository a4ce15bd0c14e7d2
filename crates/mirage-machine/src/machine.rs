//! What the machine is.

use std::thread::available_parallelism;

use serde::Serialize;
use sysinfo::MemoryRefreshKind;

use crate::{Cache, Processor, cache, sys};

/// A machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// Its processor.
    pub processor: Processor,
    /// Cores, if the system tells.
    pub cores: Option<usize>,
    /// Processors that this process may use: with several threads a core, more than cores.
    pub processors: usize,
    /// Caches of the first processor, nearest first; empty where the system does not tell.
    pub caches: Vec<Cache>,
    /// Memory, if the system tells.
    pub memory: Option<Memory>,
    /// Its operating system.
    pub system: System,
    /// Whether it is a virtual machine, if the system tells.
    pub is_virtual: Option<bool>,
}

/// Memory, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// All there is, or that the process's control group may have.
    pub total: u64,
    /// What can be had without swapping.
    pub available: u64,
}

/// An operating system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct System {
    /// Its name and version.
    pub name: String,
    /// Its kernel's version, if it tells.
    pub kernel: Option<String>,
    /// The architecture that this program was built for.
    pub architecture: &'static str,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        Machine {
            processor: Processor::here(),
            cores: sysinfo::System::physical_core_count(),
            processors: available_parallelism().map_or(1, usize::from),
            caches: cache::here(),
            memory: Memory::here(),
            system: System::here(),
            is_virtual: sys::text("/proc/cpuinfo".as_ref()).and_then(|text| is_virtual(&text)),
        }
    }
}

impl Memory {
    /// This machine's, now; `None` where the system does not tell.
    pub fn here() -> Option<Self> {
        let mut system = sysinfo::System::new();
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        let (mut total, mut available) = (system.total_memory(), system.available_memory());
        if let Some(limits) = system.cgroup_limits() {
            total = total.min(limits.total_memory);
            available = available.min(limits.free_memory);
        }
        (total > 0).then_some(Memory { total, available })
    }
}

impl System {
    fn here() -> Self {
        System {
            name: sysinfo::System::long_os_version()
                .unwrap_or_else(|| std::env::consts::OS.to_owned()),
            kernel: sysinfo::System::kernel_version(),
            architecture: std::env::consts::ARCH,
        }
    }
}

/// What the flags of x86 processors say; other architectures have no such flag.
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
    fn what_is_told_makes_sense() {
        let here = Machine::here();
        assert!(here.processors >= 1 && !here.system.name.is_empty());
        if let Some(memory) = here.memory {
            assert!(memory.available <= memory.total);
        }
    }
}
