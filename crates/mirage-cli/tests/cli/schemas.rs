//! The fields of reports, as pages of the reference describe them, against what the program writes: a field that a page
//! does not have, and one that only the page has, fail.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::{pages::root, support::Place};

/// A page of the reference.
struct Page {
    name: &'static str,
    text: String,
}

impl Page {
    fn read(name: &'static str) -> Self {
        let text = fs::read_to_string(root().join("docs").join(name)).unwrap();
        Page { name, text }
    }

    /// The tables between this heading and the next, or the tables before any heading for an empty one.
    fn section(&self, heading: &str) -> Vec<&str> {
        let lines = self.text.lines();
        let is_heading = |line: &&str| line.starts_with('#');
        let inside: Vec<&str> = match heading {
            "" => lines.skip(1).take_while(|line| !is_heading(line)).collect(),
            heading => {
                let mut after = lines.skip_while(|line| *line != heading);
                assert!(after.next().is_some(), "{} has `{heading}`", self.name);
                after.take_while(|line| !is_heading(line)).collect()
            }
        };
        inside
    }

    /// The fields of the table whose first column has this name.
    fn fields(&self, heading: &str, column: &str) -> BTreeSet<String> {
        let head = format!("| {column} |");
        let rows = self.section(heading).into_iter();
        let rows = rows.skip_while(|line| !line.starts_with(&head)).skip(2);
        let rows = rows.take_while(|line| line.starts_with('|'));
        let fields: BTreeSet<String> = rows
            .filter_map(|row| row.split('|').nth(1))
            .flat_map(quoted)
            .collect();
        assert!(
            !fields.is_empty(),
            "{} has fields under `{heading}`",
            self.name
        );
        fields
    }

    /// Checks that the fields of a table are those of an object.
    fn describes(&self, heading: &str, column: &str, object: &Value) {
        let written: BTreeSet<String> = object.as_object().unwrap().keys().cloned().collect();
        let said = self.fields(heading, column);
        assert_eq!(
            said, written,
            "{}, `{heading}`: the page left, the report right",
            self.name
        );
    }
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_report_of_a_run_is_as_its_page_says() {
    let page = Page::read("reference/report.md");
    let place = Place::new();
    let more = [
        "--size",
        "16x16",
        "--frames",
        "4",
        "--warmup",
        "1",
        "--compare",
        "2",
        "--passes",
        "sdpa",
        "--json",
    ];
    let report = place.run([&["run"], &more[..]].concat()).ok().parsed();
    page.describes("", "Field", &report);
    page.describes("## An element of `passes`", "Field", &report["passes"][0]);
    page.describes("## `comparison`", "Field", &report["comparison"]);
}

#[test]
fn a_ledger_is_as_its_page_says() {
    let page = Page::read("reference/ledger.md");
    let place = Place::new();
    let more = [
        "--size", "16x16", "--steps", "1", "--frames", "2", "--passes", "sdpa", "--time", "2s",
        "--json",
    ];
    let ledger = place.run([&["bench"], &more[..]].concat()).ok().parsed();
    page.describes("## Fields", "Field", &ledger);
    page.describes("### `method`", "Field", &ledger["method"]);
    let rows = ledger["rows"].as_array().unwrap();
    rows.iter()
        .for_each(|row| page.describes("### An element of `rows`", "Field", row));
}

#[test]
fn a_profile_is_as_its_page_says() {
    let page = Page::read("reference/profile.md");
    let place = Place::new();
    let more = [
        "--size", "16x16", "--steps", "1", "--frames", "4", "--warmup", "1", "--passes", "sdpa",
        "--json",
    ];
    let profile = place
        .run([&["profile", "--no-roofline"], &more[..]].concat())
        .ok()
        .parsed();
    page.describes("## Fields", "Field", &profile);
    page.describes("## Fields", "Field of `memory`", &profile["memory"]);
}

#[test]
fn a_parity_report_is_as_its_page_says() {
    let page = Page::read("reference/parity.md");
    let place = Place::new();
    let more = [
        "--size",
        "16x16",
        "--backend",
        "cpu",
        "--passes",
        "none",
        "--dtypes",
        "f32",
        "--json",
    ];
    let report = place.run([&["parity"], &more[..]].concat()).ok().parsed();
    page.describes("", "Field", &report);
    page.describes("## An element of `rows`", "Field", &report["rows"][0]);
}

#[test]
fn the_report_of_tune_is_as_its_page_says() {
    let page = Page::read("reference/tune.md");
    let place = Place::new();
    let more = [
        "--size", "16x16", "--steps", "1", "--frames", "2", "--budget", "5s", "--json",
    ];
    let report = place.run([&["tune"], &more[..]].concat()).ok().parsed();
    page.describes("## Fields", "Field", &report);
}
