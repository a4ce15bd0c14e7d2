//! Saved ledgers over time.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use crate::common::Made;
use mirage_bench::history::{History, Saved, history, read_folder};
use mirage_bench::ledger::{Ledger, read_str, write};
use mirage_bench::render::{history_page, history_table};
use mirage_bench::stats::Resampling;
use scraper::{Html, Selector};

const HOW: Resampling = Resampling {
    resamples: 300,
    confidence: 0.95,
    seed: 0,
    block: None,
};

/// A ledger of some day.
fn on(day: &str, machine: &str, factor: f64, seed: u64) -> Ledger {
    let mut ledger = Made {
        base_ms: 20.0 * factor,
        seed,
        budget_ms: 30_000,
        ..Made::default()
    }
    .ledger();
    ledger.setting.measured_at = Some(format!("{day}T10:00:00Z"));
    ledger.setting.machine.device = machine.to_owned();
    ledger
}

fn saved(file: &str, ledger: Ledger) -> Saved {
    Saved {
        file: file.to_owned(),
        ledger: Ok(ledger),
    }
}

/// Four days, not in order: the third is slower, the last is on another machine. And a broken file.
fn example() -> History {
    let broken = read_str("{\"format\":", Path::new("cut.json"));
    let files = vec![
        saved("c.json", on("2026-03-01", "Example CPU", 1.2, 3)),
        saved("a.json", on("2026-01-01", "Example CPU", 1.0, 1)),
        saved("d.json", on("2026-04-01", "Another CPU", 0.5, 4)),
        saved("b.json", on("2026-02-01", "Example CPU", 1.0, 2)),
        Saved {
            file: "cut.json".to_owned(),
            ledger: broken,
        },
    ];
    history(files, &HOW)
}

#[test]
fn points_are_in_order_and_machines_are_told_apart() {
    let found = example();
    assert_eq!(found.groups.len(), 1);
    let rows = &found.groups[0].rows;
    let none = &rows[0];
    assert_eq!(none.label, "none");
    let files: Vec<&str> = none.points.iter().map(|p| p.file.as_str()).collect();
    assert_eq!(files, ["a.json", "b.json", "c.json", "d.json"]);
    let changed: Vec<bool> = none.points.iter().map(|p| p.machine_changed).collect();
    assert_eq!(changed, [false, false, false, true]);
    for point in &none.points {
        let interval = point.interval.unwrap();
        assert!(interval.low <= point.p50_ms && point.p50_ms <= interval.high);
    }
    // Nothing before it on the same machine.
    assert!(rows.iter().all(|r| r.change.is_none()));
    assert_eq!(found.unreadable.len(), 1);
    assert!(
        found.unreadable[0].reason.contains("truncated"),
        "{found:?}"
    );
}

#[test]
fn the_last_change_is_against_the_same_machine() {
    let files = vec![
        saved("a.json", on("2026-01-01", "Example CPU", 1.0, 1)),
        saved("b.json", on("2026-02-01", "Example CPU", 1.2, 2)),
    ];
    let found = history(files, &HOW);
    let none = &found.groups[0].rows[0];
    let change = none.change.unwrap();
    assert!((change.estimate - 1.2).abs() < 0.02, "{change:?}");
    let table = history_table(&found.groups[0]);
    assert_eq!(table.rows[0].last().unwrap(), "slower");
}

#[test]
fn other_work_and_other_options_are_not_mixed() {
    let mut other = on("2026-02-01", "Example CPU", 1.0, 2);
    other.setting.shape = [1, 3, 128, 128];
    let mut options = on("2026-03-01", "Example CPU", 1.0, 3);
    options.passes[0].spec = "fp16{keep=norm}".to_owned();
    let files = vec![
        saved("a.json", on("2026-01-01", "Example CPU", 1.0, 1)),
        saved("b.json", other),
        saved("c.json", options),
    ];
    let found = history(files, &HOW);
    assert_eq!(found.groups.len(), 2);
    let of = |label: &str| {
        let rows = found.groups[0].rows.iter().filter(|r| r.label == label);
        rows.map(|r| r.points.len()).collect::<Vec<_>>()
    };
    assert_eq!(of("none"), [2]);
    assert_eq!(of("fp16"), [1, 1]);
}

#[test]
fn the_page_is_well_formed_and_has_a_chart_a_row() {
    let found = example();
    let text = history_page(&found);
    let page = Html::parse_document(&text);
    assert!(page.errors.is_empty(), "{:?}", page.errors);
    let select = |what: &str| page.select(&Selector::parse(what).unwrap()).count();
    let rows = found.groups[0].rows.len();
    assert_eq!(select("svg"), rows);
    assert_eq!(select("svg circle.point"), 4 * rows);
    assert_eq!(select("svg .reference"), rows);
    assert_eq!(select("tbody tr"), rows);
    assert_eq!(select("script, link, img, iframe"), 0);
    assert!(text.contains("cut.json") && text.contains("prefers-color-scheme: dark"));
    assert!(!text.contains("NaN") && !text.contains("http"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    write(&folder.join("history.html"), &text).unwrap();
}

#[test]
fn a_folder_is_read_whole_and_what_is_no_ledger_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let json = on("2026-01-01", "Example CPU", 1.0, 1).to_json().unwrap();
    write(&path("good.json"), &json).unwrap();
    write(&path("cut.json"), &json[..json.len() / 2]).unwrap();
    write(
        &path("newer.json"),
        &json.replacen("\"schema\": 1", "\"schema\": 2", 1),
    )
    .unwrap();
    write(&path("page.html"), "<html>").unwrap();
    std::fs::create_dir(path("folder.json")).unwrap();
    let found = history(read_folder(folder.path()).unwrap(), &HOW);
    assert_eq!(found.groups[0].rows[0].points.len(), 1);
    let told: Vec<(&str, bool)> = found
        .unreadable
        .iter()
        .map(|u| (u.file.as_str(), u.reason.contains(&u.file)))
        .collect();
    assert_eq!(
        told,
        [
            ("cut.json", true),
            ("newer.json", true),
            ("page.html", true)
        ]
    );
    assert!(found.unreadable[1].reason.contains("schema 2"));
    let missing = read_folder(&path("nowhere")).unwrap_err().to_string();
    assert!(
        missing.contains("nowhere") && missing.contains("--save"),
        "{missing}"
    );
}
