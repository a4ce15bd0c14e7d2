//! `-` is standard output for every file that is written, and never a file of that name.

use safetensors::SafeTensors;
use serde_json::Value;

use crate::{
    infer::{Inputs, infer},
    support::Place,
};

#[test]
fn a_dash_is_standard_output_and_text_goes_to_standard_error() {
    let place = Place::new();
    let report = place.small(&["--frames", "1", "--report", "-"]).ok();
    assert!(report.parsed()["delivered"] == 1 && report.stderr.contains("untrained"));
    // With JSON for people's programs on both streams, each is whole.
    let both = place
        .small(&["--frames", "1", "--report", "-", "--json"])
        .ok();
    let printed: Value = serde_json::from_str(&both.stderr).unwrap();
    assert_eq!(printed, both.parsed());

    let weights = place.run(["models", "export", "--output", "-"]).ok();
    assert!(weights.stderr.contains("untrained weights"));
    place
        .run(["models", "export", "--output", "w.safetensors"])
        .ok();
    let file = std::fs::read(place.path("w.safetensors")).unwrap();
    let piped = SafeTensors::deserialize(&weights.stdout).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    assert_eq!(piped.len(), file.len());
    for (name, tensor) in file.iter() {
        assert_eq!(piped.tensor(name).unwrap(), tensor, "{name}");
    }

    Inputs::new(&place, 16).write(&place, "in.safetensors");
    let outputs = infer(&place, &["--output", "-"]).ok();
    assert!(
        SafeTensors::deserialize(&outputs.stdout)
            .unwrap()
            .tensor("output")
            .is_ok()
    );
    assert!(outputs.stderr.contains("first run"));

    let small = ["--size", "32x32", "--steps", "1"];
    let profile = [
        "profile",
        "--frames",
        "4",
        "--warmup",
        "0",
        "--no-roofline",
        "--memory",
        "-",
    ];
    let memory = place.run(profile.iter().chain(&small)).ok().parsed();
    assert!(memory["peak_bytes"].as_u64() > Some(0));

    let graph = place
        .run(["graph", "dump", "--forward", "--output", "-"])
        .ok();
    assert_eq!(
        graph.stdout,
        place.run(["graph", "dump", "--forward"]).ok().stdout
    );
    assert!(graph.text().starts_with("graph "));
    assert!(!place.path("-").exists());
}

#[test]
fn a_dash_for_a_ledger_carries_the_whole_ledger() {
    let place = Place::new();
    let args = "bench --control --time 1 --frames 2 --size 32x32 --steps 1 --peak 1,1 --save -";
    let ledger = place.run(args.split(' ')).ok();
    assert!(
        ledger.parsed()["rows"]
            .as_array()
            .is_some_and(|rows| rows.len() > 1)
    );
    assert!(!place.path("-").exists());
}
