//! Growth with the side of the frame.

use std::{ops::ControlFlow, time::Duration};

use mirage_bench::measure::Subject;
use mirage_lab::sweep::{
    Outcome,
    resolution::{At, Facts, ResolutionMeasurement, SideProgram, sweep},
};

use crate::reference::{Steps, on};

/// A frame that takes a microsecond a pixel.
struct Frame(usize);

impl Subject for Frame {
    fn run(&mut self) -> Result<Duration, String> {
        Ok(Duration::from_micros((self.0 * self.0) as u64))
    }
}

fn built(side: usize) -> SideProgram {
    SideProgram {
        frame: Box::new(Frame(side)),
        facts: Facts {
            flops: (side * side * 10) as u64,
            ..Facts::default()
        },
    }
}

fn found(
    sides: &[usize],
    budget: u64,
    build: &mut dyn FnMut(usize) -> Result<SideProgram, Outcome>,
) -> ResolutionMeasurement {
    let clock = Steps::new(Duration::from_micros(10));
    sweep(
        sides,
        Duration::from_secs(budget),
        0,
        &clock,
        build,
        &mut |_| on(),
    )
}

#[test]
fn the_exponent_is_that_of_the_frames() {
    let found = found(&[8, 16, 64], 60, &mut |side| Ok(built(side)));
    let overall = found.time_growth.overall.unwrap();
    assert!((overall.estimate - 1.0).abs() < 1e-6, "{overall:?}");
    assert!((found.flops_growth.unwrap() - 1.0).abs() < 1e-9);
    assert!(found.rows[0].exponent.is_none());
    for row in &found.rows[1..] {
        assert!((row.exponent.unwrap().estimate - 1.0).abs() < 1e-6);
        assert_eq!(row.outcome, Outcome::Measured);
    }
}

#[test]
fn where_memory_ends_everything_larger_says_so() {
    let mut tried = Vec::new();
    let found = found(&[8, 16, 32, 64], 60, &mut |side| {
        tried.push(side);
        match side {
            8 | 16 => Ok(built(side)),
            _ => Err(Outcome::Skipped("no memory: much".to_owned())),
        }
    });
    assert_eq!(tried, [8, 16, 32], "nothing larger is tried");
    assert_eq!(found.rows.len(), 4);
    for row in &found.rows[2..] {
        assert_eq!(row.outcome.reason(), Some("no memory: much"));
        assert!(row.times.is_none() && row.facts.is_none());
    }
    assert_eq!(found.time_growth.between.len(), 1);
}

#[test]
fn a_side_that_fails_does_not_end_it() {
    let found = found(&[8, 16, 32], 60, &mut |side| match side {
        16 => Err(Outcome::Failed("broken".to_owned())),
        _ => Ok(built(side)),
    });
    let told: Vec<Option<&str>> = found.rows.iter().map(|r| r.outcome.reason()).collect();
    assert_eq!(told, [None, Some("broken"), None]);
    let from_8_to_32 = found.rows[2].exponent.unwrap();
    assert!((from_8_to_32.estimate - 1.0).abs() < 1e-6);
}

#[test]
fn a_side_that_would_take_longer_than_is_left_is_not_begun() {
    // 1024×1024 pixels take a second a frame.
    let found = found(&[8, 1024], 5, &mut |side| Ok(built(side)));
    assert_eq!(found.rows[0].outcome, Outcome::Measured);
    let why = found.rows[1].outcome.reason().unwrap();
    assert!(why.contains("not enough time"), "{why}");
    assert!(found.time_growth.overall.is_none());
}

#[test]
fn stopped_it_tells_what_it_has() {
    let clock = Steps::new(Duration::from_micros(10));
    let mut stop = |at: At| match at.side {
        8 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    };
    let mut build = |side| Ok(built(side));
    let budget = Duration::from_secs(60);
    let found = sweep(&[8, 16, 32], budget, 0, &clock, &mut build, &mut stop);
    assert!(found.stopped);
    assert_eq!(found.rows[0].outcome, Outcome::Measured);
    for row in &found.rows[1..] {
        assert!(row.outcome.reason().unwrap().contains("interrupted"));
    }
}
