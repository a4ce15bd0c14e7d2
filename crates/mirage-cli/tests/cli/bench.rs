//! `mirage bench` from end to end: what is in a ledger and how files are compared, not how long
//! anything took.

use std::{collections::BTreeSet, fs, sync::OnceLock};

use safetensors::{SafeTensors, tensor::TensorView};
use serde_json::{Value, json};

use crate::support::{Ended, Place};

/// Flags of a small measurement: long enough for some rounds on a machine that is busy with the other
/// tests.
const SMALL: [&str; 7] = ["bench", "--size", "32x32", "--steps", "1", "--time", "6s"];

fn small(place: &Place, more: &[&str]) -> Ended {
    place.run(SMALL.iter().chain(more))
}

/// A ledger of one pass, measured once for all tests that need one.
fn ledger() -> Value {
    static LEDGER: OnceLock<Value> = OnceLock::new();
    let measure = || {
        let flags = ["--passes", "sdpa", "--control", "--json"];
        small(&Place::new(), &flags).ok().parsed()
    };
    LEDGER.get_or_init(measure).clone()
}

fn labels(ledger: &Value) -> Vec<&str> {
    let rows = ledger["rows"].as_array().unwrap();
    rows.iter().map(|r| r["label"].as_str().unwrap()).collect()
}

/// A value with its numbers and texts replaced by their kinds, and of every list its different
/// elements: what a reader of the schema relies on.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("boolean"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("text"),
        Value::Array(all) => {
            let kinds: BTreeSet<String> = all.iter().map(|v| shape(v).to_string()).collect();
            let parse = |kind: &String| serde_json::from_str(kind).unwrap();
            Value::Array(kinds.iter().map(parse).collect())
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), shape(value)))
            .collect(),
    }
}

#[test]
fn a_ledger_has_every_row_and_every_column() {
    let place = Place::new();
    let flags = [
        "--passes",
        "sdpa,graph_capture",
        "--control",
        "--shapley",
        "--plant",
        "50%",
        "--row",
        "mine=sdpa,fuse{max_body=4}",
        "--row",
        "again=sdpa",
        "--json",
        "--save",
        "l.json",
        "--csv",
        "l.csv",
        "--html",
        "l.html",
    ];
    let run = small(&place, &flags).ok();
    assert!(
        run.stderr.contains("note: this takes about"),
        "{}",
        run.stderr
    );
    let ledger = run.parsed();
    assert_eq!(
        labels(&ledger),
        [
            "none",
            "none again",
            "none + 50 %",
            "sdpa",
            "graph_capture",
            "+ sdpa",
            "+ graph_capture",
            "- sdpa",
            "- graph_capture",
            "all",
            "mine",
            "again"
        ]
    );
    assert_eq!(
        place.json("l.json"),
        ledger,
        "what is saved is what is printed"
    );
    assert_eq!(place.files(), ["l.csv", "l.html", "l.json"]);
    let csv = fs::read_to_string(place.path("l.csv")).unwrap();
    assert_eq!(csv.lines().count(), 13);
    let page = fs::read_to_string(place.path("l.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Time by layer"));

    let at = ledger["measured_at"].as_str().unwrap();
    assert!(at.len() == 20 && at.ends_with('Z'), "{at}");
    // A set of one's own that has a pass under other options has it under a name that tells them.
    let mine = &ledger["rows"][10];
    assert_eq!(mine["passes"], json!(["sdpa", "fuse"]));
    assert_eq!(ledger["passes"][2]["spec"], "fuse{max_body=4}");
    assert_eq!(
        ledger["rows"][11]["against_before"]["other"],
        mine["passes"]
    );

    for (row, label) in ledger["rows"]
        .as_array()
        .unwrap()
        .iter()
        .zip(labels(&ledger))
    {
        let mut empty = Vec::new();
        nulls(row, "", &mut empty);
        // docs/reference/ledger.md says why each of these is null where it is. Resident sets and intervals take
        // time, which a busy machine may not leave.
        let may = |path: &str| {
            path.ends_with("psnr_db")
                || path == "/memory/resident_bytes"
                    && warned(&ledger, "resident set sizes were not measured")
                || path.starts_with("/against")
                    && (path.ends_with("interval") || path.ends_with("verdict"))
                || label == "none" && ["/against_none", "/against_before"].contains(&path)
        };
        empty.retain(|path| !may(path));
        assert!(empty.is_empty(), "{label}: {empty:?}");
    }
    let mut row = ledger["rows"][9].clone();
    row["memory"]["resident_bytes"] = json!(1);
    for gain in ["against_none", "against_before"] {
        let fields = row[gain].as_object_mut().unwrap();
        fields.insert(
            "interval".to_owned(),
            json!({"estimate": 1.0, "low": 1.0, "high": 1.0}),
        );
        fields.insert("verdict".to_owned(), json!("same"));
    }
    let described = shape(&json!({
        "ledger": without(&ledger, &["rows", "warnings", "shapley"]),
        "row": without(&row, &["notes"]),
    }));
    insta::assert_snapshot!(serde_json::to_string_pretty(&described).unwrap());
}

