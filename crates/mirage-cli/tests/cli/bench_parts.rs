//! `mirage bench ops`, `attention` and `resolution` as a process. What times are is not asked, only
//! that what is told belongs together.

use serde_json::Value;

use crate::support::Place;

/// A small and quick frame.
const SMALL: [&str; 6] = ["--size", "32x32", "--steps", "1", "--time", "20s"];

fn ops(place: &Place, more: &[&str]) -> crate::support::Ended {
    place.run(["bench", "ops"].iter().chain(&SMALL).chain(more))
}

#[test]
fn a_models_operations_are_rows_in_json_csv_and_text() {
    let place = Place::new();
    let files = ["--save", "ops.json", "--csv", "ops.csv"];
    let more = [
        "--passes",
        "sdpa,fuse",
        "--op",
        "conv,attention,conv_act",
        "--top",
        "1",
    ];
    let text = ops(&place, &[&files[..], &more].concat()).ok().text();
    let report = place.json("ops.json");
    assert_eq!(
        (&report["format"], &report["schema"]),
        (&"mirage-ops".into(), &1.into())
    );
    assert_eq!(report["passes"], "sdpa,fuse");
    let rows = report["rows"].as_array().unwrap();
    assert!(rows.len() > 2);
    assert!(
        text.contains("more rows (use --top") && text.contains("a frame takes"),
        "{text}"
    );
    // The first row is told whole, on a line of its own.
    let first = rows[0]["brief"].as_str().unwrap();
    assert!(
        first.starts_with("f32 1×") && text.lines().any(|line| line.contains(first)),
        "{text}"
    );
    let mut totals: Vec<f64> = Vec::new();
    for row in rows {
        let op = row["op"].as_str().unwrap();
        assert!(
            ["conv", "attention", "region:conv_act"].contains(&op),
            "{op}"
        );
        assert_eq!(row["outcome"]["state"], "measured");
        let number = |value: &Value| value.as_f64().unwrap();
        let p50 = number(&row["times"]["p50_ms"]);
        totals.push(number(&row["total_ms"]));
        assert!((totals[totals.len() - 1] - number(&row["count"]) * p50).abs() < 1e-9);
        assert!(number(&row["throughput"]["roofline_percent"]) > 0.0);
        assert!(!row["layers"].as_array().unwrap().is_empty());
    }
    assert!(totals.is_sorted_by(|a, b| a >= b), "{totals:?}");
    let csv = std::fs::read_to_string(place.path("ops.csv")).unwrap();
    assert_eq!(csv.lines().count(), rows.len() + 1);
    assert_eq!(place.files(), ["ops.csv", "ops.json"]);
}

#[test]
fn an_unknown_operation_is_answered_with_those_that_there_are() {
    let place = Place::new();
    ops(&place, &["--op", "convolution"]).fails(2, &["convolution", "conv", "softmax", "`all`"]);
    // Raised by a pass that was not asked for.
    ops(&place, &["--op", "attention"]).fails(2, &["attention", "matmul"]);
}

#[test]
fn attention_is_measured_against_its_naive_form() {
    let place = Place::new();
    let sizes = [
        "--lengths",
        "16..32",
        "--head-dims",
        "4,8",
        "--heads",
        "2",
        "--time",
        "20s",
    ];
    let args = ["bench", "attention", "--dtype", "f32,f16", "--json"];
    let report = place.run(args.iter().chain(&sizes)).ok().parsed();
    assert_eq!(report["format"], "mirage-attention");
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 8);
    for row in rows {
        assert_eq!(row["op"]["outcome"]["state"], "measured", "{row}");
        assert!(row["speed_up"]["ratio"].as_f64().unwrap() > 0.0);
        let tolerance = if row["dtype"] == "f32" { 1e-5 } else { 2e-2 };
        assert!(
            row["difference"]["relative_l2"].as_f64().unwrap() < tolerance,
            "{row}"
        );
        let peak = |side: &str| row[side]["planned_peak_bytes"].as_u64().unwrap();
        assert!(peak("naive") > peak("op"));
    }
}

