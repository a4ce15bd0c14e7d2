//! Rows out of measurements, and ledgers in files.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use crate::common::{Made, PASSES};
use mirage_bench::ledger::{Ledger, LedgerError, Outcome, Row, read, read_str, write};
use mirage_bench::plan::PassSet;
use mirage_bench::stats::Verdict;

fn row<'a>(ledger: &'a Ledger, label: &str) -> &'a Row {
    ledger.rows.iter().find(|r| r.label == label).unwrap()
}

#[test]
fn rows_tell_what_each_pass_is_worth() {
    let ledger = Made::default().ledger();
    assert_eq!(ledger.rows.len(), 1 + 1 + 3 * PASSES.len() + 1);
    let verdict = |label| row(&ledger, label).against_none.as_ref().unwrap().verdict;
    assert_eq!(verdict("fp16"), Some(Verdict::Faster));
    assert_eq!(verdict("channels_last"), Some(Verdict::Same));
    assert_eq!(verdict("none again"), Some(Verdict::Same));
    assert_eq!(verdict(PASSES[3]), Some(Verdict::Slower));
    let all = row(&ledger, "all").against_none.as_ref().unwrap();
    let interval = all.interval.unwrap();
    let truth = 1.0 / (0.7 * 0.8 * 1.25);
    assert!((all.ratio - truth).abs() < 0.01, "{}", all.ratio);
    assert!(interval.low <= all.ratio && all.ratio <= interval.high);
}

#[test]
fn a_pass_is_compared_with_what_it_stands_on() {
    let ledger = Made::default().ledger();
    let fuse = row(&ledger, "fuse on fp16");
    assert_eq!(fuse.passes, ["fp16", "fuse"]);
    assert_eq!(fuse.notes, ["includes fp16, which fuse requires"]);
    let before = fuse.against_before.as_ref().unwrap();
    assert_eq!(before.other, ["fp16"]);
    assert!((before.ratio - 1.25).abs() < 0.01, "{}", before.ratio);
    let without = row(&ledger, "- fp16, fuse");
    assert_eq!(without.notes, ["also excludes fuse, which requires fp16"]);
    assert_eq!(without.against_before.as_ref().unwrap().other.len(), 4);
}

#[test]
fn columns_follow_from_times_and_facts() {
    let ledger = Made::default().ledger();
    let none = row(&ledger, "none");
    let (times, throughput) = (none.times.unwrap(), none.throughput.unwrap());
    assert!((times.fps - 1000.0 / times.p50_ms).abs() < 1e-9);
    assert!((throughput.gflops - 2.4e9 / (times.p50_ms * 1e6)).abs() < 1e-6);
    // 2.4e9 operations on 9e7 bytes: 26.7 a byte, which 18 GB/s feed beyond the 190 GFLOP/s.
    let percent = throughput.roofline_percent.unwrap();
    assert!((percent - 100.0 * throughput.gflops / 190.0).abs() < 1e-9);
    assert_eq!(
        times.count,
        ledger.samples_ms[none.samples.unwrap()][0].len()
    );
    assert_eq!(row(&ledger, "fp16").samples, row(&ledger, "+ fp16").samples);
}

#[test]
fn shares_sum_to_the_gain() {
    let ledger = Made::default().ledger();
    let shapley = ledger.shapley.unwrap();
    let sum: f64 = shapley.shares.iter().map(|s| s.gain_ms.estimate).sum();
    assert!((sum - shapley.gain_ms.estimate).abs() < 1e-9);
    // 20 ms by 0.7 is 14 ms with the noise's median of 2 %: fp16 saves the most, the last costs.
    let of = |i: usize| shapley.shares[i].gain_ms;
    assert!(of(0).low > of(2).high && of(3).high < 0.0, "{shapley:?}");
    assert!(of(1).low < 0.2 && of(1).high > -0.2, "{:?}", of(1));
}

