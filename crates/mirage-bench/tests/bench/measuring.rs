//! Measuring fake subjects, whose time is made up and never passes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use mirage_bench::measure::{
    Broken, Clock, MeasureError, MeasureOptions, Measurement, Phase, Progress, Subject, measure,
};
use mirage_bench::stats::{Resampling, Verdict, ratio_paired};

/// The made-up time, and who ran, in order.
#[derive(Clone, Default)]
struct World {
    now: Rc<Cell<Duration>>,
    ran: Rc<RefCell<Vec<usize>>>,
}

impl Clock for World {
    fn now(&self) -> Duration {
        self.now.get()
    }
}

/// A subject whose run `n` takes `time(n, now)` ms.
struct Fake<F> {
    name: usize,
    runs: usize,
    world: World,
    time: F,
}

impl<F: Fn(usize, f64) -> Result<f64, String>> Subject for Fake<F> {
    fn run(&mut self) -> Result<Duration, String> {
        self.world.ran.borrow_mut().push(self.name);
        let now = self.world.now.get();
        let ms = (self.time)(self.runs, now.as_secs_f64() * 1e3)?;
        self.runs += 1;
        let time = Duration::from_secs_f64(ms / 1e3);
        self.world.now.set(now + time);
        Ok(time)
    }
}

