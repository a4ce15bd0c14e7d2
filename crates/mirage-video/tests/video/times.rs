//! Times of frames: what is written lasts as long as what was read, in every format without ffmpeg.

use std::time::Duration;

use mirage_video::{
    End, Frame, Rational, SinkOptions, SourceOptions, Written, open_sink, open_source,
};
use proptest::prelude::*;
use tempfile::tempdir;

use crate::support::{info, read_all};

/// Gaps between frames, in milliseconds: mostly about a frame at 24 FPS, some pauses, some bursts.
fn gaps() -> impl Strategy<Value = Vec<u64>> {
    let gap = prop_oneof![4 => 30_u64..60, 1 => 1_u64..15, 1 => 200_u64..1500];
    prop::collection::vec(gap, 1..20)
}

fn times(gaps: &[u64]) -> Vec<Duration> {
    let mut at = 0;
    let starts = std::iter::once(0).chain(gaps.iter().map(|gap| {
        at += gap;
        at
    }));
    starts.map(Duration::from_millis).collect()
}

/// Writes frames at `times`, the last of which is the end, and returns how many were kept, and the times of what is
/// read back with the end.
fn through(name: &str, variable: bool, times: &[Duration]) -> (usize, Vec<Duration>) {
    let folder = tempdir().unwrap();
    let path = folder.path().join(name);
    let mut info = info(2, 2);
    info.variable = variable;
    if variable {
        info.grid = Rational::whole(60).unwrap();
    }
    let (end, starts) = times.split_last().unwrap();
    let mut sink = open_sink(path.to_str().unwrap(), &info, &SinkOptions::default()).unwrap();
    let mut kept = 0;
    for (index, &time) in starts.iter().enumerate() {
        let shade = (index * 11 % 256) as u8;
        let mut frame = Frame::from_rgb(2, 2, index as u64, vec![shade; 12]).unwrap();
        frame.time = time;
        kept += usize::from(sink.write_frame(&frame).unwrap() == Written::Kept);
    }
    let summary = sink
        .finish(End {
            time: *end,
            cut: false,
        })
        .unwrap();
    assert_eq!(summary.frames - summary.repeated, kept as u64);
    // Images of a constant rate are read at the rate that is given.
    let timed = path.join("timestamps.txt").exists();
    let options = SourceOptions {
        fps: (!timed).then_some(info.fps),
        ..SourceOptions::default()
    };
    let mut source = open_source(path.to_str().unwrap(), &options).unwrap();
    let back = read_all(source.as_mut()).unwrap();
    assert_eq!(back.len() as u64, summary.frames);
    let fps = source.info().fps;
    let mut all: Vec<Duration> = back.iter().map(|frame| frame.time).collect();
    all.push(source.ending().end.unwrap_or(fps.time(back.len() as u64)));
    (kept, all)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// The sum of all durations is that of the input, within a frame.
    #[test]
    fn no_format_changes_a_duration(gaps in gaps(), variable: bool) {
        // A constant rate has no bursts.
        let least = if variable { 1 } else { 40 };
        let gaps: Vec<u64> = gaps.into_iter().map(|gap| gap.max(least)).collect();
        let times = times(&gaps);
        let end = *times.last().unwrap();
        for name in ["out.y4m", "out.gif", "out/"] {
            let (kept, back) = through(name, variable, &times);
            let frame = info(2, 2).fps.time(1);
            prop_assert!(back.last().unwrap().abs_diff(end) <= frame, "{name}: {back:?}, not {end:?}");
            prop_assert!(kept >= 1);
            // Images have every frame at its time, and a GIF every frame of at least 2 hundredths.
            if name == "out/" {
                prop_assert_eq!(kept, times.len() - 1);
                for (got, want) in back.iter().zip(&times) {
                    // A hundredth of a frame is a constant rate.
                    prop_assert!(got.abs_diff(*want) <= frame / 100 + Duration::from_micros(1));
                }
            }
            if name == "out.gif" && gaps.iter().all(|&gap| gap >= 25) {
                prop_assert_eq!(kept, times.len() - 1);
            }
        }
    }
}

/// A frame of more than 655 seconds is more than one frame of a GIF.
#[test]
fn a_gif_shows_long_frames() {
    let times = [0, 700_000, 2_000_010].map(Duration::from_millis);
    let (kept, back) = through("out.gif", true, &times);
    assert_eq!(kept, 2);
    assert_eq!(back.last().unwrap().as_millis(), 2_000_010);
}

#[test]
fn sixty_frames_a_second_fit_a_gif() {
    let rate = Rational::whole(60).unwrap();
    let times: Vec<Duration> = (0..=60).map(|i| rate.time(i)).collect();
    let (kept, back) = through("out.gif", true, &times);
    assert!((35..=50).contains(&kept), "{kept}");
    assert_eq!(back.last().unwrap().as_millis(), 1000);
}
