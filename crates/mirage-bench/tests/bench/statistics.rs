//! Intervals against scipy, and their coverage on data whose truth is known.
#![allow(clippy::unwrap_used, reason = "tests")]

use mirage_bench::stats::{
    DEFAULT_MARGIN, Resampling, StatsError, Verdict, medians_interval, ratio_paired, ratio_unpaired,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

// rng = numpy.random.default_rng(7); common = exp(rng.normal(0, .08, 40))
// A = round(12 * common * exp(rng.normal(0, .02, 40)), 3), B the same with 10.
const A: [f64; 40] = [
    12.028, 12.306, 11.456, 11.192, 11.89, 10.747, 12.267, 13.39, 11.39, 11.885, 12.671, 12.055,
    12.12, 11.268, 11.927, 12.861, 10.762, 11.724, 10.608, 10.678, 10.398, 11.668, 10.871, 11.976,
    12.011, 11.776, 9.99, 11.76, 11.641, 11.918, 10.756, 11.099, 10.994, 11.226, 13.396, 11.405,
    11.891, 12.785, 11.395, 12.261,
];
const B: [f64; 40] = [
    9.916, 10.18, 9.852, 9.29, 9.605, 9.034, 10.046, 11.033, 9.841, 9.641, 10.395, 10.428, 10.016,
    9.48, 9.976, 10.696, 8.752, 9.708, 8.304, 8.66, 8.578, 9.639, 9.065, 10.689, 9.959, 9.729,
    8.21, 9.673, 9.926, 10.05, 8.973, 9.726, 9.058, 9.359, 10.893, 9.179, 10.026, 10.551, 9.731,
    9.949,
];

/// One repeat.
fn one(values: &[f64]) -> Vec<Vec<f64>> {
    vec![values.to_vec()]
}

/// Draws one by one, as scipy does.
fn singly(resamples: usize) -> Resampling {
    Resampling {
        resamples,
        block: Some(1),
        ..Resampling::default()
    }
}

/// scipy 1.17.1: `f = lambda x, y, axis=-1: median(x, axis=axis) / median(y, axis=axis)`,
/// `stats.bootstrap((A, B), f, paired=True, vectorized=True, n_resamples=200000,
/// method='percentile', rng=default_rng(1))`: 1.172198538, 1.221605509;
/// with `paired=False`: 1.154721101, 1.232947828.
#[test]
fn intervals_are_scipys() {
    let close = |found: f64, scipy: f64| assert!((found - scipy).abs() < 1.5e-3, "{found} {scipy}");
    let paired = ratio_paired(&one(&A), &one(&B), &singly(40_000)).unwrap();
    assert!((paired.estimate - 1.206_783_144_912_641_4).abs() < 1e-12);
    close(paired.low, 1.172_198_538);
    close(paired.high, 1.221_605_509);
    let apart = ratio_unpaired(&one(&A), &one(&B), &singly(40_000)).unwrap();
    close(apart.low, 1.154_721_101);
    close(apart.high, 1.232_947_828);
}

#[test]
fn the_seed_decides() {
    let with = |seed| {
        let how = Resampling {
            seed,
            ..Resampling::default()
        };
        ratio_paired(&one(&A), &one(&B), &how).unwrap()
    };
    assert_eq!(with(3), with(3));
    assert_ne!(with(3), with(4));
}

/// A standard normal number, as a sum of twelve uniform ones.
fn normal(rng: &mut StdRng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// Times around 10 ms of two subjects measured in turn: both feel the machine, whose mood lasts for
/// several samples; `ratio` is what the first takes more.
fn machine(seed: u64, ratio: f64, samples: usize) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut mood, mut first, mut second) = (0.0, Vec::new(), Vec::new());
    for _ in 0..samples {
        mood = 0.8 * mood + 0.03 * normal(&mut rng);
        first.push(10.0 * ratio * f64::exp(mood + 0.02 * normal(&mut rng)));
        second.push(10.0 * f64::exp(mood + 0.02 * normal(&mut rng)));
    }
    (vec![first], vec![second])
}

fn verdicts(ratio: f64) -> Vec<Verdict> {
    let how = Resampling {
        resamples: 1000,
        ..Resampling::default()
    };
    let verdict = |seed| {
        let (first, second) = machine(seed, ratio, 80);
        let speed_up = ratio_paired(&second, &first, &how).unwrap();
        Verdict::of_speed_up(&speed_up, DEFAULT_MARGIN)
    };
    (0..200).map(verdict).collect()
}

