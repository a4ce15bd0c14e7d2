//! Load on the machine during a measurement.

mod clock;
mod counters;
mod processes;

use std::time::{Duration, Instant};

use serde::Serialize;

pub use clock::Clock;
use counters::Counters;
pub use processes::BusyProcess;
use processes::Processes;

/// Watches the machine until [`finish`](Watch::finish). It uses no thread: counters are read at the start
/// and at the end.
#[derive(Debug)]
pub struct Watch {
    since: Instant,
    counters: Option<Counters>,
    throttles: Option<u64>,
    processes: Processes,
}

/// The load during a [`Watch`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Load {
    /// Duration in seconds.
    pub seconds: f64,
    /// Number of processors of the system.
    pub processors: usize,
    /// Load averages over 1, 5 and 15 minutes.
    pub average: Option<[f64; 3]>,
    /// Fraction of all processors' time that other processes used, 0 to 1.
    pub others: Option<f64>,
    /// The other processes that used the most time, of those that ran throughout.
    pub busiest: Vec<BusyProcess>,
    /// Fraction of all processors' time that the hypervisor stole from this virtual machine, 0 to 1.
    pub stolen: Option<f64>,
    /// The processors' clock at the end.
    pub clock: Option<Clock>,
    /// How often processors were throttled meanwhile.
    pub throttles: Option<u64>,
}

/// Fraction of the processors' time of other processes below which there is no warning.
const OTHERS: f64 = 0.05;
/// Fraction of stolen time below which there is no warning: the counter's resolution.
const STOLEN: f64 = 0.01;
/// Fraction of the maximum clock below which there is a warning, lower than differences between boost states.
const SLOW_CLOCK: f64 = 0.7;

impl Watch {
    /// Starts.
    pub fn start() -> Self {
        Watch {
            since: Instant::now(),
            counters: Counters::read(),
            throttles: clock::throttles(),
            processes: Processes::read(),
        }
    }

    /// Watches for a duration while this thread sleeps, to measure the load before a measurement.
    /// Below 0.2 seconds the counters are too coarse.
    pub fn during(window: Duration) -> Load {
        let watch = Watch::start();
        std::thread::sleep(window);
        watch.finish()
    }

    /// Returns the load.
    pub fn finish(self) -> Load {
        let counters = match (self.counters, Counters::read()) {
            (Some(before), Some(after)) => Some(after.since(&before)),
            _ => None,
        };
        let throttles = match (self.throttles, clock::throttles()) {
            (Some(before), Some(after)) => Some(after.saturating_sub(before)),
            _ => None,
        };
        let processors = counters::processors();
        let ticks = counters.map_or(0, |c| c.total) as f64 / processors as f64;
        let busiest = self.processes.busiest(&Processes::read(), ticks);
        Load {
            seconds: self.since.elapsed().as_secs_f64(),
            processors,
            average: counters::load_average(),
            others: counters.and_then(|c| c.share(c.others())),
            busiest,
            stolen: counters.and_then(|c| c.share(c.stolen)),
            clock: Clock::read(),
            throttles,
        }
    }
}

impl Load {
    /// Returns what makes times of this span unreliable, a sentence each; empty if there is nothing or the
    /// system reports nothing (see [`is_known`](Load::is_known)).
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(others) = self.others.filter(|&share| share >= OTHERS) {
            let names: Vec<String> = self.busiest.iter().map(BusyProcess::to_string).collect();
            let names = if names.is_empty() {
                String::new()
            } else {
                format!(" ({})", names.join(", "))
            };
            warnings.push(format!(
                "other processes used {:.0} % of the time of {}{names}: times are longer and vary more; \
                 measure again when they are done",
                100.0 * others,
                processors(self.processors),
            ));
        }
        if let Some(stolen) = self.stolen.filter(|&share| share >= STOLEN) {
            warnings.push(format!(
                "the hypervisor stole {:.0} % of the processors' time from this virtual machine: other \
                 machines share its processors",
                100.0 * stolen
            ));
        }
        if let Some(clock) = self.clock
            && clock.fastest_mhz < SLOW_CLOCK * clock.highest_mhz
        {
            warnings.push(format!(
                "the fastest processor ran at {:.0} of {:.0} MHz: check power saving and cooling",
                clock.fastest_mhz, clock.highest_mhz
            ));
        }
        if let Some(times) = self.throttles.filter(|&times| times > 0) {
            warnings.push(format!(
                "processors were throttled {times} times for heat: later times are longer than earlier ones"
            ));
        }
        warnings
    }

    /// Whether the system reports load (Linux does).
    pub fn is_known(&self) -> bool {
        self.others.is_some() || self.clock.is_some() || self.throttles.is_some()
    }
}

fn processors(n: usize) -> String {
    match n {
        1 => "1 processor".to_owned(),
        n => format!("{n} processors"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_machine_and_an_unknown_one_give_no_warning() {
        let quiet = Load {
            others: Some(0.01),
            stolen: Some(0.0),
            throttles: Some(0),
            clock: Some(Clock {
                fastest_mhz: 3600.0,
                highest_mhz: 4000.0,
            }),
            ..Load::default()
        };
        assert!(quiet.is_known());
        assert_eq!(quiet.warnings(), Vec::<String>::new());
        assert!(!Load::default().is_known());
        assert_eq!(Load::default().warnings(), Vec::<String>::new());
    }

    #[test]
    fn each_trouble_is_said_with_its_number() {
        let load = Load {
            processors: 2,
            others: Some(0.55),
            busiest: vec![BusyProcess {
                name: "rustc".to_owned(),
                processors: 0.98,
            }],
            stolen: Some(0.07),
            throttles: Some(3),
            clock: Some(Clock {
                fastest_mhz: 1200.0,
                highest_mhz: 3600.0,
            }),
            ..Load::default()
        };
        let warnings = load.warnings();
        assert_eq!(warnings.len(), 4);
        assert!(warnings[0].contains("55 % of the time of 2 processors (rustc 98 %)"));
        assert!(warnings[1].contains("7 %"));
        assert!(warnings[2].contains("1200 of 3600 MHz"));
        assert!(warnings[3].contains("3 times"));
    }

    #[test]
    fn a_watch_tells_shares_of_what_was_there() {
        let load = Watch::during(Duration::from_millis(50));
        for share in [load.others, load.stolen].into_iter().flatten() {
            assert!((0.0..=1.0).contains(&share), "{share}");
        }
        assert_eq!(load.is_known(), cfg!(target_os = "linux"));
    }
}
