//! Missing, empty, truncated and nonsense files: an error that says so, never a panic.

use std::{fs, path::Path};

use mirage_video::{Damage, Error, SinkOptions, SourceOptions, open_source};
use tempfile::tempdir;

use crate::support::{Dice, read_all, read_error, scene, write_file};

const NAMES: [&str; 5] = ["in.y4m", "in.gif", "in.png", "in.jpg", "in.mp4"];

#[test]
fn missing_files_and_patterns() {
    let folder = tempdir().unwrap();
    for name in NAMES
        .iter()
        .chain(&["none/", "%04d.png", "no/%04d.png", "*.png"])
    {
        let path = folder.path().join(name);
        assert!(
            matches!(read_error(&path), Error::NotFound { .. }),
            "{name}"
        );
    }
}

#[test]
fn empty_files_and_folders() {
    let folder = tempdir().unwrap();
    assert!(matches!(read_error(folder.path()), Error::NoImages { .. }));
    for name in NAMES {
        let path = folder.path().join(name);
        fs::write(&path, []).unwrap();
        assert!(matches!(read_error(&path), Error::Empty { .. }), "{name}");
    }
}

#[test]
fn nonsense() {
    let folder = tempdir().unwrap();
    let mut dice = Dice(7);
    let noise: Vec<u8> = (0..5000).map(|_| dice.below(256) as u8).collect();
    for name in &NAMES[..4] {
        for bytes in [
            &noise[..],
            b"hello\n",
            b"YUV4MPEG2",
            b"GIF8",
            b"\x89PNG\r\n\x1a\n",
        ] {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            let error = read_error(&path);
            let expected = matches!(
                error,
                Error::Malformed { frame: 0, .. } | Error::Truncated { frame: 0, .. }
            );
            assert!(expected, "{name}: {error}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

#[test]
fn y4m_headers_that_lie() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("in.y4m");
    for (header, what) in [
        ("W0 H2 F25:1", "0x2"),
        ("H2 F25:1", "0x2"),
        ("W-3 H2 F25:1", "0x2"),
        ("W99999999999 H99999999999 F25:1", "99999999999x99999999999"),
        ("W18446744073709551615 H3 F25:1", "x3"),
        ("W30000 H30000 F25:1", "30000x30000"),
        ("W2 H2 Fx", "header"),
        ("W2 H2 F25:1 C420p10", "8 bits"),
        ("W2 H2 F25:1 C411", "colour space"),
    ] {
        fs::write(&path, format!("YUV4MPEG2 {header}\nFRAME\n")).unwrap();
        let message = read_error(&path).to_string();
        assert!(message.contains(what), "{header}: {message}");
    }
    fs::write(&path, "YUV4MPEG2 W2 H2 F25:1 C444\n").unwrap();
    assert!(matches!(read_error(&path), Error::NoFrames { .. }));
    fs::write(&path, format!("YUV4MPEG2 W2 H2 {}\n", "X".repeat(2000))).unwrap();
    assert!(read_error(&path).to_string().contains("not terminated"));
}

/// Cut at every length, a file gives the whole frames before the cut and then says that it is damaged,
/// or, exactly at a frame's end, ends cleanly.
#[test]
fn truncation_is_never_a_clean_end() {
    let folder = tempdir().unwrap();
    let frames = scene(5, 3, 4);
    for name in ["in.y4m", "in.gif"] {
        let whole = folder.path().join(name);
        write_file(&whole, &frames, &SinkOptions::default()).unwrap();
        let bytes = fs::read(&whole).unwrap();
        let cut = folder.path().join(format!("cut-{name}"));
        let mut clean = 0;
        for length in 1..bytes.len() {
            fs::write(&cut, &bytes[..length]).unwrap();
            let (given, error, damage) = read_part(&cut);
            assert!(given <= 4);
            match error {
                None => match damage {
                    None => clean += 1,
                    Some(damage) => {
                        let after = format!("after {given} complete frames");
                        assert!(damage.first.contains(&after), "{name} {length}: {damage:?}");
                        assert!(given > 0 && damage.count == 1);
                    }
                },
                Some(Error::Truncated { frame, .. }) => {
                    assert_eq!((frame, given), (0, 0), "{name} {length}");
                }
                Some(Error::NoFrames { .. }) => assert_eq!(given, 0),
                Some(error) => panic!("{name} at {length}: {error}"),
            }
        }
        // A y4m has no end marker: a cut between frames cannot be seen. A GIF has one.
        assert_eq!(clean, if name == "in.y4m" { 3 } else { 0 }, "{name}");
    }
}

#[test]
fn a_truncated_image_is_an_error() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("in.png");
    write_file(&path, &scene(40, 30, 1), &SinkOptions::default()).unwrap();
    let bytes = fs::read(&path).unwrap();
    for length in (1..bytes.len() - 12).step_by(7) {
        fs::write(&path, &bytes[..length]).unwrap();
        read_error(&path);
    }
}

/// Damaged bytes give frames or an error, in bounded time and memory, never a panic.
#[test]
fn flipped_bytes_never_panic() {
    let folder = tempdir().unwrap();
    let frames = scene(12, 7, 3);
    let mut dice = Dice(42);
    let mut faults = 0;
    for name in ["in.y4m", "in.gif", "in.png"] {
        let path = folder.path().join(name);
        let count = if name == "in.png" { 1 } else { 3 };
        write_file(&path, &frames[..count], &SinkOptions::default()).unwrap();
        let whole = fs::read(&path).unwrap();
        for round in 0..400 {
            let mut bytes = whole.clone();
            for _ in 0..=round % 4 {
                // Half of the hits go to the first bytes, where the headers are.
                let end = if dice.below(2) == 0 {
                    bytes.len().min(64)
                } else {
                    bytes.len()
                };
                let at = dice.below(end);
                bytes[at] = dice.below(256) as u8;
            }
            fs::write(&path, bytes).unwrap();
            let (given, error, damage) = read_part(&path);
            assert!(given < 10_000);
            faults += usize::from(error.is_some() || damage.is_some());
        }
    }
    assert!(faults > 100, "the damage was seen: {faults}");
}

#[test]
fn images_of_different_sizes() {
    let folder = tempdir().unwrap();
    let options = SinkOptions::default();
    write_file(&folder.path().join("1.png"), &scene(8, 8, 1), &options).unwrap();
    write_file(&folder.path().join("2.png"), &scene(8, 9, 1), &options).unwrap();
    let message = read_error(folder.path()).to_string();
    assert!(
        message.contains("2.png") && message.contains("8x9") && message.contains("8x8"),
        "{message}"
    );
}

/// A damaged image in a folder is left out, and the others keep their places.
#[test]
fn a_damaged_image_costs_itself_alone() {
    let folder = tempdir().unwrap();
    let frames = folder.path().join("frames/");
    write_file(&frames, &scene(8, 8, 4), &SinkOptions::default()).unwrap();
    let third = frames.join("000002.png");
    let bytes = fs::read(&third).unwrap();
    fs::write(&third, &bytes[..bytes.len() / 2]).unwrap();
    fs::write(frames.join("._000000.png"), "of another system").unwrap();
    let mut source = open_source(frames.to_str().unwrap(), &SourceOptions::default()).unwrap();
    let back = read_all(source.as_mut()).unwrap();
    let places: Vec<u64> = back.iter().map(|frame| frame.index).collect();
    assert_eq!(places, [0, 1, 3]);
    let fps = source.info().fps;
    assert_eq!(back[2].time, fps.time(3));
    let ending = source.ending();
    assert_eq!(ending.end, Some(fps.time(4)));
    let damage = ending.damage.unwrap();
    assert_eq!(damage.count, 1);
    assert!(damage.first.contains("000002.png"), "{damage:?}");
}

#[test]
fn missing_numbers_are_said() {
    let folder = tempdir().unwrap();
    let options = SinkOptions::default();
    for number in [1, 2, 4, 5, 6, 9] {
        let path = folder.path().join(format!("{number:04}.png"));
        write_file(&path, &scene(8, 8, 1), &options).unwrap();
    }
    let (info, frames) = crate::support::read_file(folder.path()).unwrap();
    assert_eq!(frames.len(), 6);
    let [note] = info.notes.as_slice() else {
        panic!("{:?}", info.notes)
    };
    assert!(
        note.starts_with("3 of the images 1 to 9 are missing, the first is 3"),
        "{note}"
    );
}

/// The content of a file decides, not its name.
#[test]
fn names_may_be_wrong() {
    let folder = tempdir().unwrap();
    let frames = scene(16, 8, 3);
    let (gif, y4m) = (folder.path().join("a.gif"), folder.path().join("b.y4m"));
    write_file(&gif, &frames, &SinkOptions::default()).unwrap();
    write_file(&y4m, &frames, &SinkOptions::default()).unwrap();
    for (from, to) in [(&gif, "gif.y4m"), (&y4m, "y4m.png"), (&gif, "gif.mp4")] {
        let to = folder.path().join(to);
        fs::copy(from, &to).unwrap();
        let (_, back) = crate::support::read_file(&to).unwrap();
        assert_eq!(back.len(), 3, "{}", to.display());
    }
}

/// Frames given before the end or the error. Real frames of the stated size, all of them.
fn read_part(path: &Path) -> (u64, Option<Error>, Option<Damage>) {
    let mut source = match open_source(path.to_str().unwrap(), &SourceOptions::default()) {
        Ok(source) => source,
        Err(error) => return (0, Some(error), None),
    };
    let (width, height) = (source.info().width, source.info().height);
    let mut given = 0;
    loop {
        match source.next_frame() {
            Ok(Some(frame)) => {
                assert_eq!(
                    (frame.width(), frame.height(), frame.index),
                    (width, height, given)
                );
                given += 1;
            }
            Ok(None) => return (given, None, source.ending().damage),
            Err(error) => {
                let rest = read_all(source.as_mut());
                assert!(
                    matches!(rest, Ok(frames) if frames.is_empty()),
                    "it ends at an error"
                );
                return (given, Some(error), None);
            }
        }
    }
}
