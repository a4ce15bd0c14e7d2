//! Races of fake subjects, whose time is made up and never passes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use mirage_bench::measure::{Clock, Subject};
use mirage_bench::race::{Race, RaceError, RaceOptions, race};
use rand::{Rng, SeedableRng, rngs::StdRng};

#[derive(Clone, Default)]
struct World(Rc<Cell<Duration>>);

impl Clock for World {
    fn now(&self) -> Duration {
        self.0.get()
    }
}

/// A subject that takes about so long, with noise of a tenth, and fails after so many runs.
struct Fake {
    world: World,
    ms: f64,
    noise: StdRng,
    runs: usize,
    fails_after: Option<usize>,
}

impl Subject for Fake {
    fn run(&mut self) -> Result<Duration, String> {
        if self.fails_after == Some(self.runs) {
            return Err("out of memory".to_owned());
        }
        self.runs += 1;
        let time = Duration::from_secs_f64(self.ms * self.noise.random_range(0.95..1.05) / 1e3);
        self.world.0.set(self.world.0.get() + time);
        Ok(time)
    }
}

struct Ran {
    race: Result<Race, RaceError>,
    runs: Vec<usize>,
    took: Duration,
}

fn run(ms: &[f64], fails_after: &[Option<usize>], budget: Duration, seed: u64) -> Ran {
    let world = World::default();
    let mut fakes: Vec<Fake> = (0..ms.len())
        .map(|i| Fake {
            world: world.clone(),
            ms: ms[i],
            noise: StdRng::seed_from_u64(100 * seed + i as u64),
            runs: 0,
            fails_after: fails_after.get(i).copied().flatten(),
        })
        .collect();
    let mut subjects: Vec<&mut dyn Subject> =
        fakes.iter_mut().map(|f| f as &mut dyn Subject).collect();
    let options = RaceOptions {
        budget,
        seed,
        ..RaceOptions::default()
    };
    let race = race(&mut subjects, &options, &world, &mut |_| {
        ControlFlow::Continue(())
    });
    Ran {
        race,
        runs: fakes.iter().map(|f| f.runs).collect(),
        took: world.now(),
    }
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn the_fastest_wins_and_the_slow_leave_early() {
    let (mut slow_runs, mut fast_runs) = (0, 0);
    for seed in 0..20 {
        let ran = run(&[30.0, 10.0, 10.1, 20.0], &[], LONG, seed);
        let race = ran.race.unwrap();
        assert!([1, 2].contains(&race.leader), "seed {seed}");
        for slow in [0, 3] {
            let left = race.runners[slow].left.unwrap();
            assert!(left.low > 1.0, "{left:?}");
            slow_runs += ran.runs[slow];
        }
        fast_runs += ran.runs[race.leader];
    }
    assert!(slow_runs < fast_runs, "{slow_runs} and {fast_runs}");
}

#[test]
fn who_is_as_good_as_the_leader_stays_until_nothing_can_be_told() {
    let ran = run(&[10.0, 10.0], &[], LONG, 3);
    let race = ran.race.unwrap();
    assert!(race.runners.iter().all(|r| r.left.is_none()));
    let samples: Vec<usize> = race.runners.iter().map(|r| r.samples_ms.len()).collect();
    assert_eq!(samples[0], samples[1]);
}

#[test]
fn a_race_ends_within_its_time() {
    for budget in [200, 500, 3_000] {
        let budget = Duration::from_millis(budget);
        let ran = run(&[10.0, 10.1, 10.2, 9.9], &[], budget, 5);
        assert!(ran.race.is_ok());
        assert!(ran.took <= budget, "{:?} of {budget:?}", ran.took);
    }
}

#[test]
fn no_time_and_no_subject_that_runs_are_said() {
    let ran = run(&[10.0, 10.0], &[], Duration::from_millis(15), 0);
    let error = ran.race.unwrap_err();
    assert!(matches!(error, RaceError::NoTime { subjects: 2, .. }));
    assert!(error.to_string().contains("too short"));
    let ran = run(&[10.0], &[Some(3)], LONG, 0);
    assert_eq!(
        ran.race.unwrap_err(),
        RaceError::AllFailed("out of memory".to_owned())
    );
}

#[test]
fn one_that_fails_is_out_and_the_rest_goes_on() {
    let ran = run(&[10.0, 5.0], &[None, Some(5)], LONG, 0);
    let race = ran.race.unwrap();
    assert_eq!(race.leader, 0);
    assert_eq!(race.runners[1].failure.as_deref(), Some("out of memory"));
    assert!(race.runners[1].samples_ms.is_empty());
}

#[test]
fn a_watcher_ends_it_with_what_there_is() {
    let world = World::default();
    let mut fake = Fake {
        world: world.clone(),
        ms: 10.0,
        noise: StdRng::seed_from_u64(1),
        runs: 0,
        fails_after: None,
    };
    let mut asked = 0;
    let result = race(
        &mut [&mut fake],
        &RaceOptions::default(),
        &world,
        &mut |_| {
            asked += 1;
            match asked {
                6 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        },
    );
    assert_eq!(result.unwrap().runners[0].samples_ms.len(), 3);
}
