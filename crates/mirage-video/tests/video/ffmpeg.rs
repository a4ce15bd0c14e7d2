//! The ffmpeg pipe: its errors with stand-in programs everywhere, its pictures where there is one.

#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use mirage_video::{
    Error, FfmpegTools, PsnrMean, SinkOptions, SourceOptions, open_sink, open_source,
};
use tempfile::tempdir;

use crate::support::{info, names, read_all, scene, write_file};

fn script(folder: &Path, name: &str, body: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Runs a new script, which Linux refuses for a moment while another thread forks with the file
/// still open for writing; asks until it does not.
fn settle(tools: &FfmpegTools) {
    for program in [&tools.ffmpeg, &tools.ffprobe] {
        while let Err(error) = std::process::Command::new(program)
            .args(["-settle"])
            .stdin(std::process::Stdio::null())
            .output()
        {
            assert_eq!(error.kind(), std::io::ErrorKind::ExecutableFileBusy);
        }
    }
}

/// Stand-ins for ffmpeg and ffprobe.
fn tools(folder: &Path, ffmpeg: &str, ffprobe: &str) -> FfmpegTools {
    let tools = FfmpegTools {
        ffmpeg: script(folder, "ffmpeg", ffmpeg),
        ffprobe: script(folder, "ffprobe", ffprobe),
    };
    settle(&tools);
    tools
}

const PROBE: &str = r#"echo '{"streams": [{"index": 0, "codec_type": "video", "avg_frame_rate": "24/1", "r_frame_rate": "24/1", "nb_frames": "2"}]}'"#;
const ENCODERS: &str = "case \"$*\" in *-encoders*) echo ' V....D libx264 H.264'; exit 0;; *-version*) echo 'ffmpeg version 5.1.9'; exit 0;; esac";
const VERSION: &str = "case \"$*\" in *-version*) echo 'ffmpeg version 9.0'; exit 0;; esac";

/// A file with what the sink sends to ffmpeg for `frames`: what ffmpeg sends to the source.
fn raw_frames(folder: &Path, frames: &[mirage_video::Frame]) -> PathBuf {
    let (programs, out) = (tempdir().unwrap(), folder.join("raw.nut"));
    let body = format!("{ENCODERS}; cat > '{}'", out.display());
    let options = SinkOptions {
        ffmpeg: tools(programs.path(), &body, "exit 0"),
        ..SinkOptions::default()
    };
    let outputs = tempdir().unwrap();
    write_file(&outputs.path().join("out.mp4"), frames, &options).unwrap();
    out
}

fn open_error(path: &Path, ffmpeg: FfmpegTools) -> Error {
    let options = SourceOptions {
        ffmpeg,
        ..SourceOptions::default()
    };
    let opened = open_source(path.to_str().unwrap(), &options);
    opened
        .and_then(|mut source| read_all(source.as_mut()))
        .unwrap_err()
}

#[test]
fn without_ffmpeg_the_error_says_what_works() {
    let folder = tempdir().unwrap();
    let film = folder.path().join("film.mp4");
    fs::write(&film, "x").unwrap();
    let nowhere = folder.path().join("nowhere");
    let missing = FfmpegTools {
        ffmpeg: nowhere.clone(),
        ffprobe: nowhere,
    };
    let message = open_error(&film, missing.clone()).to_string();
    for part in [
        "film.mp4",
        ".mp4 needs",
        "install ffmpeg",
        ".y4m, .gif, images",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let options = SinkOptions {
        ffmpeg: missing,
        ..SinkOptions::default()
    };
    for name in ["out.mp4", "out.webm", "out.mkv"] {
        let path = folder.path().join(name);
        let error = open_sink(path.to_str().unwrap(), &info(8, 6), &options)
            .err()
            .unwrap();
        let message = error.to_string();
        assert!(matches!(error, Error::NoFfmpeg { .. }), "{message}");
        assert!(
            message.contains(name) && message.contains(".gif, .y4m"),
            "{message}"
        );
    }
    assert_eq!(names(folder.path()), ["film.mp4"]);
}

#[test]
fn a_failing_ffmpeg_speaks_in_the_error() {
    let folder = tempdir().unwrap();
    let film = folder.path().join("film.mp4");
    fs::write(&film, "x").unwrap();
    let failing = "echo 'moov atom not found' >&2; exit 1";
    let error = open_error(&film, tools(folder.path(), failing, failing));
    assert!(
        error
            .to_string()
            .ends_with("film.mp4: ffmpeg failed: moov atom not found"),
        "{error}"
    );
    let error = open_error(&film, tools(folder.path(), failing, PROBE));
    assert!(error.to_string().contains("moov atom"), "{error}");
    let error = open_error(&film, tools(folder.path(), "exit 0", PROBE));
    assert!(matches!(error, Error::NoFrames { .. }), "{error}");
    let error = open_error(
        &film,
        tools(folder.path(), "exit 0", "echo '{\"streams\": []}'"),
    );
    assert!(
        error.to_string().contains("no video and no sound"),
        "{error}"
    );
    let error = open_error(
        &film,
        tools(
            folder.path(),
            "echo hello there you all, this is no stream of raw frames",
            PROBE,
        ),
    );
    assert!(
        error.to_string().contains("output cannot be read"),
        "{error}"
    );
}

#[test]
fn frames_before_a_failure_are_given() {
    let folder = tempdir().unwrap();
    let film = folder.path().join("film.mp4");
    fs::write(&film, "x").unwrap();
    let frames = scene(16, 8, 3);
    let raw = raw_frames(folder.path(), &frames);
    let length = fs::metadata(&raw).unwrap().len();
    let part = format!("head -c {} '{}'", length - 100, raw.display());
    let dying = format!("{VERSION}; {part}; echo 'Invalid data' >&2; exit 1");
    let options = SourceOptions {
        ffmpeg: tools(folder.path(), &dying, PROBE),
        ..SourceOptions::default()
    };
    let mut source = open_source(film.to_str().unwrap(), &options).unwrap();
    assert_eq!(source.info().frames, Some(2));
    let back = read_all(source.as_mut()).unwrap();
    assert_eq!(back.len(), 2);
    assert_eq!(back[0].rgb(), frames[0].rgb());
    assert_eq!(back[1].time, source.info().fps.time(1));
    let damage = source.ending().damage.unwrap();
    assert_eq!((damage.count, damage.first.as_str()), (1, "Invalid data"));
}

#[test]
fn an_encoder_that_dies_leaves_nothing() {
    let folder = tempdir().unwrap();
    let programs = tempdir().unwrap();
    let path = folder.path().join("out.mp4");
    // A real ffmpeg exits with 0 when the disk is full.
    for end in [
        "exit 1",
        "cat > /dev/null; exit 1",
        "cat > /dev/null; exit 0",
    ] {
        let body = format!("{ENCODERS}; echo 'No space left on device' >&2; {end}");
        let ffmpeg = tools(programs.path(), &body, "exit 0");
        let options = SinkOptions {
            ffmpeg,
            ..SinkOptions::default()
        };
        let error = write_file(&path, &scene(160, 120, 20), &options).unwrap_err();
        assert!(error.to_string().contains("No space left"), "{error}");
        assert!(names(folder.path()).is_empty());
    }
    let ffmpeg = tools(programs.path(), "exit 0", "exit 0");
    let options = SinkOptions {
        ffmpeg,
        ..SinkOptions::default()
    };
    let error = write_file(&path, &scene(16, 12, 1), &options).unwrap_err();
    assert!(matches!(error, Error::NoEncoder { .. }), "{error}");
}

/// Complaints of ffmpeg are counted, repeated ones too, and lose no frame.
#[test]
fn a_complaint_loses_nothing() {
    let folder = tempdir().unwrap();
    let film = folder.path().join("film.mp4");
    fs::write(&film, "x").unwrap();
    let raw = raw_frames(folder.path(), &scene(16, 8, 4));
    let complaint =
        "echo '[h264 @ 0x55] partial file' >&2; echo '    Last message repeated 9 times' >&2";
    let body = format!("{VERSION}; cat '{}'; {complaint}; exit 0", raw.display());
    let options = SourceOptions {
        ffmpeg: tools(folder.path(), &body, PROBE),
        ..SourceOptions::default()
    };
    let mut source = open_source(film.to_str().unwrap(), &options).unwrap();
    assert_eq!(read_all(source.as_mut()).unwrap().len(), 4);
    let damage = source.ending().damage.unwrap();
    assert_eq!(
        (damage.count, damage.first.as_str()),
        (10, "h264: partial file")
    );
}

/// With a real ffmpeg: size, count, rate and picture survive, odd sizes too.
#[test]
fn real_round_trips() {
    if std::process::Command::new("ffmpeg")
        .arg("-version")
        .output()
        .is_err()
    {
        eprintln!("SKIPPED real_round_trips: there is no ffmpeg on PATH");
        return;
    }
    let folder = tempdir().unwrap();
    for name in ["out.mp4", "out.mkv", "out.webm"] {
        for (width, height) in [(97, 61), (160, 96)] {
            let frames = scene(width, height, 40);
            let path = folder.path().join(name);
            match write_file(&path, &frames, &SinkOptions::default()) {
                Err(error @ Error::NoEncoder { .. }) => {
                    eprintln!("SKIPPED real_round_trips for {name}: {error}");
                    continue;
                }
                summary => assert_eq!(summary.unwrap().frames, 40),
            }
            let mut source =
                open_source(path.to_str().unwrap(), &SourceOptions::default()).unwrap();
            assert_eq!(
                (source.info().width, source.info().height),
                (width, height),
                "{name}"
            );
            assert_eq!(source.info().fps.to_f64(), 24.0, "{name}");
            let back = read_all(source.as_mut()).unwrap();
            assert_eq!(back.len(), 40, "{name}");
            let mut mean = PsnrMean::default();
            for (left, right) in frames.iter().zip(&back) {
                mean.add(left, right).unwrap();
            }
            let db = mean.mean().unwrap();
            assert!(db > 26.0, "{name} {width}x{height}: {db} dB");
        }
    }
    let film = folder.path().join("out.mp4");
    let bytes = fs::read(&film).unwrap();
    // The index is at the front, so the pictures before the cut can be had.
    fs::write(&film, &bytes[..bytes.len() * 2 / 3]).unwrap();
    let mut source = open_source(film.to_str().unwrap(), &SourceOptions::default()).unwrap();
    let part = read_all(source.as_mut()).unwrap().len();
    assert!((1..40).contains(&part), "{part}");
    assert!(source.ending().damage.is_some());
    let garbage = folder.path().join("garbage.mp4");
    fs::write(&garbage, vec![7; 4000]).unwrap();
    let error = open_error(&garbage, FfmpegTools::default());
    assert!(matches!(error, Error::Ffmpeg { .. }), "{error}");
}