impl World {
    fn fake<'a>(
        &self,
        name: usize,
        time: impl Fn(usize, f64) -> Result<f64, String> + 'a,
    ) -> Box<dyn Subject + 'a> {
        Box::new(Fake {
            name,
            runs: 0,
            world: self.clone(),
            time,
        })
    }

    fn measure(
        &self,
        subjects: &mut [Box<dyn Subject + '_>],
        budget_ms: u64,
        watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Measurement, MeasureError> {
        let options = MeasureOptions {
            budget: Duration::from_millis(budget_ms),
            ..MeasureOptions::default()
        };
        let mut subjects: Vec<&mut dyn Subject> = subjects
            .iter_mut()
            .map(|s| &mut **s as &mut dyn Subject)
            .collect();
        measure(&mut subjects, &options, self, watch)
    }
}

fn on(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn rounds_go_there_and_back() {
    let world = World::default();
    let mut subjects: Vec<_> = (0..4).map(|i| world.fake(i, |_, _| Ok(1.0))).collect();
    let found = world.measure(&mut subjects, 400, &mut on).unwrap();
    let ran = world.ran.borrow();
    let mut orders = std::collections::BTreeSet::new();
    for round in ran.chunks(8) {
        let (there, back) = round.split_at(4);
        assert!(there.iter().eq(back.iter().rev()), "{round:?}");
        orders.insert(there.to_vec());
    }
    assert!(orders.len() > 5, "the order changes from round to round");
    assert!(
        found
            .series
            .iter()
            .all(|s| s.samples_ms[0].len() == found.legs && s.warm)
    );
}

/// A machine that slows down by half over the measurement says nothing about the passes.
#[test]
fn drift_cancels() {
    let world = World::default();
    let slower = |of: f64| move |_: usize, now: f64| Ok(of * (1.0 + now / 20_000.0));
    let mut subjects = vec![world.fake(0, slower(10.0)), world.fake(1, slower(12.5))];
    let found = world.measure(&mut subjects, 10_000, &mut on).unwrap();
    let samples = |i: usize| &found.series[i].samples_ms;
    let ratio = ratio_paired(samples(1), samples(0), &Resampling::default()).unwrap();
    assert!((ratio.estimate - 1.25).abs() < 0.005, "{ratio:?}");
    assert!(ratio.low > 1.23 && ratio.high < 1.27, "{ratio:?}");
    let first = samples(0)[0][0];
    assert!(
        samples(0)[0].last().unwrap() > &(first * 1.25),
        "the drift was there"
    );
}

#[test]
fn warm_up_ends_when_all_are_warm_and_is_left_out() {
    let world = World::default();
    let mut subjects = vec![
        world.fake(0, |_, _| Ok(10.0)),
        world.fake(1, |run, _| Ok(10.0 + 90.0 * 0.6_f64.powi(run as i32))),
    ];
    let found = world.measure(&mut subjects, 10_000, &mut on).unwrap();
    let worst = found.series[1].samples_ms[0]
        .iter()
        .copied()
        .fold(0.0, f64::max);
    assert!(worst < 10.5, "{worst}");
    assert!(found.series[1].warm && (10..40).contains(&found.series[1].warm_up_runs));
    assert_eq!(found.series[0].warm_up_runs, found.series[1].warm_up_runs);
}

#[test]
fn what_never_gets_warm_says_so() {
    let world = World::default();
    let mut subjects = vec![world.fake(0, |run, _| Ok(1.0 + run as f64))];
    let found = world.measure(&mut subjects, 20_000, &mut on).unwrap();
    assert!(!found.series[0].warm);
    assert!(found.elapsed <= Duration::from_secs(20));
}

#[test]
fn the_budget_holds() {
    let world = World::default();
    let mut subjects: Vec<_> = (0..3).map(|i| world.fake(i, |_, _| Ok(10.0))).collect();
    let found = world.measure(&mut subjects, 1_000, &mut on).unwrap();
    assert!(
        found.elapsed <= Duration::from_secs(1),
        "{:?}",
        found.elapsed
    );
    assert!(found.elapsed > Duration::from_millis(900));
    assert!(found.legs >= 2 && found.legs.is_multiple_of(2));
}

#[test]
fn no_time_for_one_round_is_an_error_that_says_what_it_takes() {
    for budget in [5, 15, 59] {
        let world = World::default();
        let mut subjects: Vec<_> = (0..3).map(|i| world.fake(i, |_, _| Ok(10.0))).collect();
        let error = world.measure(&mut subjects, budget, &mut on).unwrap_err();
        let MeasureError::NoTime { round, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(round, Duration::from_millis(60));
        assert!(error.to_string().contains("too short"), "{error}");
    }
}

#[test]
fn one_that_fails_leaves_the_others() {
    let world = World::default();
    let fails = |run: usize, _: f64| match run {
        25 => Err("out of memory".to_owned()),
        _ => Ok(2.0),
    };
    let mut subjects = vec![
        world.fake(0, |_, _| Ok(1.0)),
        world.fake(1, fails),
        Box::new(Broken("fp16: no such kernel".to_owned())),
    ];
    let found = world.measure(&mut subjects, 1_000, &mut on).unwrap();
    let failures: Vec<_> = found.series.iter().map(|s| s.failure.as_deref()).collect();
    assert_eq!(
        failures,
        [None, Some("out of memory"), Some("fp16: no such kernel")]
    );
    assert!(found.series[0].samples_ms[0].len() > 50);
    assert!(found.series[1].samples_ms.is_empty());
    assert_eq!(world.ran.borrow().iter().filter(|&&s| s == 1).count(), 26);
}

#[test]
fn when_all_fail_that_is_the_result() {
    let world = World::default();
    let mut subjects = vec![world.fake(0, |_, _| Err("no device".to_owned()))];
    let found = world.measure(&mut subjects, 1_000, &mut on).unwrap();
    assert_eq!(
        (found.legs, found.series[0].failure.as_deref()),
        (0, Some("no device"))
    );
}

#[test]
fn stopping_keeps_complete_legs() {
    let world = World::default();
    let mut subjects: Vec<_> = (0..3).map(|i| world.fake(i, |_, _| Ok(1.0))).collect();
    let mut measured = 0;
    let mut stop = |p: &Progress| {
        measured += usize::from(p.phase == Phase::Measure);
        if measured > 3 * 6 + 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let found = world.measure(&mut subjects, 1_000, &mut stop).unwrap();
    assert!(found.stopped && found.legs == 6);
    assert!(found.series.iter().all(|s| s.samples_ms[0].len() == 6));
    let mut at_once = |_: &Progress| ControlFlow::Break(());
    let error = world
        .measure(&mut subjects, 1_000, &mut at_once)
        .unwrap_err();
    assert_eq!(error, MeasureError::Stopped);
}

#[test]
fn the_same_seed_gives_the_same_order() {
    let order = || {
        let world = World::default();
        let mut subjects: Vec<_> = (0..5).map(|i| world.fake(i, |_, _| Ok(1.0))).collect();
        world.measure(&mut subjects, 500, &mut on).unwrap();
        world.ran.take()
    };
    assert_eq!(order(), order());
}

#[test]
fn repeats_are_joined_and_the_verdict_is_of_all() {
    let repeat = |of: f64| {
        let world = World::default();
        let wave = move |run: usize, _: f64| Ok(of * (1.0 + 0.01 * (run % 3) as f64));
        let mut subjects = vec![
            world.fake(0, wave),
            world.fake(1, move |r, n| Ok(wave(r, n)? * 1.2)),
        ];
        world.measure(&mut subjects, 2_000, &mut on).unwrap()
    };
    let joined = Measurement::join(vec![repeat(10.0), repeat(11.0), repeat(10.5)]).unwrap();
    assert_eq!(joined.series[0].samples_ms.len(), 3);
    let [none, slow] = [0, 1].map(|i| &joined.series[i].samples_ms);
    let speed_up = ratio_paired(none, slow, &Resampling::default()).unwrap();
    assert_eq!(Verdict::of_speed_up(&speed_up, 0.01), Verdict::Slower);
    assert!(Measurement::join(vec![joined, Measurement::default()]).is_err());
}

#[test]
fn a_run_without_time_is_a_failure() {
    let world = World::default();
    let mut subjects = vec![world.fake(0, |_, _| Ok(1.0)), world.fake(1, |_, _| Ok(0.0))];
    let found = world.measure(&mut subjects, 500, &mut on).unwrap();
    let reason = found.series[1].failure.as_deref().unwrap();
    assert!(reason.contains("less time than the clock"), "{reason}");
    assert!(found.series[0].failure.is_none());
}
