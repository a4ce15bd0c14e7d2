//! GIF frames are patches on a canvas; what is read is what a browser shows.

use std::{fs::File, path::Path};

use gif::{DisposalMethod, Encoder, Frame};
use tempfile::tempdir;

use crate::support::read_file;

const PALETTE: [u8; 12] = [0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255];
const BLACK: [u8; 3] = [0, 0, 0];
const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];

fn patch(left: u16, width: u16, index: u8, dispose: DisposalMethod, delay: u16) -> Frame<'static> {
    Frame {
        left,
        width,
        height: 1,
        dispose,
        delay,
        buffer: vec![index; width.into()].into(),
        ..Frame::default()
    }
}

fn write(path: &Path, frames: &[Frame<'_>]) {
    let mut encoder = Encoder::new(File::create(path).unwrap(), 4, 1, &PALETTE).unwrap();
    for frame in frames {
        encoder.write_frame(frame).unwrap();
    }
}

fn pixels(path: &Path) -> Vec<Vec<[u8; 3]>> {
    let (_, frames) = read_file(path).unwrap();
    frames
        .iter()
        .map(|frame| (0..4).map(|x| frame.pixel(x, 0).unwrap()).collect())
        .collect()
}

#[test]
fn disposal_methods() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("in.gif");
    write(
        &path,
        &[
            patch(0, 4, 1, DisposalMethod::Keep, 5),
            patch(1, 2, 2, DisposalMethod::Background, 5),
            patch(3, 1, 3, DisposalMethod::Previous, 5),
            patch(0, 1, 2, DisposalMethod::Any, 5),
            patch(2, 1, 3, DisposalMethod::Keep, 5),
        ],
    );
    let shown = pixels(&path);
    assert_eq!(shown[0], [RED, RED, RED, RED]);
    assert_eq!(shown[1], [RED, GREEN, GREEN, RED]);
    assert_eq!(
        shown[2],
        [RED, BLACK, BLACK, BLUE],
        "the green patch was cleared"
    );
    assert_eq!(
        shown[3],
        [GREEN, BLACK, BLACK, RED],
        "the blue patch was undone"
    );
    assert_eq!(shown[4], [GREEN, BLACK, BLUE, RED]);
}

#[test]
fn transparency_offsets_and_overhang() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("in.gif");
    let mut holes = patch(0, 4, 1, DisposalMethod::Keep, 5);
    holes.buffer = vec![1, 2, 1, 2].into();
    holes.transparent = Some(2);
    // Beyond the right edge of the canvas: clipped, not an error.
    let overhang = patch(3, 3, 3, DisposalMethod::Keep, 5);
    write(
        &path,
        &[patch(0, 4, 2, DisposalMethod::Keep, 5), holes, overhang],
    );
    let shown = pixels(&path);
    assert_eq!(shown[1], [RED, GREEN, RED, GREEN]);
    assert_eq!(shown[2], [RED, GREEN, RED, BLUE]);
}

#[test]
fn the_rate_is_the_mean_of_the_delays() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("in.gif");
    let keep = DisposalMethod::Keep;
    write(
        &path,
        &[
            patch(0, 4, 1, keep, 3),
            patch(0, 4, 2, keep, 3),
            patch(0, 4, 3, keep, 4),
        ],
    );
    assert_eq!(read_file(&path).unwrap().0.fps.to_f64(), 30.0);
    // As browsers: too short a delay is a tenth of a second.
    write(&path, &[patch(0, 4, 1, keep, 0), patch(0, 4, 2, keep, 1)]);
    assert_eq!(read_file(&path).unwrap().0.fps.to_f64(), 10.0);
    // Delays that mean no constant rate are times.
    let delays = [10, 10, 10, 300];
    write(&path, &delays.map(|delay| patch(0, 4, 1, keep, delay)));
    let (info, frames) = read_file(&path).unwrap();
    assert!(info.variable);
    assert_eq!((info.grid.to_f64(), frames.len()), (10.0, 4));
    let times: Vec<u128> = frames.iter().map(|frame| frame.time.as_millis()).collect();
    assert_eq!(times, [0, 100, 200, 300]);
}