#[test]
fn a_failed_set_says_why_and_the_rest_goes_on() {
    let made = Made {
        fails: Some(PassSet::of(&[0])),
        ..Made::default()
    };
    let ledger = made.ledger();
    let failed = row(&ledger, "fp16");
    assert_eq!(failed.outcome, Outcome::Failed("out of memory".to_owned()));
    assert!(failed.times.is_none() && failed.samples.is_none());
    assert_eq!(row(&ledger, "all").outcome, Outcome::Measured);
    assert!(row(&ledger, "fuse on fp16").against_before.is_none());
    assert!(ledger.shapley.is_none());
    assert_eq!(
        ledger.warnings,
        [
            "fp16: failed: out of memory",
            "no Shapley shares: the required set fp16 failed"
        ]
    );
}

#[test]
fn too_few_samples_have_no_verdict() {
    let made = Made {
        budget_ms: 2_100,
        ..Made::default()
    };
    let ledger = made.ledger();
    let fp16 = row(&ledger, "fp16");
    let count = fp16.times.unwrap().count;
    assert!((2..6).contains(&count), "{count}");
    let speed_up = fp16.against_none.as_ref().unwrap();
    assert_eq!((speed_up.interval, speed_up.verdict), (None, None));
    assert!(ledger.shapley.is_none() && !ledger.warnings.is_empty());
}

#[test]
fn a_ledger_comes_back_as_it_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.json");
    let ledger = Made {
        fails: Some(PassSet::of(&[0, 2])),
        ..Made::default()
    }
    .ledger();
    write(&path, &ledger.to_json().unwrap()).unwrap();
    assert!(read(&path).unwrap() == ledger);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

fn refused(text: &str) -> LedgerError {
    read_str(text, Path::new("l.json")).unwrap_err()
}

#[test]
fn damaged_files_are_told_apart() {
    let json = Made::default().ledger().to_json().unwrap();
    for cut in [0, 1, json.len() / 3, json.len() / 2, json.len() - 3] {
        let error = refused(&json[..cut]);
        assert!(
            matches!(error, LedgerError::CutShort { .. }),
            "{cut}: {error}"
        );
    }
    assert!(matches!(refused("<html>"), LedgerError::NotJson { .. }));
    assert!(matches!(
        refused("{\"schema\": 1}"),
        LedgerError::NoLedger { .. }
    ));
    assert!(matches!(refused("[1, 2]"), LedgerError::NoLedger { .. }));
    let newer = refused(&json.replacen("\"schema\": 1", "\"schema\": 2", 1));
    assert_eq!(
        newer.to_string(),
        "l.json: unsupported schema 2, this version reads 1; measure again, or use the version of Mirage that saved it"
    );
    let damages = [
        ("\"seed\": 7", "\"seed\": \"seven\"", "seven"),
        (
            "\"samples\": 0",
            "\"samples\": 999",
            "row 0 refers to missing samples",
        ),
        ("\"outcome\":", "\"out\":", "outcome"),
    ];
    for (from, to, says) in damages {
        assert!(json.contains(from), "{from}");
        let error = refused(&json.replacen(from, to, 1));
        assert!(matches!(error, LedgerError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let missing = read(Path::new("/nowhere/ledger.json")).unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("cannot read /nowhere/ledger.json: "),
        "{missing}"
    );
}

#[test]
fn unknown_fields_of_the_same_schema_are_passed_over() {
    let ledger = Made::default().ledger();
    let json = ledger.to_json().unwrap();
    let more = json.replacen("\"schema\": 1", "\"schema\": 1, \"later\": [1]", 1);
    assert!(read_str(&more, Path::new("l.json")).unwrap() == ledger);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_leaves_an_old_file_whole() {
    let folder = tempfile::tempdir().unwrap();
    let error = write(&folder.path().join("no/l.json"), "{}").unwrap_err();
    assert!(error.to_string().contains("nothing was saved"), "{error}");
    // A folder in the file's place: the rename fails after the write.
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    assert!(write(&taken, "{}").is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
