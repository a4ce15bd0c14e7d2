//! `mirage run` from end to end.

use std::{
    io::{Read, Write},
    process::Stdio,
    time::{Duration, Instant},
};

use crate::support::{Place, SMALL};

#[test]
fn an_odd_size_goes_in_and_comes_out() {
    let place = Place::new();
    place.y4m("in.y4m", 97, 61, 40);
    let flags = [
        "--input", "in.y4m", "--output", "out.y4m", "--report", "r.json",
    ];
    let shown = place.small(&flags).ok().text();
    assert!(
        shown.contains("40 delivered, 0 skipped, 0 failed"),
        "{shown}"
    );
    assert_eq!(place.video("out.y4m"), (97, 61, 40));
    let report = place.json("r.json");
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(count("delivered") + count("skipped") + count("failed"), 40);
    assert_eq!(report["shape"], serde_json::json!([1, 3, 32, 32]));
    assert!(
        place
            .files()
            .iter()
            .all(|f| ["in.y4m", "out.y4m", "r.json"].contains(&f.as_str()))
    );
}

#[test]
fn input_and_output_are_arguments_too() {
    let place = Place::new();
    place.y4m("in.y4m", 32, 32, 6);
    place.small(&["in.y4m", "out.y4m", "--frames", "3"]).ok();
    assert_eq!(place.video("out.y4m"), (32, 32, 3));
    place.small(&["in.y4m", "--output", "named.y4m"]).ok();
    assert_eq!(place.video("named.y4m"), (32, 32, 6));
    let twice = place.small(&["in.y4m", "out.y4m", "--output", "other.y4m"]);
    twice.fails(2, &["--output"]);
}

#[test]
fn the_table_and_the_report_have_what_they_promise() {
    let place = Place::new();
    let flags = [
        "run",
        "--size",
        "32x32",
        "--steps",
        "1",
        "--frames",
        "10",
        "--warmup",
        "3",
        "--compare",
        "6",
        "--passes",
        "channels_last,sdpa",
        "--report",
        "r.json",
        "--dump-dir",
        "graphs",
    ];
    let shown = place.run(flags).ok().text();
    for word in [
        "canonicalize",
        "sdpa",
        "channels_last",
        "p50",
        "p95",
        "p99",
        "FPS",
        "first 3 frames excluded as warm-up",
        "without passes",
        "time ratio",
        "fidelity",
        "10 delivered, 0 skipped, 0 failed",
        "mirage-out.gif",
        "untrained",
        "next",
    ] {
        assert!(shown.contains(word), "`{word}` is not in:\n{shown}");
    }
    assert!(
        !shown.contains('\u{1b}'),
        "colours are off where there is no terminal"
    );
    assert_eq!(place.video("mirage-out.gif"), (320, 192, 10));

    let report = place.json("r.json");
    assert_eq!(report["schema"], 1);
    assert_eq!(report["pipeline"], "channels_last,sdpa");
    for number in ["p50", "p95", "p99", "fps"] {
        assert!(report[number].as_f64().unwrap() > 0.0, "{number}");
    }
    let passes = report["passes"].as_array().unwrap();
    let sdpa = passes.iter().find(|p| p["name"] == "sdpa").unwrap();
    assert!(sdpa["rewrites"].as_u64().unwrap() > 0 && sdpa["version"].is_u64());
    // What the passes changed adds up to what changed.
    let sum: i64 = passes
        .iter()
        .map(|p| p["activation_bytes_change"].as_i64().unwrap())
        .sum();
    let [before, after] = [0, 1].map(|i| report["graph"]["activation_bytes"][i].as_i64().unwrap());
    assert_eq!(sum, after - before);
    let comparison = &report["comparison"];
    assert_eq!(comparison["frames"], 6);
    assert!(comparison["time_ratio"]["median"].as_f64().unwrap() > 0.0);
    // Both passes only reassociate: at most a rounding of a colour apart.
    assert!(comparison["psnr_db"].as_f64().is_none_or(|db| db > 50.0));
    assert!(place.path("graphs/00-input.txt").exists());
}

#[test]
fn the_same_seed_gives_the_same_video() {
    let place = Place::new();
    for (output, seed) in [("a.y4m", "1"), ("b.y4m", "1"), ("c.y4m", "2")] {
        place
            .small(&["--frames", "3", "--output", output, "--seed", seed])
            .ok();
    }
    let read = |name: &str| std::fs::read(place.path(name)).unwrap();
    assert_eq!(read("a.y4m"), read("b.y4m"));
    assert_ne!(read("a.y4m"), read("c.y4m"));
}

