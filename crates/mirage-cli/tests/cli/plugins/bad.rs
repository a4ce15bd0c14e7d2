//! Bad plugins: refused, or stopped where they break the contract, with their own words, and the program
//! goes on.

use std::{fs, path::Path};

use super::{RUN, libraries, with};
use crate::support::{Ended, Place};

/// The plugin is refused with these words, in one line, and what is built in is there.
#[track_caller]
fn is_refused(place: &Place, plugin: &Path, words: &[&str]) {
    let ended = with(place, plugin, &["passes", "list"]).ok();
    assert!(ended.text().contains("sdpa"));
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(
        ended.stderr.starts_with("warning: plugin "),
        "{}",
        ended.stderr
    );
    let listed = with(place, plugin, &["plugins", "list", "--json"]).ok();
    assert!(
        listed.stderr.is_empty(),
        "the list says it itself: {}",
        listed.stderr
    );
    let listed = listed.parsed();
    assert!(listed[0]["plugin"].is_null());
    let refused = listed[0]["refused"].as_str().unwrap();
    for word in words {
        for said in [&ended.stderr, refused] {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
    }
}

#[test]
fn files_that_are_no_plugins() {
    let place = Place::new();
    let missing = with(&place, &place.path("nope.so"), &["passes", "list"]);
    missing.fails(2, &["nope.so", "no such file"]);
    fs::create_dir(place.path("folder.so")).unwrap();
    is_refused(&place, &place.path("folder.so"), &["not a regular file"]);
    place.write("text.so", "#!/bin/sh\n");
    place.write("empty.so", "");
    if cfg!(target_os = "linux") {
        is_refused(
            &place,
            &place.path("text.so"),
            &["not a shared library", "`#!/bin/s`"],
        );
        is_refused(
            &place,
            &place.path("empty.so"),
            &["not a shared library", "empty"],
        );
        let mut head = b"\x7fELF\x02\x01\x01".to_vec();
        head.resize(16, 0);
        // A library, of a machine that this is not.
        head.extend([3, 0, 0x0F, 0x27]);
        head.resize(64, 0);
        place.write("other.so", &head);
        is_refused(
            &place,
            &place.path("other.so"),
            &["was built for", "ELF machine 9999"],
        );
        if std::env::consts::ARCH == "x86_64" {
            head[18..20].copy_from_slice(&[62, 0]);
            place.write("cut.so", head);
            is_refused(
                &place,
                &place.path("cut.so"),
                &["the system cannot load it"],
            );
        }
    }
}

#[test]
fn libraries_that_are_not_as_they_should_be() {
    let place = Place::new();
    let cases: &[(&str, &[&str])] = &[
        (
            "NO_SYMBOL",
            &["does not export the function `mirage_plugin`"],
        ),
        ("NULL_TABLE", &["returned no table of functions"]),
        (
            "ABI",
            &["version 42", "but this program version 1", "update mirage"],
        ),
        (
            "SCHEMA",
            &["messages", "version 7", "but this program version 1"],
        ),
        ("SILENT", &["`describe` wrote nothing"]),
        ("GARBAGE", &["its description cannot be read"]),
        ("ENDLESS", &["it wrote more than"]),
        ("EMPTY", &["it has neither a pass nor a backend"]),
        (
            "DECLINES",
            &[
                "cannot be used on this machine: the library libengine 3 is not installed: install it",
            ],
        ),
        (
            "TAKEN_PASS",
            &["its pass `sdpa` is already registered (built in)"],
        ),
        (
            "TAKEN_BACKEND",
            &["its backend `cpu` is already registered (built in)"],
        ),
        ("BAD_NAME", &["`Bad Name`", "lower-case letters"]),
        (
            "NO_FUNCTIONS",
            &["it has backends, but not the function `backend_devices`"],
        ),
    ];
    for (case, words) in cases {
        is_refused(
            &place,
            &libraries::from_c(&place.path(""), "bad", Some(case)),
            words,
        );
    }
}

/// What the backend `tch` says where libtorch is gone, or is not the one that it was built with.
#[test]
fn libraries_that_a_plugin_links_are_told_of() {
    if cfg!(not(all(target_os = "linux", target_env = "gnu"))) {
        return eprintln!(
            "the words of other systems' loaders are passed on as they are: not tested"
        );
    }
    let place = Place::new();
    let engine = |function: &str| {
        let source = format!("int {function}(void) {{ return 1; }}");
        libraries::from_text(&place.path(""), "torch_cpu", &source, &[])
    };
    let library = engine("_ZN2at5emptyEv");
    let source = "int _ZN2at5emptyEv(void);
        const void *mirage_plugin(const void *host) { return _ZN2at5emptyEv() ? 0 : host; }";
    let folder = place.path("").display().to_string();
    let options = [
        "-L",
        &folder,
        "-ltorch_cpu",
        &format!("-Wl,-rpath,{folder}"),
    ];
    let plugin = libraries::from_text(&place.path(""), "user", source, &options);
    is_refused(&place, &plugin, &["returned no table of functions"]);
    engine("_ZN2at4onesEv");
    let words = [
        "`_ZN2at5emptyEv`",
        "has another version",
        "scripts/setup-libtorch.sh",
    ];
    is_refused(&place, &plugin, &words);
    fs::remove_file(library).unwrap();
    let words = [
        "needs libtorch_cpu.so, which was not found",
        "scripts/setup-libtorch.sh",
    ];
    is_refused(&place, &plugin, &words);
}

#[test]
fn of_two_plugins_with_one_backend_the_first_is_there() {
    let place = Place::new();
    let first = libraries::from_c(&place.path(""), "bad", Some("FINE"));
    let second = place.path("second.so");
    fs::copy(&first, &second).unwrap();
    let mut command = place.command();
    command.args(["backends", "--plugin"]).arg(&first);
    let ended = Ended::of(command.arg("--plugin").arg(&second).output().unwrap()).ok();
    assert_eq!(
        ended.text().matches("zeros 1.0").count(),
        1,
        "{}",
        ended.text()
    );
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    let first = first.display().to_string();
    for word in [
        "second.so is refused",
        "its backend `zeros` is already registered",
        &first,
    ] {
        assert!(
            ended.stderr.contains(word),
            "`{word}` is not in: {}",
            ended.stderr
        );
    }
}

/// Not a name that nobody knows: the repository has it.
#[test]
fn a_backend_that_is_a_plugin_is_told_how_to_get() {
    if cfg!(feature = "tch") {
        return eprintln!("the program has the backend tch: what it says without is not tested");
    }
    let place = Place::new();
    let words = [
        "`tch` is not built into this program",
        "scripts/setup-libtorch.sh",
        "--manifest-path plugins/backend-tch/Cargo.toml",
        "--plugin target/tch/release/libmirage_backend_tch.so",
    ];
    for command in [["run", "--backend=tch"], ["parity", "--backend=tch"]] {
        place.run(command).fails(2, &words);
    }
}

#[test]
fn a_plugin_that_hangs_is_given_up() {
    let place = Place::new();
    let plugin = libraries::from_c(&place.path(""), "bad", Some("HANGS"));
    let mut command = place.command();
    command.args(["passes", "list", "--plugin"]).arg(&plugin);
    let ended = Ended::of(
        command
            .env("MIRAGE_PLUGIN_TIMEOUT", "0.3")
            .output()
            .unwrap(),
    )
    .ok();
    assert!(ended.text().contains("sdpa"));
    assert!(
        ended
            .stderr
            .contains("longer than 0.3 s (set MIRAGE_PLUGIN_TIMEOUT"),
        "{}",
        ended.stderr
    );
    let mut command = place.command();
    command
        .args(["passes", "list"])
        .env("MIRAGE_PLUGIN_TIMEOUT", "soon");
    Ended::of(command.output().unwrap()).fails(2, &["soon", "seconds above 0"]);
}

#[test]
fn backends_that_break_the_contract() {
    let place = Place::new();
    let cases: &[(&str, &[&str])] = &[
        ("OVERRUNS", &["plugin `fixture` 1.0 wrote out of bounds"]),
        (
            "OVERRUNS_HANDLES",
            &["plugin `fixture` 1.0 wrote out of bounds"],
        ),
        (
            "RETURNS_INPUTS",
            &["returned a buffer twice, or one that it was given"],
        ),
        (
            "OVERCLAIMS",
            &["there is no kernel for it", "its capabilities list conv in"],
        ),
        (
            "NO_EXECUTABLE",
            &["reported success of a compilation without an executable"],
        ),
        (
            "SPEECHLESS",
            &["plugin `fixture` 1.0 failed without an error message"],
        ),
    ];
    let args = [&RUN[..], &["--backend", "zeros"]].concat();
    for (case, words) in cases {
        let plugin = libraries::from_c(&place.path(""), "bad", Some(case));
        with(&place, &plugin, &args).fails(1, words);
    }
    assert!(!place.path("mirage-out.gif").exists());
}

#[test]
fn a_table_that_ends_within_a_function_has_not_that_function() {
    let place = Place::new();
    let plugin = libraries::from_c(&place.path(""), "bad", Some("HALF_A_POINTER"));
    // A ledger's closed loop begins with states at zero.
    let args = [
        "bench",
        "--size=32x32",
        "--steps=1",
        "--passes=sdpa",
        "--time=2s",
        "--backend=zeros",
    ];
    let ended = with(&place, &plugin, &args);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("states"), "{}", ended.stderr);
}