fn warned(ledger: &Value, words: &str) -> bool {
    ledger["warnings"].to_string().contains(words)
}

fn without(object: &Value, fields: &[&str]) -> Value {
    let kept = object.as_object().unwrap().iter();
    kept.filter(|(name, _)| !fields.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The places of nulls in a value.
fn nulls(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Null => found.push(path.to_owned()),
        Value::Array(all) => {
            for (i, value) in all.iter().enumerate() {
                nulls(value, &format!("{path}/{i}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                nulls(value, &format!("{path}/{name}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_table_says_what_it_is_of() {
    let place = Place::new();
    let shown = small(&place, &["--passes", "sdpa"]).ok().text();
    for word in [
        "lsd-tiny at 32x32, 1 step per frame",
        "one process",
        "speed-up over none",
        "speed-up over",
        "p95 ms",
        "planned",
        "measured",
        "resident",
        "GFLOP/s",
        "roofline",
        "SSIM",
        "- sdpa",
    ] {
        let text = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(word), "`{word}` is not in:\n{shown}");
    }
    assert!(place.files().is_empty());
}

#[test]
fn processes_are_joined() {
    let place = Place::new();
    let flags = ["--passes", "sdpa", "--processes", "2", "--json"];
    let ledger = small(&place, &flags).ok().parsed();
    assert_eq!(ledger["method"]["processes"], 2);
    for set in ledger["samples_ms"].as_array().unwrap() {
        let processes = set.as_array().unwrap();
        assert_eq!(processes.len(), 2);
        assert!(processes.iter().all(|p| p.as_array().unwrap().len() >= 2));
    }
    assert!(ledger["rows"][0]["error"]["frame"]["ssim"].is_number());
}

/// Weights with which an intermediate value is beyond what f16 can hold, and far from what f32 can.
fn large_weights() -> Vec<u8> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../mirage-stream/tests/data/stress_b16.safetensors"
    );
    let bytes = fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let changed: Vec<(String, Vec<u8>)> = tensors
        .iter()
        .map(|(name, view)| {
            let mut data = view.data().to_vec();
            if name == LARGE {
                // 50 000 in f16 with the sign that is there.
                for half in data.chunks_exact_mut(2) {
                    (half[0], half[1]) = (0x1a, half[1] & 0x80 | 0x7a);
                }
            }
            (name.to_owned(), data)
        })
        .collect();
    let views = changed.iter().map(|(name, data)| {
        let view = tensors.tensor(name).unwrap();
        let (dtype, shape) = (view.dtype(), view.shape().to_vec());
        (name, TensorView::new(dtype, shape, data).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// The weights that are made large.
const LARGE: &str = "unets.0.enc1.conv_layers.0.weight";

#[test]
fn a_pass_that_fails_in_the_middle_leaves_the_others() {
    let place = Place::new();
    place.write("large.safetensors", large_weights());
    let flags = [
        "bench",
        "--model",
        "stress",
        "--set",
        "network.base_channels=16",
        "--weights",
        "large.safetensors",
        "--size",
        "16x16",
        "--steps",
        "1",
        "--time",
        "10s",
        "--passes",
        "fp16,sdpa",
        "--json",
        "--save",
        "l.json",
    ];
    let ended = place.run(flags);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("some sets failed (the others were measured): fp16: "),
        "{}",
        ended.stderr
    );
    let ledger = place.json("l.json");
    let row = |label: &str| {
        let rows = ledger["rows"].as_array().unwrap();
        rows.iter().find(|r| r["label"] == label).unwrap().clone()
    };
    for failed in ["fp16", "+ fp16", "all"] {
        let row = row(failed);
        assert_eq!(row["outcome"]["state"], "failed");
        assert!(
            row["outcome"]["reason"]
                .as_str()
                .unwrap()
                .contains("the output of the model is not finite")
        );
        assert!(row["times"].is_null());
    }
    for whole in ["none", "sdpa", "- fp16"] {
        assert_eq!(row(whole)["outcome"]["state"], "measured");
        assert!(row(whole)["times"]["p50_ms"].is_number());
    }
    let warnings = ledger["warnings"].to_string();
    assert!(warnings.contains("fp16: failed: "), "{warnings}");
}

/// The samples of a row's set times a factor.
fn slower(ledger: &Value, label: &str, factor: f64) -> Value {
    let mut slower = ledger.clone();
    let rows = ledger["rows"].as_array().unwrap();
    let row = rows.iter().find(|r| r["label"] == label).unwrap();
    let set = row["samples"].as_u64().unwrap() as usize;
    for process in slower["samples_ms"][set].as_array_mut().unwrap() {
        for sample in process.as_array_mut().unwrap() {
            *sample = json!(sample.as_f64().unwrap() * factor);
        }
    }
    slower
}

/// The ledger with every sample replaced: what a comparison says must not hang on how quiet the machine was.
fn with_samples(ledger: &Value, sample: impl Fn(usize) -> f64) -> Value {
    let mut changed = ledger.clone();
    for set in changed["samples_ms"].as_array_mut().unwrap() {
        for process in set.as_array_mut().unwrap() {
            let samples = process.as_array_mut().unwrap();
            *samples = (0..40).map(|i| json!(sample(i))).collect();
        }
    }
    changed
}

#[test]
fn a_regression_is_found_in_saved_files() {
    let place = Place::new();
    let first = with_samples(&ledger(), |i| 10.0 + 0.001 * (i % 3) as f64);
    let noisy = with_samples(&first, |i| 7.0 + 0.15 * (i * 7 % 40) as f64);
    place.write("first.json", first.to_string());
    place.write("same.json", first.to_string());
    place.write("slower.json", slower(&first, "none again", 3.0).to_string());
    place.write("noisy.json", noisy.to_string());
    let command = ["bench", "compare", "first.json", "same.json", "slower.json"];
    let shown = place.run(command).ok().text();
    assert!(
        shown.contains("slower.json compared with first.json"),
        "{shown}"
    );

    let ended = place.run(command.iter().chain(&["--fail-on-regression", "5%"]));
    assert_eq!(ended.code, Some(1));
    assert!(
        ended
            .stderr
            .contains("slower by more than 5 %: none again (slower.json)"),
        "{}",
        ended.stderr
    );
    let found = place
        .run(command.iter().chain(&["noisy.json", "--json"]))
        .ok()
        .parsed();
    let verdicts = |file: usize| -> Vec<&Value> {
        let rows = found[file]["rows"].as_array().unwrap();
        rows.iter().map(|r| &r["finding"]["verdict"]).collect()
    };
    assert_eq!(verdicts(0), ["compared"; 6]);
    let change = |file: usize, row: usize| &found[file]["rows"][row]["finding"]["change"];
    assert_eq!(change(0, 1), "same");
    assert_eq!(change(1, 0), "same");
    assert_eq!(change(1, 1), "slower");
    assert_eq!(change(2, 0), "undecided");
    assert!(found[1]["none_moved"].is_null());
}

#[test]
fn another_machine_is_not_comparable() {
    let place = Place::new();
    let first = ledger();
    let mut other = first.clone();
    other["machine"]["device"] = json!("Another CPU");
    other["dtype"] = json!("bf16");
    place.write("first.json", first.to_string());
    place.write("other.json", other.to_string());
    let command = ["bench", "compare", "first.json", "other.json"];
    let shown = place.run(command).ok().text();
    assert!(
        shown.contains("not comparable: machine differs: ") && shown.contains("Another CPU"),
        "{shown}"
    );
    let ended = place.run(command.iter().chain(&["--fail-on-regression", "5"]));
    assert_eq!(ended.code, Some(1));
    let words = "not comparable: other.json: machine, dtype differ";
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
}

#[test]
fn a_measurement_is_compared_with_many_files() {
    let place = Place::new();
    let mut other = ledger();
    other["machine"]["details"] = json!("96 threads");
    place.write("a.json", ledger().to_string());
    place.write("b.json", other.to_string());
    let flags = ["--passes", "sdpa", "--compare", "a.json", "b.json"];
    let shown = small(&place, &flags).ok().text();
    assert!(
        shown.contains("this ledger compared with a.json"),
        "{shown}"
    );
    assert!(
        shown.contains("this ledger compared with b.json"),
        "{shown}"
    );
    assert!(shown.contains("96 threads"), "{shown}");
}

#[test]
fn a_folder_of_ledgers_is_a_history() {
    let place = Place::new();
    let mut later = slower(&ledger(), "none", 2.0);
    later["measured_at"] = json!("2099-01-01T00:00:00Z");
    fs::create_dir(place.path("saved")).unwrap();
    place.write("saved/now.json", ledger().to_string());
    place.write("saved/later.json", later.to_string());
    place.write("saved/cut.json", &ledger().to_string()[..200]);
    let flags = ["bench", "history", "saved", "--html", "history.html"];
    let shown = place.run(flags).ok().text();
    for word in [
        "lsd-tiny at 32×32",
        "none again",
        "2099-01-01",
        "skipped: saved/cut.json: truncated",
    ] {
        assert!(shown.contains(word), "`{word}` is not in:\n{shown}");
    }
    let page = fs::read_to_string(place.path("history.html")).unwrap();
    assert!(page.contains("Ledgers over time") && page.contains("cut.json"));
    let found = place
        .run(["bench", "history", "saved", "--json"])
        .ok()
        .parsed();
    assert_eq!(found["format"], "mirage-history");
    let points = found["groups"][0]["rows"][0]["points"].as_array().unwrap();
    let files: Vec<&Value> = points.iter().map(|p| &p["file"]).collect();
    assert_eq!(files, ["now.json", "later.json"]);

    fs::create_dir(place.path("empty")).unwrap();
    place
        .run(["bench", "history", "empty"])
        .fails(1, &["empty", "no ledger", "--save"]);
    place
        .run(["bench", "history", "nowhere", "--html", "h.html"])
        .fails(1, &["nowhere", "expected a folder"]);
    assert!(!place.path("h.html").exists());
}

#[test]
fn no_time_for_one_run_saves_nothing() {
    let place = Place::new();
    place.write("l.json", "from before");
    let flags = [
        "--passes", "sdpa", "--time", "1ms", "--save", "l.json", "--csv", "l.csv",
    ];
    // The later --time would be given twice.
    let flags = ["bench", "--size", "32x32", "--steps", "1"]
        .iter()
        .chain(&flags);
    place.run(flags).fails(
        1,
        &["the time budget of 1.0ms is too short", "longer --time"],
    );
    assert_eq!(place.files(), ["l.json"]);
    assert_eq!(fs::read(place.path("l.json")).unwrap(), b"from before");
}

#[test]
fn what_cannot_work_is_told_before_minutes_are_spent() {
    let place = Place::new();
    let text = ledger().to_string();
    place.write("cut.json", &text[..text.len() / 2]);
    place.write(
        "newer.json",
        text.replacen("\"schema\":1", "\"schema\":9", 1),
    );
    place.write("report.json", "{\"schema\": 1}");
    let before = place.files();
    let cases: &[(&[&str], &[&str])] = &[
        (&["--save", "no/such/l.json"], &["no/such/l.json", "folder"]),
        (&["--html", "no/such/l.html"], &["no/such/l.html", "folder"]),
        (&["--compare", "cut.json"], &["cut.json", "truncated"]),
        (
            &["--compare", "newer.json"],
            &["newer.json", "schema 9", "reads 1"],
        ),
        (
            &["--compare", "report.json"],
            &["report.json", "not a ledger"],
        ),
        (&["--compare", "nope.json"], &["nope.json"]),
    ];
    for (flags, words) in cases {
        let flags = ["bench", "--passes", "sdpa", "--time", "1h"]
            .iter()
            .chain(*flags);
        place.run(flags).fails(1, words);
        assert_eq!(place.files(), before);
    }
    place
        .run(["bench", "compare", "cut.json", "newer.json"])
        .fails(1, &["cut.json", "truncated"]);
}

#[test]
fn wrong_command_lines() {
    let place = Place::new();
    let cases: &[(&[&str], &[&str])] = &[
        (&["bench"], &["--passes sdpa,fuse"]),
        (
            &["bench", "--passes", "sdpb"],
            &["unknown pass `sdpb`", "`sdpa`"],
        ),
        (
            &["bench", "--passes", "sdpa", "--time", "soon"],
            &["--time", "60s"],
        ),
        (
            &["bench", "--passes", "sdpa", "--time", "0"],
            &["--time", "above 0"],
        ),
        (
            &["bench", "--passes", "sdpa", "--processes", "0"],
            &["--processes"],
        ),
        (
            &["bench", "--passes", "sdpa", "--keep-order"],
            &["--keep-order"],
        ),
        (
            &["bench", "--passes", "sdpa", "--plant", "x"],
            &["--plant", "percent"],
        ),
        (&["bench", "--row", "a=sdpb"], &["--row a=sdpb", "`sdpa`"]),
        (&["bench", "--row", "=sdpa"], &["LABEL=PASSES"]),
        (&["bench", "--row", "all=sdpa"], &["`all`", "another label"]),
        (
            &["bench", "--row", "a=sdpa", "--row", "a=fuse"],
            &["`a`", "another label"],
        ),
        (
            &["bench", "--row", "a=fp16,bf16"],
            &["`fp16` conflicts with `bf16`"],
        ),
        (
            &["bench", "--passes", "sdpa", "--set", "network.chanels=8"],
            &["`network.channels`"],
        ),
        (
            &["bench", "--passes", "sdpa", "--save", "x", "--csv", "x"],
            &["--csv", "--save", "the same file"],
        ),
        (
            &["bench", "--passes", "sdpa", "--fail-on-regression", "5%"],
            &["--compare"],
        ),
        (
            &[
                "bench",
                "compare",
                "a.json",
                "b.json",
                "--fail-on-regression",
                "much",
            ],
            &["--fail-on-regression", "percent"],
        ),
        (&["bench", "compare", "a.json"], &["OTHER.json"]),
    ];
    for (args, words) in cases {
        place.run(*args).fails(2, words);
        assert!(
            place.files().is_empty(),
            "{args:?} left {:?}",
            place.files()
        );
    }
}
