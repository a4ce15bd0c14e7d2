//! Tables, CSV, markdown, the page.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::{Made, PASSES};
use mirage_bench::compare::{CompareOptions, compare};
use mirage_bench::ledger::{Ledger, Row, SpeedUp};
use mirage_bench::plan::PassSet;
use mirage_bench::render::{comparison, csv, flat, html, markdown, shares, table};
use mirage_bench::stats::{DEFAULT_MARGIN, Interval, Resampling};
use scraper::{Html, Selector};

/// A ledger with a set that failed, and rounded to what a reader can check.
fn ledger() -> Ledger {
    let mut ledger = Made {
        fails: Some(PassSet::of(&[0, 2])),
        ..Made::default()
    }
    .ledger();
    ledger.rows.iter_mut().for_each(round);
    ledger
}

fn round(row: &mut Row) {
    let mut numbers: Vec<&mut f64> = Vec::new();
    if let Some(t) = &mut row.times {
        numbers.extend([&mut t.p50_ms, &mut t.p95_ms, &mut t.p99_ms, &mut t.fps]);
    }
    if let Some(t) = &mut row.throughput {
        numbers.extend([&mut t.gflops, &mut t.gbytes]);
        numbers.extend(&mut t.roofline_percent);
    }
    let speed_ups = [&mut row.against_none, &mut row.against_before];
    for SpeedUp {
        ratio, interval, ..
    } in speed_ups.into_iter().flatten()
    {
        numbers.push(ratio);
        if let Some(Interval {
            estimate,
            low,
            high,
        }) = interval
        {
            numbers.extend([estimate, low, high]);
        }
    }
    for number in numbers {
        *number = (*number * 100.0).round() / 100.0;
    }
}

#[test]
fn markdown_has_every_row_and_no_markup_of_names() {
    let mut ledger = ledger();
    ledger.rows.truncate(9);
    insta::assert_snapshot!(markdown(&table(&ledger)));
}

#[test]
fn csv_has_every_row_and_column() {
    let mut ledger = ledger();
    let text = csv(&flat(&ledger)).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap().len(), 38);
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), ledger.rows.len());
    assert!(records.iter().any(|r| &r[0] == PASSES[3]));
    ledger.rows.truncate(7);
    insta::assert_snapshot!(csv(&flat(&ledger)).unwrap());
}

#[test]
fn the_shares_have_a_row_for_the_gain() {
    let ledger = Made::default().ledger();
    let table = shares(ledger.shapley.as_ref().unwrap());
    assert_eq!(table.rows.len(), PASSES.len() + 1);
    assert_eq!(table.rows[4][0], "all");
}

#[test]
fn comparisons_are_tables() {
    let (first, mut other) = (ledger(), ledger());
    other.passes[1].version = 2;
    let options = CompareOptions {
        resampling: Resampling {
            resamples: 200,
            ..Resampling::default()
        },
        margin: DEFAULT_MARGIN,
        across_versions: false,
    };
    let mut table = comparison(&compare(&first, &other, &options));
    table
        .rows
        .retain(|r| ["none", "channels_last", "fuse on fp16"].contains(&r[0].as_str()));
    for row in &mut table.rows {
        row[1] = row[1].split(' ').next().unwrap().to_owned();
    }
    insta::assert_snapshot!(markdown(&table), @r"
    | row | time / first | verdict | reason |
    | --- | ---: | --- | --- |
    | none | 1.000× | same |  |
    | channels_last |  | not comparable | version of channels_last: 1 and 2 |
    | fuse on fp16 |  | not comparable | the first failed: out of memory |
    ");
}

fn select<'a>(page: &'a Html, what: &str) -> Vec<scraper::ElementRef<'a>> {
    page.select(&Selector::parse(what).unwrap()).collect()
}

#[test]
fn the_page_is_well_formed_and_whole() {
    let (failed, whole) = (html(&ledger()), html(&Made::default().ledger()));
    for text in [&failed, &whole] {
        let page = Html::parse_document(text);
        assert!(page.errors.is_empty(), "{:?}", page.errors);
        let rows = select(&page, "tbody tr").len();
        assert_eq!(rows, 15);
        assert_eq!(
            select(&page, "svg[role=img] > title").len(),
            select(&page, "svg").len()
        );
        assert!(select(&page, "script, link, img, iframe").is_empty());
        assert!(!text.contains("http") && !text.contains("@import") && !text.contains("url("));
        assert!(text.contains("prefers-color-scheme: dark"));
        assert!(!text.contains("NaN") && !text.contains(">inf"));
    }
    let page = Html::parse_document(&whole);
    let charts = select(&page, "svg");
    assert_eq!(charts.len(), 4);
    // Four layers and what they do not cover, of two rows.
    assert_eq!(select(&page, "svg .layer").len(), 10);
    assert_eq!(select(&page, "svg .bar").len(), 15 + PASSES.len() + 1);
    // Sets are shared by rows; each is a point once: 12 legal sets less 1 that no row shows, and
    // the control.
    let points = select(&page, "circle.point").len();
    let sets: std::collections::BTreeSet<_> = Made::default()
        .ledger()
        .rows
        .iter()
        .filter_map(|r| r.samples)
        .collect();
    assert_eq!(points, sets.len());
    let page = Html::parse_document(&failed);
    assert!(
        select(&page, "svg .said")
            .iter()
            .any(|t| t.text().any(|t| t == "failed"))
    );
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    mirage_bench::ledger::write(&folder.join("ledger.html"), &whole).unwrap();
    mirage_bench::ledger::write(&folder.join("ledger-failed.html"), &failed).unwrap();
}

#[test]
fn names_are_text_wherever_they_stand() {
    let mut ledger = Made::default().ledger();
    let evil = "\"><script>alert(1)</script><b>";
    ledger.setting.model.name = evil.to_owned();
    ledger.setting.machine.device = evil.to_owned();
    ledger.warnings.push(evil.to_owned());
    for row in &mut ledger.rows {
        row.label = evil.to_owned();
        row.notes.push(evil.to_owned());
    }
    let page = Html::parse_document(&html(&ledger));
    assert!(page.errors.is_empty(), "{:?}", page.errors);
    assert!(select(&page, "script, b").is_empty());
    let heading: String = select(&page, "h1")[0].text().collect();
    assert_eq!(heading, format!("{evil}: gains of each pass"));
    let text = markdown(&table(&ledger));
    assert!(!text.contains('<'));
}

#[test]
fn a_bare_ledger_has_a_page() {
    let mut ledger = Made::default().ledger();
    ledger.rows.truncate(1);
    for row in &mut ledger.rows {
        (row.times, row.throughput, row.error) = (None, None, None);
    }
    ledger.shapley = None;
    ledger.layers.clear();
    let page = Html::parse_document(&html(&ledger));
    assert!(page.errors.is_empty() && select(&page, "circle").is_empty());
    assert_eq!(table(&ledger).columns[0].key, "row");
}
