//! Files appear whole or not at all.

use std::fs;

use mirage_video::{Error, SinkFormat, SinkOptions, open_sink};
use tempfile::tempdir;

use crate::support::{after, info, names, read_file, scene, write_file};

const NAMES: [&str; 4] = ["out.y4m", "out.gif", "out.png", "out/"];

#[test]
fn nothing_has_the_final_name_before_the_end_and_nothing_else_after() {
    for name in NAMES {
        let folder = tempdir().unwrap();
        let path = folder.path().join(name);
        let path = path.to_str().unwrap();
        let mut sink = open_sink(path, &info(8, 6), &SinkOptions::default()).unwrap();
        sink.write_frame(&scene(8, 6, 1)[0]).unwrap();
        let meanwhile = names(folder.path());
        assert_eq!(meanwhile.len(), 1, "{meanwhile:?}");
        assert!(meanwhile[0].starts_with(".out") && meanwhile[0].ends_with(".part"));
        assert_eq!(sink.finish(after(1)).unwrap().path.to_str().unwrap(), path);
        assert_eq!(names(folder.path()), [name.trim_end_matches('/')]);
    }
}

#[test]
fn an_aborted_a_dropped_and_an_empty_sink_leave_what_was_there() {
    for name in &NAMES[..3] {
        let folder = tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, "old").unwrap();
        let open = || open_sink(path.to_str().unwrap(), &info(8, 6), &SinkOptions::default());
        let mut sink = open().unwrap();
        sink.write_frame(&scene(8, 6, 1)[0]).unwrap();
        sink.abort();
        drop(open().unwrap());
        assert!(matches!(
            open().unwrap().finish(after(0)),
            Err(Error::NothingWritten { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), [*name]);
    }
}

#[test]
fn a_whole_file_replaces_an_old_one() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("out.y4m");
    fs::write(&path, "old").unwrap();
    write_file(&path, &scene(8, 6, 2), &SinkOptions::default()).unwrap();
    assert_eq!(read_file(&path).unwrap().1.len(), 2);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_stays_one_and_permissions_are_ordinary() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    let real = folder.path().join("real/film.gif");
    fs::write(&real, "old").unwrap();
    let link = folder.path().join("link.gif");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    write_file(&link, &scene(8, 6, 2), &SinkOptions::default()).unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(read_file(&real).unwrap().1.len(), 2);
    // What any new file gets here.
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&real), mode(&plain));
}

#[test]
fn images_never_mix_with_others() {
    let folder = tempdir().unwrap();
    let frames = scene(8, 6, 3);
    let options = SinkOptions::default();
    let path = folder.path().join("frames");
    fs::create_dir(&path).unwrap();
    // An empty folder is fine; a full one is not, whoever filled it.
    write_file(&path, &frames, &options).unwrap();
    for spec in ["frames", "frames/", "frames/%06d.png"] {
        let error = write_file(&folder.path().join(spec), &frames, &options).unwrap_err();
        assert!(matches!(error, Error::Occupied { .. }), "{spec}: {error}");
    }
    write_file(&folder.path().join("frames/b%d.png"), &frames, &options).unwrap();
    assert_eq!(names(&path).len(), 6);
    assert_eq!(names(folder.path()), ["frames"]);
}

#[test]
fn one_image_takes_one_frame() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("one.png");
    let error = write_file(&path, &scene(8, 6, 2), &SinkOptions::default()).unwrap_err();
    assert!(matches!(error, Error::OneImage { .. }), "{error}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn outputs_that_cannot_be() {
    let folder = tempdir().unwrap();
    let options = SinkOptions::default();
    let open = |spec: &str, info: &_, options: &_| {
        let path = folder.path().join(spec);
        open_sink(path.to_str().unwrap(), info, options)
            .err()
            .unwrap()
    };
    for name in ["out.avi", "out", "out.jpg"] {
        let error = open(name, &info(8, 6), &options);
        let message = error.to_string();
        assert!(matches!(error, Error::UnknownOutput { .. }) && message.contains(".gif, .y4m"));
    }
    let message = open("no/out.gif", &info(8, 6), &options).to_string();
    assert!(message.contains("no/out.gif: cannot create"), "{message}");
    assert!(!message.contains(".part"), "{message}");
    for name in ["no/out.gif", "no/out.y4m", "no/x/out/", "no/x/%d.png"] {
        assert!(
            matches!(open(name, &info(8, 6), &options), Error::NoFolder { .. }),
            "{name}"
        );
    }
    assert!(matches!(
        open("out.gif", &info(0, 6), &options),
        Error::BadSize { .. }
    ));
    let slow = SinkOptions {
        gif_speed: Some(0),
        ..SinkOptions::default()
    };
    assert!(matches!(
        open("out.gif", &info(8, 6), &slow),
        Error::BadOption { .. }
    ));
    let folder_as_file = SinkOptions {
        format: Some(SinkFormat::Gif),
        ..SinkOptions::default()
    };
    assert!(matches!(
        open("", &info(8, 6), &folder_as_file),
        Error::Create { .. }
    ));
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_frame_of_another_size_is_refused() {
    let folder = tempdir().unwrap();
    for name in NAMES {
        let path = folder.path().join(name);
        let mut sink =
            open_sink(path.to_str().unwrap(), &info(8, 6), &SinkOptions::default()).unwrap();
        let error = sink.write_frame(&scene(6, 8, 1)[0]).unwrap_err();
        assert!(matches!(error, Error::FrameSize { .. }), "{error}");
    }
}

/// A disk that fills is an error, at the latest when the file is finished.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_never_silent() {
    for format in [SinkFormat::Y4m, SinkFormat::Gif, SinkFormat::Png] {
        for frames in [1, 40] {
            if format == SinkFormat::Png && frames > 1 {
                continue;
            }
            let options = SinkOptions {
                format: Some(format),
                ..SinkOptions::default()
            };
            let device = std::path::Path::new("/dev/full");
            let error = write_file(device, &scene(97, 61, frames), &options).unwrap_err();
            let Error::Write { source, .. } = &error else {
                panic!("{format:?}: {error}")
            };
            assert_eq!(source.kind(), std::io::ErrorKind::StorageFull, "{format:?}");
        }
    }
}

/// A device is written to, not renamed over.
#[cfg(unix)]
#[test]
fn devices_stay_devices() {
    let options = SinkOptions {
        format: Some(SinkFormat::Y4m),
        ..SinkOptions::default()
    };
    write_file(std::path::Path::new("/dev/null"), &scene(8, 6, 2), &options).unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}