#[test]
fn attention_that_memory_cannot_hold_is_a_row_that_says_so() {
    let place = Place::new();
    let args = [
        "bench",
        "attention",
        "--lengths",
        "16,1048576",
        "--head-dims",
        "8",
    ];
    let more = [
        "--dtype",
        "f32",
        "--memory",
        "100",
        "--time",
        "20s",
        "--markdown",
    ];
    let table = place.run(args.iter().chain(&more)).ok().text();
    let large: Vec<&str> = table.lines().filter(|l| l.contains("1048576")).collect();
    assert!(
        large.len() == 1 && large[0].contains("not enough memory"),
        "{table}"
    );
}

#[test]
fn a_frame_grows_with_its_side() {
    let place = Place::new();
    let args = [
        "bench",
        "resolution",
        "--sides",
        "32,64",
        "--steps",
        "1",
        "--time",
        "30s",
    ];
    let text = place
        .run(args.iter().chain(&["--save", "growth.json"]))
        .ok()
        .text();
    assert!(text.contains("grows with pixels^"), "{text}");
    let report = place.json("growth.json");
    assert_eq!(report["format"], "mirage-resolution");
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let flops = |i: usize| rows[i]["flops"].as_f64().unwrap();
    let power = report["flops_growth"].as_f64().unwrap();
    assert!(((flops(1) / flops(0)).log(4.0) - power).abs() < 1e-9);
    assert!(report["time_growth"]["overall"]["estimate"].is_number());
}

#[test]
fn bad_input_is_told_before_anything_is_measured() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["ops", "--time", "0"], &["--time", "above 0"]),
        (&["ops", "--sort", "speed"], &["--sort", "gflops"]),
        (&["ops", "--size", "30x30"], &["multiples of 4"]),
        (&["ops", "--passes", "sdpb"], &["unknown pass `sdpb`"]),
        (&["ops", "--steps", "0"], &["--steps"]),
        (&["ops", "--json", "--markdown"], &["--json", "--markdown"]),
        (&["ops", "--save", "a", "--csv", "a"], &["the same file"]),
        (&["attention", "--time", "0s"], &["--time", "above 0"]),
        (
            &["attention", "--lengths", "128..64"],
            &["--lengths", "128..64"],
        ),
        (&["attention", "--lengths", "0"], &["--lengths"]),
        (&["attention", "--head-dims", "x"], &["--head-dims", "`x`"]),
        (&["attention", "--heads", "0"], &["--heads"]),
        (&["attention", "--dtype", "i32"], &["--dtype", "f32"]),
        (
            &["attention", "--backend", "gpu"],
            &["unknown backend `gpu`"],
        ),
        (&["resolution", "--time", "never"], &["--time"]),
        (
            &["resolution", "--sides", "64,66"],
            &["66x66", "multiples of 4"],
        ),
        (&["resolution", "--sides", "4..2"], &["--sides"]),
        (&["opps"], &["opps"]),
    ];
    let place = Place::new();
    for (args, words) in cases {
        place.run(["bench"].iter().chain(*args)).fails(2, words);
    }
    for part in ["ops", "attention", "resolution"] {
        let args = ["bench", part, "--csv", "missing/rows.csv"];
        place
            .run(args)
            .fails(1, &["missing/rows.csv", "there is no folder"]);
    }
    assert!(place.files().is_empty(), "{:?}", place.files());
}

#[test]
fn too_little_time_is_an_error_and_leaves_no_file() {
    let place = Place::new();
    let short = ["--time", "0.001s", "--save", "report.json"];
    for part in ["ops", "attention", "resolution"] {
        let ended = place.run(["bench", part].iter().chain(&short));
        assert_eq!(ended.code, Some(1), "{part}: {}", ended.stderr);
        assert!(ended.stderr.contains("time"), "{part}: {}", ended.stderr);
        assert_eq!(
            place.files().contains(&"report.json".to_owned()),
            part != "ops"
        );
        let _ = std::fs::remove_file(place.path("report.json"));
    }
}
