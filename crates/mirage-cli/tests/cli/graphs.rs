//! `mirage graph`: dumps that can be compared, and graphs from files that run.

use crate::support::Place;

const SMALL: [&str; 6] = ["graph", "dump", "--size", "32x32", "--steps", "1"];

#[test]
fn a_diff_of_two_dumps_shows_the_rewrites_and_not_every_line_after_them() {
    let place = Place::new();
    let dump = |more: &[&str]| place.run(SMALL.iter().chain(more)).ok().text();
    let differing = |flags: &[&str]| {
        let before = dump(flags);
        let after = dump(&[flags, &["--passes", "sdpa"]].concat());
        let kept: std::collections::HashSet<&str> = before.lines().collect();
        let new = after.lines().filter(|l| !kept.contains(l)).count();
        (new, after.lines().count())
    };
    let (numbers, _) = differing(&[]);
    let (names, lines) = differing(&["--stable-ids"]);
    assert!(names > 0 && names * 10 < lines, "{names} of {lines}");
    assert!(names * 5 < numbers, "{names}, {numbers} by number");
    let wire = SMALL.iter().chain(&["--stable-ids", "--format", "wire"]);
    place.run(wire).fails(2, &["--stable-ids"]);
}

#[test]
fn a_graph_from_a_file_runs_with_passes() {
    let place = Place::new();
    place.write(
        "g.txt",
        r#"graph "g" {
  input %0 "x": f32[1,4]
  param %1 "w": f32[4,4]
  %2: f32[1,4] = matmul(%0, %1)
  %3: f32[1,4] = matmul(%0, %1)
  %4: f32[1,4] = add(%2, %3)
  output "y" = %4
}
"#,
    );
    let run = ["graph", "run", "g.txt"];
    let found = place
        .run(
            run.iter()
                .chain(&["--repeat", "3", "--json", "--output", "y.safetensors"]),
        )
        .ok()
        .parsed();
    assert_eq!(found["outputs"][0]["name"], "y");
    assert_eq!(found["outputs"][0]["shape"], serde_json::json!([1, 4]));
    assert_eq!(found["nodes"], serde_json::json!([3, 2]), "{found}");
    assert!(found["median_ms"].as_f64().unwrap() > 0.0);
    assert!(place.files().contains(&"y.safetensors".to_owned()));
    let text = place
        .run(run.iter().chain(&["--passes", "fp16"]))
        .ok()
        .text();
    assert!(text.contains("fp16") && text.contains("3 →"), "{text}");

    let shown = ["graph", "show", "g.txt"];
    let found = place.run(shown.iter().chain(&["--json"])).ok().parsed();
    assert_eq!(found["inputs"][0]["type"], "f32[1,4]");
    assert_eq!(
        found["operations"],
        serde_json::json!({"add": 1, "matmul": 2})
    );
    assert_eq!(found["flops"], 2 * 2 * 16 + 4);
    let text = place.run(shown).ok().text();
    assert!(
        text.contains("matmul") && text.contains("1 parameters"),
        "{text}"
    );

    // What a dump wrote runs, in both forms.
    for (format, name) in [("text", "step.txt"), ("wire", "step.bin")] {
        let dump = [
            "graph",
            "dump",
            "--forward",
            "--size",
            "32x32",
            "--format",
            format,
        ];
        place.run(dump.iter().chain(&["--output", name])).ok();
        place.run(["graph", "run", name, "--passes", "sdpa"]).ok();
    }
}

/// 1/3 is not a number of f16: a lowered graph is off by its rounding, and within the bound of the pass.
#[test]
fn a_graph_is_checked_against_its_definition() {
    let place = Place::new();
    place.write(
        "g.txt",
        r#"graph "g" {
  input %0 "x": f32[64,64]
  param %1 "w": f32[64,64]
  %2: f32[64,64] = matmul(%0, %1)
  %3: f32[64,64] = mul_scalar(%2) {value = 0.3333333333333333}
  output "y" = %3
}
"#,
    );
    let error = |passes: &str| {
        let run = [
            "graph", "run", "g.txt", "--check", "--json", "--passes", passes,
        ];
        let check = place.run(run).ok().parsed()["check"].clone();
        assert_eq!(check["holds"], true, "{check}");
        check["rel_l2"].as_f64().unwrap()
    };
    let (single, half) = (error("fuse"), error("fp16"));
    assert!(single < 1e-6, "{single}");
    assert!(half > 1e-5 && half < 1e-2, "{half}");
    let text = place.run(["graph", "run", "g.txt", "--check"]).ok().text();
    assert!(
        text.contains("error against the reference interpreter"),
        "{text}"
    );
}

#[test]
fn a_reproducer_runs_with_its_own_passes_and_is_a_pipeline() {
    let place = Place::new();
    place.write(
        "repro.toml",
        r#"error = "it failed"
version = 1
passes = ["sdpa"]
graph = """
graph "g" {
  input %0 "x": f32[4]
  %1: f32[4] = neg(%0)
  output "y" = %1
}
"""

[capabilities]
lines = []
"#,
    );
    let found = place
        .run(["graph", "run", "repro.toml", "--json"])
        .ok()
        .parsed();
    let passes = found["passes"].as_array().unwrap();
    assert!(passes.iter().any(|p| p["name"] == "sdpa"), "{found}");
    let dump = place
        .run(SMALL.iter().chain(&["--pipeline", "repro.toml"]))
        .ok();
    assert!(dump.text().contains("attention("));
}

#[test]
fn files_that_are_no_graphs_say_why() {
    let place = Place::new();
    place.write("not.txt", "graph \"g\" {\n  nonsense\n}\n");
    place
        .run(["graph", "run", "not.txt"])
        .fails(1, &["not.txt", "2"]);
    place
        .run(["graph", "run", "nowhere.txt"])
        .fails(1, &["nowhere.txt", "cannot read"]);
    place.write("bytes.bin", [0xff, 0xfe, 0x00]);
    place
        .run(["graph", "run", "bytes.bin"])
        .fails(1, &["bytes.bin"]);
}
