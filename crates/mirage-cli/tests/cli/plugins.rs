//! Plugins: good ones are as what is built in, bad ones are refused with their own words, and the
//! program goes on.

#[path = "../../../mirage-plugin/tests/common/libraries.rs"]
mod libraries;

use std::{ffi::OsStr, fs, path::Path};

use crate::support::{Ended, Place};

/// Runs a command with a plugin.
fn with(place: &Place, plugin: &Path, args: &[&str]) -> Ended {
    let more = [OsStr::new("--plugin"), plugin.as_os_str()];
    place.run(args.iter().map(OsStr::new).chain(more))
}

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
    is_refused(&place, &place.path("nope.so"), &["there is no such file"]);
    fs::create_dir(place.path("folder.so")).unwrap();
    is_refused(&place, &place.path("folder.so"), &["no regular file"]);
    place.write("text.so", "#!/bin/sh\n");
    place.write("empty.so", "");
    if cfg!(target_os = "linux") {
        is_refused(
            &place,
            &place.path("text.so"),
            &["no shared library", "`#!/bin/s`"],
        );
        is_refused(
            &place,
            &place.path("empty.so"),
            &["no shared library", "empty"],
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
        ("NO_SYMBOL", &["no function `mirage_plugin`"]),
        ("NULL_TABLE", &["gives no table of functions"]),
        (
            "ABI",
            &["version 42", "this program version 1", "newer mirage"],
        ),
        (
            "SCHEMA",
            &["messages", "version 7", "this program version 1"],
        ),
        ("SILENT", &["does not describe itself"]),
        ("GARBAGE", &["its description cannot be read"]),
        ("ENDLESS", &["it writes more than"]),
        ("EMPTY", &["it brings no pass and no backend"]),
        (
            "DECLINES",
            &["cannot be used here: the library libengine 3 is not installed: install it"],
        ),
        (
            "TAKEN_PASS",
            &["a pass `sdpa`, which is here already (built in)"],
        ),
        (
            "TAKEN_BACKEND",
            &["a backend `cpu`, which is here already (built in)"],
        ),
        ("BAD_NAME", &["`Bad Name`", "lower case letters"]),
        (
            "NO_FUNCTIONS",
            &["brings backends and has no function `backend_devices`"],
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
    is_refused(&place, &plugin, &["gives no table of functions"]);
    engine("_ZN2at4onesEv");
    let words = [
        "`_ZN2at5emptyEv`",
        "of another version",
        "scripts/setup-libtorch.sh",
    ];
    is_refused(&place, &plugin, &words);
    fs::remove_file(library).unwrap();
    let words = [
        "needs libtorch_cpu.so, which is not found",
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
        "a backend `zeros`, which is here already",
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
        "`tch` is not in this program",
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
            .contains("longer than 0.3 s (MIRAGE_PLUGIN_TIMEOUT"),
        "{}",
        ended.stderr
    );
    let mut command = place.command();
    command
        .args(["passes", "list"])
        .env("MIRAGE_PLUGIN_TIMEOUT", "soon");
    Ended::of(command.output().unwrap()).fails(2, &["soon", "seconds above 0"]);
}

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
    for word in ["fixture", "1.0", "backend zeros", "--plugin", "looked in"] {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
}

const RUN: [&str; 9] = [
    "run",
    "--size",
    "16x16",
    "--steps",
    "1",
    "--compare",
    "0",
    "--frames",
    "6",
];

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
fn backends_that_break_the_contract() {
    let place = Place::new();
    let cases: &[(&str, &[&str])] = &[
        (
            "OVERRUNS",
            &["plugin `fixture` 1.0 wrote outside of the memory"],
        ),
        (
            "OVERRUNS_HANDLES",
            &["plugin `fixture` 1.0 wrote outside of the memory"],
        ),
        (
            "RETURNS_INPUTS",
            &["gives a buffer that it gave or was given already"],
        ),
        (
            "OVERCLAIMS",
            &["there is no kernel for it", "its capabilities list conv in"],
        ),
        (
            "NO_EXECUTABLE",
            &["says it compiled and gives no executable"],
        ),
        (
            "SPEECHLESS",
            &["plugin `fixture` 1.0 fails and does not say why"],
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
    assert!(ended.text().contains("not there"), "{}", ended.text());
    for word in ["`zeros` is taken to have no capabilities", "f33"] {
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
    }
}

#[test]
fn passes_that_break_the_contract() {
    let place = Place::new();
    let cases: &[(&str, &[&str])] = &[
        (
            "ILL_TYPED",
            &["`fixture_pass`", "a graph that is not sound", "f32[1,5]"],
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
fn a_pass_in_c_is_planned_shown_and_run() {
    let place = Place::new();
    let plugin = libraries::from_c(&place.path(""), "double_negation", None);
    let text = with(&place, &plugin, &["passes", "show", "double_negation"])
        .ok()
        .text();
    for word in [
        "negated twice is itself",
        "simplify",
        "exact",
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
        "x + (-y) is x - y",
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
    assert!(backends.text().contains("the devices are out") && backends.text().contains("cpu"));
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
        .fails(1, &["my-pass exists"]);
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
    new(&["channels-last"]).fails(2, &["here already"]);
    new(&["cpu", "--kind", "backend"]).fails(2, &["here already"]);
    new(&["mine", "--mirage", "."]).fails(2, &["no crates/mirage-ir"]);
    new(&["mine", "--mirage", "nowhere"]).fails(1, &["no such folder"]);
}
