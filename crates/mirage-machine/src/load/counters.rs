//! The kernel's counters of processor time, in ticks.

use std::{path::Path, thread::available_parallelism};

use crate::sys;

/// Ticks of all processors together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// All ticks.
    pub(super) total: u64,
    /// Busy ticks.
    busy: u64,
    /// Ticks stolen by the hypervisor.
    pub(super) stolen: u64,
    /// Busy ticks of this process and its finished children.
    own: u64,
}

impl Counters {
    /// Reads the counters; `None` if the system has none (Linux has).
    pub(super) fn read() -> Option<Self> {
        let own = own(&sys::text(Path::new("/proc/self/stat"))?)?;
        let all = sys::text(Path::new("/proc/stat"))?;
        Some(Counters {
            own,
            ..all_of(&all)?
        })
    }

    pub(super) fn since(&self, before: &Self) -> Self {
        Counters {
            total: self.total.saturating_sub(before.total),
            busy: self.busy.saturating_sub(before.busy),
            stolen: self.stolen.saturating_sub(before.stolen),
            own: self.own.saturating_sub(before.own),
        }
    }

    /// Returns the ticks of other processes.
    pub(super) fn others(&self) -> u64 {
        self.busy.saturating_sub(self.own)
    }

    /// Returns ticks as a fraction of all; `None` before the first tick.
    pub(super) fn share(&self, ticks: u64) -> Option<f64> {
        (self.total > 0).then(|| (ticks as f64 / self.total as f64).min(1.0))
    }
}

/// Parses `/proc/stat`: `cpu  user nice system idle iowait irq softirq steal …`. Time of guests is included
/// in user and nice.
fn all_of(text: &str) -> Option<Counters> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .map_while(|t| t.parse().ok())
        .collect();
    let [user, nice, system, idle, waiting, interrupts, soft, ..] = ticks[..] else {
        return None;
    };
    let stolen = ticks.get(7).copied().unwrap_or(0);
    let busy = user + nice + system + interrupts + soft;
    Some(Counters {
        total: busy + idle + waiting + stolen,
        busy,
        stolen,
        own: 0,
    })
}

/// Parses the ticks of this process and its finished children from `/proc/self/stat`.
fn own(text: &str) -> Option<u64> {
    Some(ticks(text)?.iter().sum())
}

/// Parses the ticks of a process in user and system mode, and those of its finished children, from its
/// `stat`: fields 14 to 17. The second field, a name in parentheses, may contain any characters.
pub(super) fn ticks(stat: &str) -> Option<[u64; 4]> {
    let fields = stat.rsplit_once(')')?.1.split_whitespace();
    let ticks: Vec<u64> = fields
        .skip(11)
        .take(4)
        .map_while(|t| t.parse().ok())
        .collect();
    ticks.try_into().ok()
}

/// Returns the number of processors of the system, whether or not this process may use them.
pub(super) fn processors() -> usize {
    let online = sys::text(Path::new("/sys/devices/system/cpu/online"));
    online
        .and_then(|text| sys::list_length(&text))
        .unwrap_or_else(|| available_parallelism().map_or(1, usize::from))
}

/// Returns the three load averages; `None` if the system has none.
pub(super) fn load_average() -> Option<[f64; 3]> {
    let text = sys::text(Path::new("/proc/loadavg"))?;
    let means: Vec<f64> = text
        .split(' ')
        .take(3)
        .map_while(|m| m.parse().ok())
        .collect();
    means.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_idle_and_stolen_are_told_apart() {
        let all = all_of("cpu  10 1 5 80 2 1 1 4 0 0\ncpu0 1 1\n");
        let expected = Counters {
            total: 104,
            busy: 18,
            stolen: 4,
            own: 0,
        };
        assert_eq!(all, Some(expected));
        assert_eq!(all_of("cpu  1 2\n"), None);
        assert_eq!(all_of("intr 1\n"), None);
    }

    #[test]
    fn own_time_is_read_past_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 99 0 0 0 20 3 2 1 20 0 1 0";
        assert_eq!(own(stat), Some(26));
        assert_eq!(own("7 (x) S 1"), None);
    }

    #[test]
    fn what_is_not_ours_is_others() {
        let before = Counters::default();
        let after = Counters {
            total: 200,
            busy: 150,
            stolen: 2,
            own: 100,
        };
        let span = after.since(&before);
        assert_eq!(span.share(span.others()), Some(0.25));
        assert_eq!(before.share(0), None);
    }
}
