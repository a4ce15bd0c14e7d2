//! The resident set size of the process.

use serde::Serialize;

/// Resident set size of this process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Resident {
    /// The current size.
    pub now: u64,
    /// The peak so far.
    pub peak: u64,
}

impl Resident {
    /// Reads the size; `None` on platforms other than Linux.
    pub fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    /// Parses `/proc/PID/status`, which has sizes in KiB.
    fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kib * 1024)
        };
        Some(Resident {
            now: field("VmRSS:")?,
            peak: field("VmHWM:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_nothing_is_made_up() {
        let status = "Name:\tmirage\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\nThreads:\t3\n";
        let expected = Resident {
            now: 10 << 20,
            peak: 20 << 20,
        };
        assert_eq!(Resident::parse(status), Some(expected));
        assert_eq!(Resident::parse("VmHWM:\t 5 kB\n"), None);
        assert_eq!(Resident::parse("VmHWM: x kB\nVmRSS: 1 kB\n"), None);
    }
}
