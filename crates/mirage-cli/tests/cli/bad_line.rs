//! Wrong command lines: exit code 2, one line that names the nearest right thing or the rule.

use crate::support::Place;

#[test]
fn a_wrong_command_line_is_told_what_is_right() {
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["run", "--passes", "sdpb"],
            &["unknown pass `sdpb`", "`sdpa`"],
        ),
        (
            &["run", "--passes", "fp16,bf16"],
            &["`fp16` conflicts with `bf16`", "remove one"],
        ),
        (
            &["run", "--passes", "fp16{kep=norm}"],
            &["`fp16`", "`kep`", "`keep`"],
        ),
        (&["run", "--passes", "fp16{keep=nrm}"], &["`nrm`", "`norm`"]),
        (
            &["run", "--passes", "fuse{kinds=foo}"],
            &["`fuse`", "`foo`", "conv_act", "elementwise", "linear_act"],
        ),
        (
            &["run", "--passes", "sdpa,fuse{max_body=1}"],
            &["`fuse`", "column 11", "`max_body`", "from 2 to 256", "`1`"],
        ),
        (
            &["run", "--passes", "pad_channels{multiple=-8}"],
            &["`pad_channels`", "`multiple`", "from 0 to 64", "`-8`"],
        ),
        (
            &["run", "--passes", "pad_channels{max_overhead=lots}"],
            &["`max_overhead`", "a number", "`lots`"],
        ),
        (
            &["run", "--passes", "merge_qkv{force=maybe}"],
            &["`force`", "true or false", "`maybe`"],
        ),
        (&["run", "--passes", "fp16{"], &["--passes", "column 6"]),
        (&["run", "--passes", "sdpa,sdpa"], &["given twice"]),
        (
            &["run", "--keep-order", "--passes", "channels_last,sdpa"],
            &["`channels_last`", "`sdpa`", "phase"],
        ),
        (
            &["run", "--model", "lsd-tny"],
            &["unknown model `lsd-tny`", "`lsd-tiny`"],
        ),
        (
            &["run", "--set", "network.chanels=24"],
            &["`network.chanels`", "`network.channels`"],
        ),
        (
            &["run", "--set", "network.channels=many"],
            &["network.channels", "an integer"],
        ),
        (
            &["run", "--backend", "cpuu"],
            &["unknown backend `cpuu`", "`cpu`"],
        ),
        (
            &["run", "--backend", "gpu"],
            &[
                "unknown backend `gpu`",
                "`cpu`",
                "`cuda`",
                "`tch`",
                "--plugin",
            ],
        ),
        (&["run", "--device", "7"], &["no device 7"]),
        (
            &["run", "--device", "cuda:1"],
            &[
                "index of one of a backend's devices",
                "--backend cuda --device 1",
            ],
        ),
        (&["run", "--device", "gpu"], &["--backend cuda --device 0"]),
        (
            &["run", "--device", "-1"],
            &["--device must be 0 or more, got -1"],
        ),
        (
            &["run", "--seed", "-1"],
            &["--seed must be 0 or more, got -1"],
        ),
        (&["run", "--seed=-1"], &["--seed must be 0 or more, got -1"]),
        (
            &["bench", "attention", "--seed", "-3"],
            &["--seed must be 0 or more, got -3"],
        ),
        (
            &["run", "--frames", "-1"],
            &["--frames must be 1 or more, got -1"],
        ),
        (&["run", "--eta", "-1"], &["--eta must be 0 to 1, got -1"]),
        (
            &["run", "--strength", "-0.5"],
            &["--strength must be above 0", "got -0.5"],
        ),
        (
            &["run", "--model", "sd-turbo"],
            &[
                "unknown model `sd-turbo`",
                "diffusers",
                "not supported",
                "lsd-tiny",
            ],
        ),
        (
            &["run", "--model", "stabilityai/sdxl-turbo"],
            &["diffusers", "lsd-tiny"],
        ),
        (&["run", "--size", "0x0"], &["0x0", "--size", "above 0"]),
        (&["run", "--size", "64"], &["WIDTHxHEIGHT"]),
        (&["run", "--size", "30x30"], &["multiples of 4", "32x32"]),
        (
            &["run", "--model", "stress", "--size", "64x40"],
            &["64x40", "multiples of 16", "4 times", "64x48"],
        ),
        (
            &["graph", "dump", "--model", "stress", "--size", "8x8"],
            &["multiples of 16", "16x16"],
        ),
        (&["run", "--steps", "0"], &["--steps", "1 to 50", "got 0"]),
        (&["run", "--steps", "51"], &["--steps", "1 to 50"]),
        (&["run", "--eta", "2"], &["--eta", "0 to 1"]),
        (&["run", "--strength", "0"], &["--strength", "above 0"]),
        (&["run", "--frames", "0"], &["--frames"]),
        (&["run", "--fps", "0"], &["--fps", "24"]),
        (&["run", "--output", "out.xyz"], &["out.xyz", ".gif"]),
        (
            &["run", "--output", "o.y4m", "--report", "o.y4m"],
            &["--report", "--output", "o.y4m", "same file"],
        ),
        (
            &["run", "--output", "o.y4m", "--report", "./o.y4m"],
            &["--report ./o.y4m", "--output o.y4m", "same file"],
        ),
        (&["run", "--stepz", "3"], &["--stepz", "--steps"]),
        (
            &["run", "--passes", "sdpa", "--pipeline", "p.toml"],
            &["--passes", "--pipeline"],
        ),
        (&["rnu"], &["rnu", "`run`"]),
        (
            &["passes", "show", "fp61"],
            &["unknown pass `fp61`", "`fp16`"],
        ),
        (&["models", "show", "lsd-lite"], &["lsd-light"]),
        (&["graph", "dump", "--steps", "0"], &["--steps"]),
        (&["infer"], &["--inputs"]),
        (&["completions", "tcsh"], &["tcsh", "bash"]),
        (&["--log", "a=b=c", "backends"], &["--log a=b=c", "debug"]),
    ];
    let place = Place::new();
    for (args, words) in cases {
        place.run(*args).fails(2, words);
        assert!(
            place.files().is_empty(),
            "{args:?} left {:?}",
            place.files()
        );
    }
}