#[test]
fn capabilities_that_cannot_be_read_are_none() {
    let place = Place::new();
    let plugin = libraries::from_c(&place.path(""), "bad", Some("BAD_CAPABILITIES"));
    let ended = with(
        &place,
        &plugin,
        &["passes", "show", "fp16", "--backend", "zeros"],
    )
    .ok();
    assert!(ended.text().contains("unsupported"), "{}", ended.text());
    for word in ["`zeros` is used without capabilities", "f33"] {
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
    }
}

#[test]
fn passes_that_break_the_contract() {
    let place = Place::new();
    let cases: &[(&str, &[&str])] = &[
        (
            "ILL_TYPED",
            &["`fixture_pass`", "an invalid graph", "f32[1,5]"],
        ),
        (
            "NO_OUTCOME",
            &[
                "`fixture_pass`",
                "an outcome that cannot be read",
                "splendid",
            ],
        ),
    ];
    for (case, words) in cases {
        let plugin = libraries::from_c(&place.path(""), "bad", Some(case));
        let dump = ["graph", "dump", "--size", "16x16", "--passes"];
        with(&place, &plugin, &[&dump[..], &["fixture_pass"]].concat()).fails(1, words);
        // Not asked for, it does no harm.
        with(&place, &plugin, &[&dump[..], &["sdpa"]].concat()).ok();
    }
}

#[test]
fn panics_of_a_plugin_are_errors_of_the_run() {
    let place = Place::new();
    let plugin = libraries::from_rust("panics");
    let dump = ["graph", "dump", "--size", "16x16", "--passes", "panics"];
    let words = [
        "`panics`",
        "panicked",
        "no idea what to do with `lsd-tiny`",
        "panics.rs:",
    ];
    with(&place, &plugin, &dump).fails(1, &words);
    let run = [&RUN[..], &["--backend", "panics"]].concat();
    with(&place, &plugin, &run).fails(1, &["panicked", "the devices are out"]);
    let backends = with(&place, &plugin, &["backends"]).ok();
    let text = backends.text();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("the devices are out") && text.contains("cpu"),
        "{text}"
    );
}
