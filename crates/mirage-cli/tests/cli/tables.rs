//! The commands that only tell.

use std::process::Stdio;

use crate::support::Place;

#[test]
fn lists_are_there_for_people_and_as_json() {
    let place = Place::new();
    let passes = place.run(["passes", "list", "--json"]).ok().parsed();
    let names: Vec<&str> = passes
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    for name in [
        "canonicalize",
        "fold_constants",
        "eliminate_common",
        "eliminate_dead",
        "sdpa",
        "fp16",
        "bf16",
        "channels_last",
    ] {
        assert!(names.contains(&name), "{name}");
        assert!(place.run(["passes"]).ok().text().contains(name));
    }
    let models = place.run(["models", "--json"]).ok().parsed();
    assert_eq!(models[0]["name"], "lsd-tiny");
    assert!(models[0]["flops_per_frame"].as_u64() > models[0]["flops_per_step"].as_u64());
    let backends = place.run(["backends", "--json"]).ok().parsed();
    assert!(
        backends
            .as_array()
            .unwrap()
            .iter()
            .any(|b| b["name"] == "cpu")
    );
    assert!(place.run(["backends"]).ok().text().contains("burn-flex"));
}

#[test]
fn a_pass_is_shown_with_options_rules_and_capabilities() {
    let place = Place::new();
    let text = place.run(["passes", "show", "fp16"]).ok().text();
    for word in [
        "conflicts",
        "bf16",
        "keep",
        "inputs",
        "precision",
        "on cpu",
        "slow",
    ] {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
    let json = place
        .run(["passes", "show", "fp16", "--json"])
        .ok()
        .parsed();
    assert_eq!(json["capabilities"][0]["support"], "slow");
    assert_eq!(json["options"][0]["name"], "keep");
}

#[test]
fn a_model_is_shown_with_its_settings() {
    let place = Place::new();
    let text = place
        .run([
            "models",
            "show",
            "lsd-tiny",
            "--set",
            "network.memory.slots=7",
        ])
        .ok()
        .text();
    assert!(
        text.contains("slots = 7") && text.contains("memory"),
        "{text}"
    );
    let count = |set: &str| {
        let json = place
            .run(["models", "show", "lsd-tiny", "--json", "--set", set])
            .ok()
            .parsed();
        let listed: u64 = json["parameter_list"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["count"].as_u64().unwrap())
            .sum();
        assert_eq!(json["parameters"].as_u64(), Some(listed));
        listed
    };
    assert!(count("network.channels=32") > 2 * count("network.channels=16"));
}

#[test]
fn graphs_are_dumped_before_and_after() {
    let place = Place::new();
    let dump = |more: &[&str]| {
        let args = ["graph", "dump", "--size", "32x32"];
        place.run(args.iter().chain(more)).ok().text()
    };
    let before = dump(&["--stage", "before"]);
    let after = dump(&["--passes", "sdpa"]);
    assert!(before.contains("softmax(") && !before.contains(" = attention("));
    assert!(after.contains(" = attention("));
    mirage_ir::text::parse(&after).unwrap();
    assert!(dump(&["--forward"]).contains("input %0 \"sample\""));
    place
        .run(["graph", "dump", "--format", "wire", "--output", "g.mp"])
        .ok();
    let wire = std::fs::read(place.path("g.mp")).unwrap();
    assert_eq!(mirage_ir::wire::decode(&wire).unwrap().name(), "lsd-tiny");
}

#[test]
fn completions_and_manual_pages_come_from_the_same_definition() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(
            place
                .run(["completions", shell])
                .ok()
                .text()
                .contains("keep-order"),
            "{shell}"
        );
    }
    assert!(place.run(["man"]).ok().text().contains(".TH mirage"));
    place.run(["man", "pages"]).ok();
    assert!(place.path("pages/mirage-run.1").exists());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    for args in [&["passes", "list"][..], &["graph", "dump"], &["man"]] {
        let mut child = place
            .command()
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(
            output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn colours_are_there_when_asked_for() {
    let place = Place::new();
    assert!(
        place
            .run(["--color", "always", "passes"])
            .ok()
            .text()
            .contains('\u{1b}')
    );
    assert!(
        !place
            .run(["--color", "never", "passes"])
            .ok()
            .text()
            .contains('\u{1b}')
    );
    assert!(!place.run(["passes"]).ok().text().contains('\u{1b}'));
}

#[test]
fn the_doctor_lists_channels_that_miss_the_multiple() {
    let place = Place::new();
    let small = ["doctor", "alignment", "--size", "32x32"];
    let found = place.run(small.iter().chain(&["--json"]));
    assert_eq!(found.code, Some(1), "{}", found.stderr);
    assert!(found.stderr.starts_with("error: ") && found.stderr.lines().count() == 1);
    let report = found.parsed();
    let layers = report["layers"].as_array().unwrap();
    // The picture's nine channels on the way in, its three on the way out.
    assert!(
        layers
            .iter()
            .any(|l| l["size"] == 9 && l["padded"] == 16 && l["side"] == "input channels")
    );
    assert!(
        layers
            .iter()
            .any(|l| l["size"] == 3 && l["padded"] == 8 && l["side"] == "output channels")
    );
    assert!(report["extra_flops"].as_u64() > Some(0));
    assert!(!report["pad_channels"].as_array().unwrap().is_empty());
    let fine = place.run(small.iter().chain(&["--multiple", "1"])).ok();
    assert!(fine.text().contains("every channel count"));
    place
        .run(small.iter().chain(&["--multiple", "0"]))
        .fails(2, &["--multiple"]);
}
