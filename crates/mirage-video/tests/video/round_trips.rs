//! What is written comes back: size, count, rate, order and picture, in every format.

use std::path::Path;

use mirage_video::{ColorRange, Frame, PsnrMean, SinkOptions, Y4mSampling};
use tempfile::tempdir;

use crate::support::{names, read_file, scene, write_file};

const SIZES: [(u32, u32); 5] = [(97, 61), (64, 48), (1, 1), (2, 3), (7, 1)];

fn mean_psnr(left: &[Frame], right: &[Frame]) -> f64 {
    assert_eq!(left.len(), right.len());
    let mut mean = PsnrMean::default();
    for (left, right) in left.iter().zip(right) {
        assert_eq!(left.index, right.index);
        mean.add(left, right).unwrap();
    }
    mean.mean().unwrap()
}

/// Writes 40 frames and reads them back, and returns the mean PSNR.
fn round_trip(path: &Path, (width, height): (u32, u32), options: &SinkOptions) -> f64 {
    let frames = scene(width, height, 40);
    let summary = write_file(path, &frames, options).unwrap();
    assert_eq!(summary.frames, 40);
    let (info, back) = read_file(path).unwrap();
    assert_eq!((info.width, info.height), (width, height));
    assert_eq!(info.frames, Some(40));
    if path
        .extension()
        .is_some_and(|extension| extension == "y4m" || extension == "gif")
    {
        assert_eq!(summary.bytes, path.metadata().unwrap().len());
        assert_eq!(info.fps.to_f64(), 24.0);
    }
    mean_psnr(&frames, &back)
}

#[test]
fn y4m_444_in_both_ranges() {
    let folder = tempdir().unwrap();
    for size in SIZES {
        for range in [ColorRange::Limited, ColorRange::Full] {
            let options = SinkOptions {
                sampling: Y4mSampling::S444,
                range,
                ..Default::default()
            };
            let db = round_trip(&folder.path().join("out.y4m"), size, &options);
            assert!(db > 48.0, "{size:?} {range:?}: {db} dB");
        }
    }
}

#[test]
fn y4m_420_with_odd_sizes() {
    let folder = tempdir().unwrap();
    for size in SIZES {
        let db = round_trip(
            &folder.path().join("out.y4m"),
            size,
            &SinkOptions::default(),
        );
        // Chroma at half the resolution costs most in tiny pictures.
        let least = if size.0 * size.1 > 100 { 28.0 } else { 18.0 };
        assert!(db > least, "{size:?}: {db} dB");
    }
}

#[test]
fn gif_quantises_well() {
    let folder = tempdir().unwrap();
    for size in SIZES {
        let db = round_trip(
            &folder.path().join("out.gif"),
            size,
            &SinkOptions::default(),
        );
        assert!(db > 32.0, "{size:?}: {db} dB");
    }
    assert_eq!(names(folder.path()), ["out.gif"]);
}

#[test]
fn png_is_exact_in_a_folder_and_by_a_pattern() {
    let folder = tempdir().unwrap();
    for (number, size) in SIZES.into_iter().enumerate() {
        let path = folder.path().join(format!("frames{number}/"));
        assert_eq!(
            round_trip(&path, size, &SinkOptions::default()),
            f64::INFINITY
        );
    }
    assert_eq!(names(&folder.path().join("frames0"))[39], "000039.png");

    let pattern = folder.path().join("frames0/extra-%d.png");
    assert_eq!(
        round_trip(&pattern, (9, 5), &SinkOptions::default()),
        f64::INFINITY
    );
    let glob = folder.path().join("frames0/extra-*.png");
    assert_eq!(
        mean_psnr(&scene(9, 5, 40), &read_file(&glob).unwrap().1),
        f64::INFINITY
    );
    assert_eq!(names(&folder.path().join("frames0")).len(), 80);
    assert_eq!(
        names(folder.path()).len(),
        SIZES.len(),
        "no temporary folder is left"
    );
}

#[test]
fn one_image_is_a_video_of_one_frame() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("one.png");
    let frames = scene(33, 22, 1);
    write_file(&path, &frames, &SinkOptions::default()).unwrap();
    assert_eq!(read_file(&path).unwrap().1, frames);
}

#[test]
fn a_gif_keeps_its_rate() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("rate.gif");
    for (fps, want) in [
        ((30, 1), 30.0),
        ((30000, 1001), 29.97),
        ((10, 1), 10.0),
        ((50, 1), 50.0),
    ] {
        let mut info = crate::support::info(4, 4);
        info.fps = mirage_video::Rational::new(fps.0, fps.1).unwrap();
        info.grid = info.fps;
        let options = SinkOptions::default();
        let mut sink = mirage_video::open_sink(path.to_str().unwrap(), &info, &options).unwrap();
        for mut frame in scene(4, 4, 60) {
            frame.time = info.fps.time(frame.index);
            sink.write_frame(&frame).unwrap();
        }
        let end = mirage_video::End {
            time: info.fps.time(60),
            cut: false,
        };
        sink.finish(end).unwrap();
        let got = read_file(&path).unwrap().0.fps.to_f64();
        assert!((got - want).abs() < 0.05 * want / 10.0, "{fps:?}: {got}");
    }
}
