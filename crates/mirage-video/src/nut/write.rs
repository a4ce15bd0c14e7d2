//! Writes raw frames.

use std::io::{self, Write};

use super::{
    CRC, FILE_ID, INFO, MAIN, RGB, START, STREAM, SYNCPOINT, codes::put, codes::put_bytes, flag,
};
use crate::{Rational, VideoInfo};

/// Bits of a time that are written alone where the rest is that of the last time; every time is written whole here.
const MSB_PTS_SHIFT: u64 = 7;
/// The flags of every frame: it stands alone, and its time, size and checksum follow.
const FLAGS: u64 = flag::KEY | flag::CODED_PTS | flag::SIZE_MSB | flag::CHECKSUM;

/// Writes one stream of RGB frames with times in ticks.
pub(crate) struct NutWriter<W: Write> {
    out: W,
    /// Bytes since the last syncpoint.
    distance: u64,
}

impl<W: Write> NutWriter<W> {
    /// Writes the headers. Times are counted in ticks of 1 / `tick` seconds.
    pub(crate) fn new(mut out: W, info: &VideoInfo, tick: Rational) -> io::Result<Self> {
        let mut bytes = FILE_ID.to_vec();
        packet(&mut bytes, MAIN, &main_header(tick));
        packet(&mut bytes, STREAM, &stream_header(info));
        packet(&mut bytes, INFO, &rate(info.grid));
        out.write_all(&bytes)?;
        Ok(Self { out, distance: 0 })
    }

    /// Writes a frame at `time` in ticks; times must increase.
    pub(crate) fn frame(&mut self, time: u64, rgb: &[u8]) -> io::Result<()> {
        let mut head = Vec::with_capacity(64);
        let mut point = Vec::new();
        put(&mut point, time);
        put(&mut point, self.distance / 16);
        packet(&mut head, SYNCPOINT, &point);
        let start = head.len();
        head.push(0);
        put(&mut head, FLAGS);
        put(&mut head, time + (1 << MSB_PTS_SHIFT));
        put(&mut head, rgb.len() as u64);
        let checksum = CRC.checksum(&head[start..]);
        head.extend_from_slice(&checksum.to_be_bytes());
        self.out.write_all(&head)?;
        self.out.write_all(rgb)?;
        self.distance = (head.len() + rgb.len()) as u64;
        Ok(())
    }

    /// Sends what is buffered.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    #[cfg(test)]
    pub(super) fn into_inner(self) -> W {
        self.out
    }
}

fn main_header(tick: Rational) -> Vec<u8> {
    let mut body = Vec::new();
    // Version, streams, the largest distance between syncpoints, time bases.
    for value in [3, 1, 65_536, 1, tick.den().into(), tick.num().into()] {
        put(&mut body, value);
    }
    // Code 0: everything is written with the frame. The other codes are invalid; 'N' is not counted.
    for (flags, count) in [(flag::CODED, 1), (flag::INVALID, 254)] {
        // Flags, number of fields; time delta, size multiplier, stream, size, reserved, count.
        for value in [flags, 6, 0, 1, 0, 0, 0, count] {
            put(&mut body, value);
        }
    }
    // No elision headers.
    put(&mut body, 0);
    body
}

fn stream_header(info: &VideoInfo) -> Vec<u8> {
    let mut body = Vec::new();
    // Number and class (video).
    put(&mut body, 0);
    put(&mut body, 0);
    put_bytes(&mut body, RGB);
    // Time base, MSB shift, the largest difference of times without a checksum, decode delay, flags.
    for value in [0, MSB_PTS_SHIFT, 1, 0, 0] {
        put(&mut body, value);
    }
    put_bytes(&mut body, &[]);
    let aspect = info.pixel_aspect;
    for value in [info.width, info.height, aspect.num(), aspect.den(), 0] {
        put(&mut body, value.into());
    }
    body
}

/// States the rate, which ffmpeg otherwise guesses from the times of the first frames: it decides how long the last frame
/// is.
fn rate(fps: Rational) -> Vec<u8> {
    let mut body = Vec::new();
    // Stream 0 (plus 1), no chapter: id, start, length. One text.
    for value in [1, 0, 0, 0, 1] {
        put(&mut body, value);
    }
    put_bytes(&mut body, b"r_frame_rate");
    // Type -1: UTF-8.
    put(&mut body, 2);
    put_bytes(&mut body, format!("{}/{}", fps.num(), fps.den()).as_bytes());
    body
}

/// Appends a packet: start code, length, body, checksum.
fn packet(out: &mut Vec<u8>, code: u64, body: &[u8]) {
    debug_assert_eq!(code.to_be_bytes()[0], START);
    out.extend_from_slice(&code.to_be_bytes());
    // Packets of more than 4096 bytes would need another checksum.
    debug_assert!(body.len() < 4000);
    put(out, body.len() as u64 + 4);
    out.extend_from_slice(body);
    out.extend_from_slice(&CRC.checksum(body).to_be_bytes());
}
