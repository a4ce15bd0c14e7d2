//! Runs that fail: exit code 1, one line, no new file, and what was there before untouched.

use std::fs;

use crate::support::{Ended, Place, SMALL};

/// Runs on `input`; an output and a report from before must stay as they are.
#[track_caller]
fn fails_on(place: &Place, input: &str, words: &[&str]) {
    place.write("out.y4m", "from before");
    place.write("report.json", "from before");
    let before = place.files();
    let flags = [
        "--input",
        input,
        "--output",
        "out.y4m",
        "--report",
        "report.json",
    ];
    place.small(&flags).fails(1, words);
    assert_eq!(place.files(), before);
    for stale in ["out.y4m", "report.json"] {
        assert_eq!(fs::read(place.path(stale)).unwrap(), b"from before");
    }
}

#[test]
fn videos_that_are_none() {
    let place = Place::new();
    fails_on(&place, "nope.y4m", &["nope.y4m", "no such file"]);
    place.write("empty.y4m", "");
    fails_on(&place, "empty.y4m", &["empty.y4m", "empty"]);
    place.write("nonsense.y4m", [7; 5000]);
    fails_on(&place, "nonsense.y4m", &["nonsense.y4m"]);
    place.write("nonsense.gif", [7; 5000]);
    fails_on(&place, "nonsense.gif", &["nonsense.gif"]);
    fs::create_dir(place.path("folder")).unwrap();
    fails_on(&place, "folder", &["folder", "no images"]);
}

#[test]
fn a_video_that_is_cut_off() {
    let place = Place::new();
    place.y4m("whole.y4m", 32, 32, 6);
    let whole = fs::read(place.path("whole.y4m")).unwrap();
    place.write("cut.y4m", &whole[..whole.len() - 100]);
    fails_on(
        &place,
        "cut.y4m",
        &["cut.y4m", "truncated after 5 complete frames"],
    );

    // Asked for, the frames before the damage are kept; it is a failure all the same.
    let flags = [
        "--input",
        "cut.y4m",
        "--output",
        "kept.y4m",
        "--on-error",
        "continue",
    ];
    let ended = place.small(&flags);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("truncated after 5"));
    assert_eq!(place.video("kept.y4m"), (32, 32, 5));
}

#[test]
fn outputs_that_cannot_be() {
    let place = Place::new();
    place
        .small(&["--output", "no/such/folder/out.gif"])
        .fails(1, &["no/such/folder/out.gif", "there is no folder no"]);
    place
        .small(&["--report", "no/report.json"])
        .fails(1, &["no/report.json", "there is no folder no"]);
    assert!(place.files().is_empty());
    fs::create_dir(place.path("there")).unwrap();
    place
        .small(&["--report", "there"])
        .fails(1, &["there", "it is a folder"]);
    assert_eq!(place.files(), ["there"]);
}

#[test]
fn weights_that_do_not_fit() {
    let place = Place::new();
    place
        .small(&["--weights", "nope.safetensors"])
        .fails(1, &["nope.safetensors"]);
    place.write("cut.safetensors", [9, 0, 0, 0, 0, 0, 0, 0, b'{']);
    place
        .small(&["--weights", "cut.safetensors"])
        .fails(1, &["cut.safetensors"]);
    let other = safetensors::serialize(
        [(
            "other",
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &[0; 4])
                .unwrap(),
        )],
        None,
    );
    place.write("other.safetensors", other.unwrap());
    place
        .small(&["--weights", "other.safetensors"])
        .fails(1, &["do not fit", "missing", "other"]);
    assert!(!place.files().contains(&"mirage-out.gif".to_owned()));
}

#[test]
fn weights_of_another_width() {
    let place = Place::new();
    let narrow = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../mirage-stream/tests/data/stress_b16.safetensors"
    );
    let flags = [
        "--model",
        "stress",
        "--set",
        "network.base_channels=32",
        "--weights",
        narrow,
    ];
    let ended = place.small(&flags);
    let first = "unets.0.enc1.conv_layers.0.weight (network [32, 4, 3, 3], file [16, 4, 3, 3])";
    ended.fails(1, &["do not fit", "of another shape: ", first, ", …"]);
    assert_eq!(ended.stderr.matches("(network").count(), 10);
    let count: usize = ended
        .stderr
        .split(" of another shape")
        .next()
        .and_then(|before| before.rsplit(' ').next())
        .and_then(|count| count.parse().ok())
        .unwrap();
    assert!(count > 500, "{}", ended.stderr);
    assert!(place.files().is_empty());
}

#[test]
fn pipeline_and_model_files_that_are_wrong() {
    let place = Place::new();
    place
        .small(&["--pipeline", "nope.toml"])
        .fails(1, &["nope.toml"]);
    place.write("bad.toml", "passes = [\n  3\n]\n");
    place
        .small(&["--pipeline", "bad.toml"])
        .fails(1, &["bad.toml", "line"]);
    place.write("model.toml", "name = \"m\"\nnam = 3\n");
    place
        .small(&["--model", "model.toml"])
        .fails(1, &["model.toml", "`nam`"]);
}

/// The limit on a file's size stands for a full disk: both make a write fail in the middle.
#[cfg(unix)]
#[test]
fn a_disk_that_fills() {
    let place = Place::new();
    let flags = SMALL.join(" ");
    let program = env!("CARGO_BIN_EXE_mirage");
    let script = format!(
        "trap '' XFSZ; ulimit -f 200; exec '{program}' {flags} --output out.y4m --report r.json"
    );
    let mut shell = std::process::Command::new("bash");
    let ended = Ended::of(
        shell
            .arg("-c")
            .arg(script)
            .current_dir(place.path(""))
            .output()
            .unwrap(),
    );
    ended.fails(1, &["out.y4m", "cannot write frame"]);
    assert!(place.files().is_empty(), "{:?}", place.files());
}
