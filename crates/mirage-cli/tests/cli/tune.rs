//! `mirage tune`: what it writes runs, and what it cannot do it says. No test looks at a time but that
//! of the budget, which is generous.

use std::fs;

use serde_json::Value;

use crate::support::{Ended, Place};

const QUICK: [&str; 9] = [
    "tune", "--size", "32x32", "--steps", "1", "--frames", "2", "--budget", "20s",
];

fn quick(place: &Place, more: &[&str]) -> Ended {
    place.run(QUICK.iter().chain(more))
}

fn sets(report: &Value) -> Vec<&Value> {
    report["sets"].as_array().unwrap().iter().collect()
}

#[test]
fn the_choice_is_written_as_a_pipeline_that_runs() {
    let place = Place::new();
    let ended = quick(
        &place,
        &["--output", "tuned.toml", "--max-error", "psnr≥40", "--json"],
    )
    .ok();
    let report = ended.parsed();
    assert_eq!(
        (&report["format"], &report["schema"]),
        (&"mirage-tune".into(), &1.into())
    );
    assert!(report["elapsed_s"].as_f64().unwrap() <= 20.0);

    // The file is the choice, and nothing else was left.
    assert_eq!(place.files(), ["tuned.toml"]);
    let file = fs::read_to_string(place.path("tuned.toml")).unwrap();
    assert!(file.starts_with("# Found by mirage tune"), "{file}");
    let dump = |flag: &str, value: &str| {
        let args = [
            "graph", "dump", "--size", "32x32", "--steps", "1", flag, value,
        ];
        place.run(args).ok().text()
    };
    let chosen = report["choice"]["passes"].as_str().unwrap();
    assert_eq!(dump("--pipeline", "tuned.toml"), dump("--passes", chosen));

    // Every named set was a candidate, and the choice is not slower than any that keeps the bound.
    let against = report["choice"]["against"].as_array().unwrap();
    for name in ["none", "safe", "quality", "auto", "fast"] {
        let verdict = against.iter().find(|a| a["set"] == name).unwrap();
        let slower = verdict["verdict"] == "slower" && verdict["out_of_bound"] == false;
        assert!(!slower, "{name}: {verdict}");
    }
    let chosen = sets(&report)
        .into_iter()
        .find(|s| s["passes"] == chosen)
        .unwrap();
    assert_eq!(chosen["outcome"], "stayed");
    assert!(chosen["psnr_db"].as_f64().is_none_or(|db| db >= 40.0));
}

#[test]
fn the_front_has_no_set_that_another_beats_in_both() {
    let place = Place::new();
    let report = quick(&place, &["--json"]).ok().parsed();
    let point = |s: &Value| Some((s["median_ms"].as_f64()?, s["relative_l2"].as_f64()?));
    let all: Vec<(f64, f64)> = sets(&report).into_iter().filter_map(point).collect();
    let front = sets(&report).into_iter().filter(|s| s["on_front"] == true);
    let front: Vec<(f64, f64)> = front.filter_map(point).collect();
    assert!(!front.is_empty());
    for (time, error) in front {
        assert!(!all.iter().any(|(t, e)| *t < time && *e < error));
    }
    let text = quick(&place, &[]).ok().text();
    for word in [
        "choice",
        "against none",
        "against fast",
        "PSNR",
        "time",
        "quality",
    ] {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
}

#[test]
fn a_set_out_of_the_bound_is_never_chosen() {
    let place = Place::new();
    // Half precision cannot keep this.
    let ended = quick(&place, &["--max-error", "rel<=1e-5", "--json"]).ok();
    let report = ended.parsed();
    let fast = sets(&report).into_iter();
    let fast = fast.filter(|s| s["names"].as_array().unwrap().contains(&"fast".into()));
    assert!(fast.clone().count() == 1 && fast.clone().all(|s| s["outcome"] == "out_of_bound"));
    let chosen = report["choice"]["passes"].as_str().unwrap();
    assert!(!chosen.contains("fp16"), "{chosen}");
}

#[test]
fn what_cannot_be_done_is_said_and_nothing_is_written() {
    let place = Place::new();
    let args = ["--budget", "1ms", "--output", "tuned.toml"];
    let small = ["tune", "--size", "32x32", "--steps", "1"];
    place
        .run(small.iter().chain(&args))
        .fails(1, &["--budget", "use at least"]);
    for (bound, word) in [
        ("psnr", "psnr>=40"),
        ("psnr<=40", "rel<=1e-2"),
        ("rel<=-1", "expected psnr>=40"),
    ] {
        quick(&place, &["--max-error", bound]).fails(2, &["--max-error", word]);
    }
    quick(&place, &["--output", "nowhere/tuned.toml"])
        .fails(1, &["nowhere/tuned.toml", "there is no folder nowhere"]);
    place
        .run(["tune", "--budget", "soon"])
        .fails(2, &["--budget", "a time"]);
    assert!(place.files().is_empty(), "{:?}", place.files());
}