#[test]
fn the_same_thing_twice_is_the_same_and_ten_per_cent_are_caught() {
    let count = |of: &[Verdict], v| of.iter().filter(|&&x| x == v).count();
    // Of nothing, and of a change within the margin, an interval may be too wide to say so; none may say
    // that there is a change.
    for ratio in [1.0, 1.01] {
        let found = verdicts(ratio);
        let (same, undecided) = (
            count(&found, Verdict::Same),
            count(&found, Verdict::Undecided),
        );
        assert!(same + undecided >= 195, "{ratio}: {same} {undecided}");
        assert!(same >= 60, "{ratio}: {same} {undecided}");
    }
    assert!(count(&verdicts(1.1), Verdict::Slower) >= 198);
    assert!(count(&verdicts(1.0 / 1.1), Verdict::Faster) >= 198);
}

/// How many of 200 intervals hold the truth.
fn coverage(block: Option<usize>, paired: bool) -> usize {
    let how = Resampling {
        resamples: 600,
        block,
        ..Resampling::default()
    };
    let holds = |seed: &u64| {
        let (first, second) = machine(1000 + seed, 1.3, 120);
        let ratio = match paired {
            true => ratio_paired(&first, &second, &how).unwrap(),
            // Another machine's mood: another time.
            false => ratio_unpaired(&first, &machine(9000 + seed, 1.0, 120).1, &how).unwrap(),
        };
        ratio.low <= 1.3 && 1.3 <= ratio.high
    };
    (0..200).filter(holds).count()
}

/// Why samples are drawn together and in blocks: a machine's moods make single draws too sure.
/// Of series measured apart even blocks say 95 % and hold 84 %, where single draws hold 60 %.
#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    assert!(coverage(None, true) >= 184, "{}", coverage(None, true));
    let (blocks, single) = (coverage(None, false), coverage(Some(1), false));
    assert!(blocks > single + 30, "{blocks} {single}");
    assert!(blocks >= 160, "{blocks}");
}

/// Two processes that differ by 10 %: one interval over both must admit it.
#[test]
fn repeats_in_other_processes_widen_the_interval() {
    let slow: Vec<f64> = A.iter().map(|t| t * 1.1).collect();
    let together = ratio_unpaired(&one(&A), &one(&A), &Resampling::default()).unwrap();
    let repeats = vec![A.to_vec(), slow];
    let apart = ratio_unpaired(&repeats, &repeats, &Resampling::default()).unwrap();
    assert!(apart.high - apart.low > 1.5 * (together.high - together.low));
    let paired = ratio_paired(&repeats, &repeats, &Resampling::default()).unwrap();
    assert_eq!((paired.low, paired.high), (1.0, 1.0));
}

#[test]
fn several_statistics_of_the_same_draws() {
    let (a, b) = (one(&A), one(&B));
    let both = medians_interval(&[&a, &b], &Resampling::default(), |m| {
        vec![m[0] - m[1], m[1] - m[0]]
    })
    .unwrap();
    assert!((both[0].low + both[1].high).abs() < 1e-12);
    assert!(both[0].low > 1.5 && both[0].high < 2.5, "{both:?}");
}

#[test]
fn what_is_no_sample_is_refused() {
    let how = Resampling::default();
    let few = ratio_paired(&one(&A[..5]), &one(&B[..5]), &how);
    assert_eq!(few, Err(StatsError::TooFew { found: 5 }));
    // A process without samples: drawn alone, it would have no median.
    let empty = vec![A.to_vec(), Vec::new()];
    let none = ratio_unpaired(&empty, &one(&A), &how);
    assert_eq!(none, Err(StatsError::EmptyRepeat));
    let unpaired = ratio_paired(&one(&A), &one(&B[1..]), &how);
    assert_eq!(unpaired, Err(StatsError::Unpaired { series: 1 }));
    let mut bad = A;
    bad[3] = 0.0;
    let zero = ratio_unpaired(&one(&A), &one(&bad), &how);
    assert_eq!(zero, Err(StatsError::NotATime { value: 0.0 }));
}
