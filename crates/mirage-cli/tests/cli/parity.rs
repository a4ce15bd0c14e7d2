//! `mirage parity`: results against the definition, and what it refuses.

use crate::support::Place;

/// A small model at a small size.
const SMALL: [&str; 4] = ["parity", "--size", "16x16", "--backend=cpu"];

fn parity(place: &Place, more: &[&str]) -> crate::support::Ended {
    place.run(SMALL.iter().chain(more))
}

#[test]
fn the_processor_computes_what_the_definition_says() {
    let place = Place::new();
    let sets = ["--passes=none", "--passes=sdpa,fuse,graph_capture"];
    let more = ["--dtypes=f32,bf16", "--markdown", "--save=parity.json"];
    let table = parity(&place, &[&sets[..], &more[..]].concat()).ok().text();
    assert_eq!(table.matches("| within |").count(), 4, "{table}");
    let report = place.json("parity.json");
    assert_eq!(report["reference"], "definition");
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let error = row["max_rel"].as_f64().unwrap();
        assert!(row["within"].as_bool().unwrap());
        assert!(error <= row["bound"].as_f64().unwrap(), "{row}");
        // What is rounded is not exact, and what is rounded more is less exact.
        match row["dtype"].as_str().unwrap() {
            "f32" => assert!(error > 0.0 && error < 1e-4, "{row}"),
            _ => assert!(error > 1e-4, "{row}"),
        }
    }
}

#[test]
fn a_backend_can_be_the_reference() {
    let place = Place::new();
    let more = ["--reference=cpu", "--passes=none", "--dtypes=f32", "--json"];
    let report = parity(&place, &more).ok().parsed();
    assert_eq!(report["rows"][0]["max_abs"], 0.0);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let place = Place::new();
    let refused = |more: &[&str], words: &[&str]| {
        let whole = [&["parity"][..], more].concat();
        place.run(whole).fails(2, words);
    };
    refused(&["--backend=nope"], &["nope", "cpu"]);
    refused(&["--reference=nope"], &["nope", "cpu"]);
    refused(&["--model=nope"], &["nope"]);
    refused(&["--size=17x16"], &["17"]);
    refused(&["--passes=fp16", "--dtypes=bf16"], &["fp16", "bf16"]);
    refused(&["--passes=nope"], &["nope"]);
    assert!(place.files().is_empty());
}

/// One that a feature links in is known all the same, and how to get it is told; with it, a machine
/// without a card is told of.
#[test]
fn a_backend_that_is_not_in_the_program_is_told_how_to_get() {
    let place = Place::new();
    let backends = place.run(["backends", "--json"]).ok().parsed();
    let cuda = backends
        .as_array()
        .unwrap()
        .iter()
        .find(|b| b["name"] == "cuda");
    let words: &[&str] = match cuda.map(|b| b["devices"].as_array().unwrap().len()) {
        None => &[
            "`cuda` is not built into this program",
            "--features cuda",
            "--plugin",
        ],
        Some(0) => &["`cuda` finds no device on this machine"],
        Some(_) => {
            return eprintln!(
                "there is a card here: what a program says without one is not tested"
            );
        }
    };
    for command in [["run", "--backend=cuda"], ["parity", "--backend=cuda"]] {
        place.run(command).fails(2, words);
    }
}
