//! Good plugins: found in order, and as what is built in.

use std::{ffi::OsStr, fs, path::Path};

use super::{RUN, libraries, with};
use crate::support::{Ended, Place};

/// Nothing of any compiler's own crosses the border, so which one it was is of interest only.
#[test]
fn another_toolchain_is_told_and_does_not_matter() {
    let place = Place::new();
    let plugin = libraries::from_c(&place.path(""), "bad", Some("FINE"));
    let listed = with(&place, &plugin, &["plugins", "--json"]).ok().parsed();
    assert_eq!(listed[0]["refused"], serde_json::Value::Null);
    assert_eq!(listed[0]["place"], "command_line");
    assert_eq!(listed[0]["plugin"]["backends"][0], "zeros");
    assert!(
        listed[0]["plugin"]["built_with"]
            .as_str()
            .unwrap()
            .contains("rustc 1.40.0")
    );
    let text = with(&place, &plugin, &["plugins"]).ok().text();
    for word in ["fixture", "1.0", "backend zeros", "--plugin", "searched"] {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
}

#[test]
fn a_backend_in_c_runs_a_video() {
    let place = Place::new();
    let plugin = libraries::from_c(&place.path(""), "bad", Some("FINE"));
    let args = [&RUN[..], &["--backend", "zeros", "--output", "out.y4m"]].concat();
    let ended = with(&place, &plugin, &args).ok();
    assert!(ended.text().contains("all zeros"), "{}", ended.text());
    assert_eq!(place.video("out.y4m"), (320, 192, 6));
}

#[test]
fn a_pass_in_c_is_planned_shown_and_run() {
    let place = Place::new();
    let plugin = libraries::from_c(&place.path(""), "double_negation", None);
    let text = with(&place, &plugin, &["passes", "show", "double_negation"])
        .ok()
        .text();
    for word in [
        "negated twice is itself",
        "simplify",
        "bit-identical",
        "plugin `double-negation` 1.0",
    ] {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
    let passes = with(&place, &plugin, &["passes", "--json"]).ok().parsed();
    let origin = |name: &str| {
        let pass = passes
            .as_array()
            .unwrap()
            .iter()
            .find(|p| p["name"] == name);
        pass.unwrap()["origin"].clone()
    };
    assert_eq!(origin("double_negation")["plugin"]["version"], "1.0");
    assert_eq!(origin("sdpa"), "built_in");
    let args = [
        &RUN[..],
        &[
            "--passes",
            "double_negation",
            "--log",
            "mirage_plugin=debug",
        ],
    ]
    .concat();
    let ended = with(&place, &plugin, &args).ok();
    assert!(
        ended.text().contains("nothing is negated twice"),
        "{}",
        ended.text()
    );
    // Its events keep their level.
    let event = ended
        .stderr
        .lines()
        .find(|l| l.contains("0 double negations"))
        .unwrap();
    assert!(event.contains("DEBUG"), "{event}");
}

#[test]
fn plugins_in_rust_are_as_what_is_built_in() {
    let place = Place::new();
    let pass = libraries::from_rust("mirage_example_pass");
    let text = with(&place, &pass, &["passes", "show", "subtract_negated"])
        .ok()
        .text();
    for word in [
        "replaces x + (-y) by x - y",
        "swap",
        "true or false",
        "mirage-example-pass",
    ] {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
    let bad = ["graph", "dump", "--passes", "subtract_negated{swop=false}"];
    with(&place, &pass, &bad).fails(2, &["`swop`", "`swap`"]);

    let backend = libraries::from_rust("mirage_example_backend");
    let backends = with(&place, &backend, &["backends"]).ok().text();
    for word in [
        "reference",
        "the interpreter of mirage-ir",
        "mirage-example-backend",
    ] {
        assert!(backends.contains(word), "`{word}` is not in:\n{backends}");
    }
    place
        .run(["run", "--backend", "reference"])
        .fails(2, &["unknown backend", "--plugin FILE"]);
    let args = [&RUN[..], &["--backend", "reference", "--output", "out.y4m"]].concat();
    let log = ["--log", "mirage_plugin=debug"];
    let ended = with(&place, &backend, &[&args[..], &log].concat()).ok();
    assert_eq!(place.video("out.y4m"), (320, 192, 6));
    let event = ended
        .stderr
        .lines()
        .find(|l| l.contains("compiled graph="))
        .unwrap();
    assert!(
        event.contains("DEBUG") && event.contains("mirage_example_backend"),
        "{event}"
    );
}

#[test]
fn plugins_are_looked_for_in_order_and_loaded_once() {
    let place = Place::new();
    let folder = place.path("data/mirage/plugins");
    fs::create_dir_all(&folder).unwrap();
    let built = libraries::from_c(&place.path(""), "double_negation", None);
    fs::copy(&built, folder.join("libdouble_negation.so")).unwrap();
    place.write("data/mirage/plugins/README", "not looked at");
    fs::create_dir(place.path("more")).unwrap();
    let zeros = libraries::from_c(&place.path("more"), "bad", Some("FINE"));

    let mut command = place.command();
    command
        .args(["plugins", "list", "--json", "--plugin"])
        .arg(&built);
    let path = std::env::join_paths([place.path("more"), place.path("gone"), zeros.clone()]);
    command.env("MIRAGE_PLUGIN_PATH", path.unwrap());
    let listed = Ended::of(command.output().unwrap()).ok().parsed();
    let seen: Vec<(&str, &str, bool)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|found| {
            let file = Path::new(found["file"].as_str().unwrap());
            let name = file.file_name().unwrap().to_str().unwrap();
            (
                name,
                found["place"].as_str().unwrap(),
                found["refused"].is_null(),
            )
        })
        .collect();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(
        seen,
        [
            (&*name(&built), "command_line", true),
            (&*name(&zeros), "environment", true),
            ("gone", "environment", false),
            // The same pass again, from another file.
            ("libdouble_negation.so", "user_data", false),
        ]
    );
    assert!(
        listed[3]["refused"]
            .as_str()
            .unwrap()
            .contains("plugin `double-negation` 1.0, ")
    );
}

#[test]
fn a_new_plugin_works_as_it_is_written() {
    let place = Place::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Inside of another workspace, as in a checkout.
    place.write("Cargo.toml", "[workspace]\nmembers = []\n");
    for (kind, name) in [("pass", "my-pass"), ("backend", "my-backend")] {
        let new = ["plugin", "new", name, "--kind", kind, "--mirage"];
        let said = place
            .run(new.iter().map(OsStr::new).chain([here.as_os_str()]))
            .ok()
            .text();
        assert!(said.contains("cargo build --release"), "{said}");
        // The versions that are here already, so that nothing is downloaded.
        fs::copy(here.join("Cargo.lock"), place.path(name).join("Cargo.lock")).unwrap();
    }
    place
        .run(["plugins", "new", "my-pass"])
        .fails(1, &["my-pass already exists"]);
    let built = |name: &str, test: bool| {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo
            .arg(if test { "test" } else { "build" })
            .arg("--offline");
        cargo
            .current_dir(place.path(name))
            .arg("--target-dir")
            .arg(place.path("target"));
        let output = cargo.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let name = format!(
            "{}{}{}",
            std::env::consts::DLL_PREFIX,
            name.replace('-', "_"),
            std::env::consts::DLL_SUFFIX
        );
        place.path("target/debug").join(name)
    };
    built("my-pass", true);
    let pass = built("my-pass", false);
    let text = with(&place, &pass, &["passes", "show", "my_pass"])
        .ok()
        .text();
    assert!(text.contains("plugin `my-pass` 0.1.0"), "{text}");
    let backend = built("my-backend", false);
    let text = with(&place, &backend, &["backends"]).ok().text();
    assert!(
        text.contains("my-backend") && text.contains("the processor"),
        "{text}"
    );
}

#[test]
fn names_of_new_plugins_are_checked() {
    let place = Place::new();
    let new = |args: &[&str]| place.run(["plugins", "new"].iter().chain(args));
    new(&["My Pass"]).fails(2, &["`My Pass`", "lower case letters"]);
    new(&["channels-last"]).fails(2, &["already the name of"]);
    new(&["cpu", "--kind", "backend"]).fails(2, &["already the name of"]);
    new(&["mine", "--mirage", "."]).fails(2, &["crates/mirage-ir is missing"]);
    new(&["mine", "--mirage", "nowhere"]).fails(1, &["cannot open the folder"]);
    new(&["mine"]).ok();
    let manifest = fs::read_to_string(place.path("mine/Cargo.toml")).unwrap();
    assert!(manifest.contains("mirage\", tag = \"v"), "{manifest}");
}

/// The pass says that it changes the order of operations, and computes something else.
#[test]
fn a_pass_that_breaks_its_numerics_class_is_marked() {
    let place = Place::new();
    let plugin = libraries::from_c(&place.path(""), "blunder", None);
    let small = ["--size", "32x32", "--steps", "1", "--passes"];
    let run = |passes: &str, more: &[&str]| {
        let run = ["run", "--frames", "6", "--warmup", "1"];
        let args = [&run[..], &small, &[passes], more].concat();
        with(&place, &plugin, &args).ok()
    };
    let text = run("blunder", &[]).text();
    assert!(text.contains("ERROR TOO LARGE"), "{text}");
    let report = run("blunder", &["--json"]).parsed();
    let db = |key: &str| report["comparison"][key].as_f64().unwrap();
    assert!(db("first_psnr_db") < db("least_psnr_db"), "{report}");
    let text = run("fp16,sdpa", &[]).text();
    assert!(!text.contains("ERROR TOO LARGE"), "{text}");

    let bench = ["bench", "--frames", "2", "--time", "3s", "--json"];
    let args = [&bench[..], &small, &["blunder,sdpa"]].concat();
    let ledger = with(&place, &plugin, &args).ok().parsed();
    for row in ledger["rows"].as_array().unwrap() {
        let has = row["passes"]
            .as_array()
            .unwrap()
            .contains(&"blunder".into());
        let notes = row["notes"].to_string();
        let marked = notes.contains("exceeds what the numerics classes of its passes allow");
        assert_eq!(has, marked, "{row}");
        assert!(row["error_bound"].as_f64().unwrap() >= 1e-4);
    }
}
