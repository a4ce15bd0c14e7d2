//! Saved ledgers against each other.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::Made;
use mirage_bench::compare::{CompareOptions, Comparison, Finding, compare};
use mirage_bench::ledger::Ledger;
use mirage_bench::plan::PassSet;
use mirage_bench::stats::{DEFAULT_MARGIN, Resampling, Verdict};

const OPTIONS: CompareOptions = CompareOptions {
    resampling: Resampling {
        resamples: 500,
        confidence: 0.95,
        seed: 0,
        block: None,
    },
    margin: DEFAULT_MARGIN,
    across_versions: false,
};

fn finding<'a>(found: &'a Comparison, label: &str) -> &'a Finding {
    &found
        .rows
        .iter()
        .find(|r| r.label == label)
        .unwrap()
        .finding
}

fn change(found: &Comparison, label: &str) -> Verdict {
    match finding(found, label) {
        Finding::Compared { change, .. } => *change,
        other => panic!("{label}: {other:?}"),
    }
}

fn reasons(found: &Comparison, label: &str) -> Vec<String> {
    match finding(found, label) {
        Finding::NotComparable { reasons } => reasons.clone(),
        other => panic!("{label}: {other:?}"),
    }
}

#[test]
fn the_same_machine_on_another_day_is_the_same() {
    let (first, other) = (
        Made::default(),
        Made {
            seed: 2,
            ..Made::default()
        },
    );
    let found = compare(&first.ledger(), &other.ledger(), &OPTIONS);
    assert!(found.differences.is_empty() && found.is_comparable());
    assert!(
        found
            .rows
            .iter()
            .all(|r| change(&found, &r.label) == Verdict::Same)
    );
    assert_eq!(found.regressions(0.05).count(), 0);
}

/// A machine that is slower by a fifth makes every row slower by a fifth; none of the passes is to blame.
#[test]
fn a_slower_machine_is_seen_in_none_and_not_blamed_on_passes() {
    let base = Made::default();
    let slow = Made {
        seed: 2,
        base_ms: base.base_ms * 1.2,
        factors: [0.7, 1.0, 0.8, 1.25 * 1.1],
        ..Made::default()
    };
    let found = compare(&base.ledger(), &slow.ledger(), &OPTIONS);
    let moved = found.none_moved.unwrap();
    assert!((moved.estimate - 1.2).abs() < 0.02, "{moved:?}");
    let relative = |label: &str| match finding(&found, label) {
        Finding::Compared {
            relative,
            relative_change,
            ..
        } => (relative.unwrap(), relative_change.unwrap()),
        other => panic!("{label}: {other:?}"),
    };
    let (ratio, change) = relative("fp16");
    assert!(
        (ratio.estimate - 1.0).abs() < 0.02 && change == Verdict::Same,
        "{ratio:?}"
    );
    assert!(ratio.low < ratio.estimate && ratio.estimate < ratio.high);
    let (ratio, change) = relative("all");
    assert!(
        (ratio.estimate - 1.1).abs() < 0.02 && change == Verdict::Slower,
        "{ratio:?}"
    );
    let labels: Vec<&str> = found.regressions(0.05).map(|r| r.label.as_str()).collect();
    assert!(
        labels.contains(&"none") && labels.contains(&"all"),
        "{labels:?}"
    );
    assert!(!labels.contains(&"fp16"), "{labels:?}");
    let said = mirage_bench::render::none_moved(&found).unwrap();
    assert!(
        said.starts_with("the time of `none` itself changed to 1.2"),
        "{said}"
    );
    let table = mirage_bench::render::comparison(&found);
    assert!(table.columns.iter().any(|c| c.key == "relative_ratio"));
}

#[test]
fn a_regression_is_found_in_the_rows_that_have_it() {
    let slower = Made {
        seed: 2,
        factors: [0.7, 1.0, 0.8 * 1.1, 1.25],
        ..Made::default()
    };
    let found = compare(&Made::default().ledger(), &slower.ledger(), &OPTIONS);
    let labels: Vec<&str> = found.regressions(0.05).map(|r| r.label.as_str()).collect();
    for label in ["fuse on fp16", "+ fuse", "all", "- channels_last"] {
        assert!(labels.contains(&label), "{label}: {labels:?}");
        assert_eq!(change(&found, label), Verdict::Slower);
    }
    for label in ["none", "fp16", "- fp16, fuse", "- fuse"] {
        assert!(!labels.contains(&label), "{label}");
        assert_eq!(change(&found, label), Verdict::Same);
    }
    // 10 % is not beyond 10 %.
    assert_eq!(found.regressions(0.1).count(), 0);
    let back = compare(&slower.ledger(), &Made::default().ledger(), &OPTIONS);
    assert_eq!(change(&back, "fuse on fp16"), Verdict::Faster);
}