#[test]
fn video_goes_through_pipes_and_the_tables_beside_it() {
    let place = Place::new();
    place.y4m("in.y4m", 32, 32, 5);
    let flags = ["--input", "-", "--output", "-"];
    let mut child = place
        .command()
        .args(SMALL)
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = std::fs::read(place.path("in.y4m")).unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.starts_with(b"YUV4MPEG2 "));
    place.write("out.y4m", &output.stdout);
    assert_eq!(place.video("out.y4m"), (32, 32, 5));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("5 delivered")
    );
}

#[test]
fn a_reader_that_goes_away_ends_the_run() {
    let place = Place::new();
    let flags = ["--output", "-", "--frames", "100000"];
    let mut child = place
        .command()
        .args(SMALL)
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 100]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with("error: ") && stderr.lines().count() == 1,
        "{stderr}"
    );
}

#[test]
fn a_live_run_accounts_for_every_frame() {
    let place = Place::new();
    // More frames a second than two cores can encode: some are skipped.
    let flags = [
        "--live", "--frames", "60", "--fps", "1000", "--output", "out.gif", "--json",
    ];
    let report = place.small(&flags).ok().parsed();
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(count("delivered") + count("skipped"), 60);
    assert!(count("delivered") > 0 && count("skipped") > 0, "{report}");
    assert_eq!(place.video("out.gif").2 as u64, count("delivered"));
}

#[test]
fn json_is_the_report() {
    let place = Place::new();
    let report = place.small(&["--frames", "2", "--json"]).ok().parsed();
    assert_eq!(report["delivered"], 2);
    assert_eq!(report["model"]["trained"], false);
    assert!(report["fps"].is_null(), "both frames were warm-up");
}

/// Signals by `kill`, as a terminal and a service manager send them.
#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_what_is_done() {
    for signal in ["-INT", "-TERM"] {
        let place = Place::new();
        let flags = [
            "--output", "out.y4m", "--frames", "1000000", "--report", "r.json",
        ];
        let child = place
            .command()
            .args(SMALL)
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The file is there under its temporary name; it must grow by some frames.
        let written = || -> u64 {
            let entries = std::fs::read_dir(place.path("")).unwrap();
            entries
                .filter_map(|e| e.ok()?.metadata().ok())
                .map(|m| m.len())
                .sum()
        };
        let start = Instant::now();
        while written() < 500_000 {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "no frame came out"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        let sent = std::process::Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert!(
            String::from_utf8(output.stdout)
                .unwrap()
                .contains("interrupted, the file holds")
        );
        let (_, _, frames) = place.video("out.y4m");
        let report = place.json("r.json");
        assert!(frames > 0 && report["stopped"] == true);
        assert_eq!(report["delivered"], frames);
        assert_eq!(place.files(), ["out.y4m", "r.json"]);
    }
}

/// Scores of attention over every pixel of 1024×1024, 8.8 TB, are more than any machine has.
#[test]
fn a_model_that_does_not_fit_is_refused_with_figures_and_advice() {
    let place = Place::new();
    let large = [
        "run",
        "--model=lsd-light",
        "--size=1024x1024",
        "--steps=1",
        "--frames=1",
        "--warmup=0",
    ];
    place.run(large).fails(
        1,
        &[
            "not enough memory: the graph needs at least",
            "this machine has",
            "with `sdpa` it needs at least",
        ],
    );
    assert!(place.files().is_empty());
}

#[test]
fn threads_are_as_many_as_asked_for() {
    let place = Place::new();
    for threads in ["1", "3"] {
        let flags = ["backends", "--json", "--threads", threads];
        let backends = place.run(flags).ok().parsed();
        let details = backends[0]["devices"][0]["details"].as_str().unwrap();
        let words = if threads == "1" {
            "1 thread"
        } else {
            "3 threads"
        };
        assert!(details.contains(words), "{details}");
    }
    for wrong in ["0", "many", "-1"] {
        let flag = format!("--threads={wrong}");
        place.run(["backends", &flag]).fails(2, &["--threads"]);
    }
}

#[test]
fn a_dump_folder_holds_one_run() {
    let place = Place::new();
    let names = |place: &Place| -> Vec<String> {
        let files = std::fs::read_dir(place.path("graphs")).unwrap();
        let mut names: Vec<String> = files
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    place.small(&["--frames", "2", "--dump-dir", "graphs"]).ok();
    let plain = names(&place);
    place.write("graphs/notes.txt", "mine");
    let more = [
        "--frames",
        "2",
        "--dump-dir",
        "graphs",
        "--passes",
        "sdpa,fuse",
    ];
    place.small(&more).ok();
    assert!(names(&place).iter().any(|n| n.ends_with("-fuse.txt")));
    place.small(&["--frames", "2", "--dump-dir", "graphs"]).ok();
    let mut expected = [plain, vec!["notes.txt".to_owned()]].concat();
    expected.sort();
    assert_eq!(names(&place), expected);
}