#[test]
fn every_command_has_help() {
    let place = Place::new();
    let commands: &[&[&str]] = &[
        &[],
        &["run"],
        &["infer"],
        &["passes"],
        &["passes", "list"],
        &["passes", "show"],
        &["models"],
        &["models", "list"],
        &["models", "show"],
        &["backends"],
        &["graph"],
        &["graph", "dump"],
        &["completions"],
        &["man"],
    ];
    for command in commands {
        let help = place.run(command.iter().chain(&["--help"])).ok().text();
        assert!(help.contains("Usage: mirage"), "{command:?}: {help}");
    }
    let help = place.run(["run", "--help"]).ok().text();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("Examples:") && help.contains("canonicalization and cleanup alone"));
}

#[test]
fn without_a_command_it_shows_help() {
    let ended = Place::new().run([""; 0]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("Usage: mirage"));
}

#[test]
fn a_report_cannot_take_the_place_of_a_video() {
    let place = Place::new();
    place.y4m("in.y4m", 32, 32, 1);
    std::fs::create_dir(place.path("folder")).unwrap();
    let before = std::fs::read(place.path("in.y4m")).unwrap();
    let words = ["--input in.y4m", "the same file", "another name"];
    let flags = ["--input", "in.y4m", "--report", "folder/../in.y4m"];
    place.small(&flags).fails(2, &words);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("in.y4m", place.path("link.json")).unwrap();
        let flags = ["--input", "in.y4m", "--report", "link.json"];
        place.small(&flags).fails(2, &words);
    }
    assert_eq!(std::fs::read(place.path("in.y4m")).unwrap(), before);
}