type Edit = fn(&mut Ledger);

#[test]
fn another_setting_is_not_comparable_and_says_which() {
    let first = Made::default().ledger();
    let cases: [(&str, Edit); 10] = [
        ("machine", |l| {
            l.setting.machine.device = "Another CPU".to_owned()
        }),
        ("model", |l| l.setting.model.trained = true),
        ("shape", |l| l.setting.shape = [1, 3, 64, 128]),
        ("dtype", |l| l.setting.dtype = "bf16".to_owned()),
        ("steps", |l| l.setting.steps = 4),
        ("seed", |l| l.setting.seed = 8),
        ("backend", |l| l.setting.backend.name = "cuda".to_owned()),
        ("backend version", |l| {
            l.setting.backend.version = "0.2.0".to_owned()
        }),
        ("engine", |l| {
            l.setting.backend.engine = "burn-flex 0.23.0".to_owned()
        }),
        ("Mirage version", |l| l.setting.mirage = "0.2.0".to_owned()),
    ];
    for (field, change) in cases {
        let mut other = first.clone();
        change(&mut other);
        let found = compare(&first, &other, &OPTIONS);
        let fields: Vec<&str> = found.differences.iter().map(|d| d.field.as_str()).collect();
        assert_eq!(fields, [field]);
        assert!(!found.is_comparable());
        assert!(reasons(&found, "all")[0].starts_with(&format!("{field}: ")));
    }
}

#[test]
fn versions_may_differ_on_request_and_machines_may_not() {
    let first = Made::default().ledger();
    let mut other = first.clone();
    other.setting.mirage = "0.2.0".to_owned();
    other.passes[0].version = 2;
    let across = CompareOptions {
        across_versions: true,
        ..OPTIONS
    };
    assert_eq!(
        change(&compare(&first, &other, &across), "fp16"),
        Verdict::Same
    );
    other.setting.machine.details = "4 threads".to_owned();
    assert!(!compare(&first, &other, &across).is_comparable());
}

#[test]
fn rows_with_another_pass_version_or_options_are_not_comparable() {
    let first = Made::default().ledger();
    let mut other = first.clone();
    other.passes[0].version = 2;
    other.passes[1].spec = "channels_last{pad=8}".to_owned();
    let found = compare(&first, &other, &OPTIONS);
    assert_eq!(reasons(&found, "fp16"), ["version of fp16: 1 and 2"]);
    assert_eq!(
        reasons(&found, "channels_last"),
        ["options of channels_last: channels_last and channels_last{pad=8}"]
    );
    assert_eq!(change(&found, "none"), Verdict::Same);
}

#[test]
fn another_configuration_of_the_same_name_is_another_model() {
    let with = |configuration: &str| {
        let mut ledger = Made::default().ledger();
        ledger.setting.model.configuration = Some(configuration.to_owned());
        ledger
    };
    let (first, other) = (with("{\"head_dim\":4}"), with("{\"head_dim\":8}"));
    let found = compare(&first, &other, &OPTIONS);
    assert!(!found.is_comparable());
    assert_eq!(found.differences[0].field, "model configuration");
    // A ledger of before does not tell it.
    let before = Made::default().ledger();
    assert!(compare(&before, &other, &OPTIONS).is_comparable());
}

#[test]
fn rows_that_are_missing_or_failed_say_so() {
    let first = Made::default().ledger();
    let fails = Made {
        fails: Some(PassSet::of(&[1])),
        ..Made::default()
    };
    let mut other = fails.ledger();
    other.rows.retain(|r| r.label != "none again");
    let found = compare(&first, &other, &OPTIONS);
    assert_eq!(
        *finding(&found, "channels_last"),
        Finding::Broken {
            reason: "the other failed: out of memory".to_owned()
        }
    );
    // A gate for regressions does not let it through, whatever its threshold.
    let labels: Vec<&str> = found.regressions(9.0).map(|r| r.label.as_str()).collect();
    assert!(labels.contains(&"channels_last"), "{labels:?}");
    assert!(!labels.contains(&"none again"), "{labels:?}");
    let back = compare(&other, &first, &OPTIONS);
    assert_eq!(
        reasons(&back, "none again"),
        ["missing in the first ledger"]
    );
}
