//! GIF: looping, a palette for every frame.

use std::{io, time::Duration};

use gif::{Encoder, EncodingError, Repeat};

use super::{End, Expect, Sink, SinkOptions, Summary, Written, file::Output, lost};
use crate::{Error, Frame, Result, VideoInfo};

/// Number of pixels for the palette search. More improve little (41 dB instead of 39 at six times the time
/// on a 480x272 scene), fewer are visibly worse.
const SAMPLES: u32 = 13_000;

/// The shortest time that players show as it is, in hundredths of a second; less is shown as 10.
const SHORTEST: u64 = 2;
/// The longest time of one frame.
const LONGEST: u64 = u16::MAX as u64;

pub(super) struct GifSink {
    expect: Expect,
    encoder: Encoder<Output>,
    speed: i32,
    size: (u16, u16),
    /// The last frame, whose time the next one ends, and its beginning in hundredths of a second.
    waiting: Option<(gif::Frame<'static>, u64)>,
    repeated: u64,
    merged: u64,
    notes: Vec<String>,
}

impl GifSink {
    pub(super) fn open(spec: &str, info: &VideoInfo, options: &SinkOptions) -> Result<Self> {
        let (Ok(width), Ok(height)) = (u16::try_from(info.width), u16::try_from(info.height))
        else {
            let (width, height) = (info.width.into(), info.height.into());
            return Err(Error::BadSize {
                name: spec.to_owned(),
                width,
                height,
            });
        };
        let pixels = u32::from(width) * u32::from(height);
        let speed = options
            .gif_speed
            .map_or((pixels / SAMPLES).clamp(1, 10), u32::from);
        if !(1..=30).contains(&speed) {
            let what = format!("a GIF speed of {speed}: 1 (best) to 30 (fastest)");
            return Err(Error::BadOption { what });
        }
        let expect = Expect::new(spec, info);
        let mut encoder = Encoder::new(Output::create(spec)?, width, height, &[])
            .map_err(|error| expect.write_error(into_io(error)))?;
        encoder
            .set_repeat(Repeat::Infinite)
            .map_err(|error| expect.write_error(into_io(error)))?;
        Ok(Self {
            expect,
            encoder,
            speed: speed as i32,
            size: (width, height),
            waiting: None,
            repeated: 0,
            merged: 0,
            notes: lost(spec, info, options, false),
        })
    }

    /// Writes the waiting frame, which ends at `end`.
    fn write_waiting(&mut self, end: u64) -> Result<()> {
        let Some((mut image, begin)) = self.waiting.take() else {
            return Ok(());
        };
        let mut left = (end - begin).max(SHORTEST);
        loop {
            // The rest must not be shorter than what players show.
            let delay = match left {
                0..=LONGEST => left,
                _ => LONGEST.min(left - SHORTEST),
            };
            image.delay = delay as u16;
            self.encoder
                .write_frame(&image)
                .map_err(|error| self.expect.write_error(into_io(error)))?;
            self.expect.frames += 1;
            left -= delay;
            if left == 0 {
                return Ok(());
            }
            self.repeated += 1;
        }
    }
}

/// Returns a time in hundredths of a second.
fn hundredths(time: Duration) -> u64 {
    u64::try_from((time.as_millis() + 5) / 10).unwrap_or(u64::MAX / 2)
}

impl Sink for GifSink {
    fn write_frame(&mut self, frame: &Frame) -> Result<Written> {
        self.expect.check(frame)?;
        let begin = match &self.waiting {
            Some((_, begin)) => {
                let now = hundredths(frame.time);
                if now < begin + SHORTEST {
                    self.merged += 1;
                    return Ok(Written::Merged);
                }
                self.write_waiting(now)?;
                now
            }
            None => 0,
        };
        let (width, height) = self.size;
        let image = gif::Frame::from_rgb_speed(width, height, frame.rgb(), self.speed);
        self.waiting = Some((image, begin));
        Ok(Written::Kept)
    }

    fn finish(mut self: Box<Self>, end: End) -> Result<Summary> {
        let begin = self.waiting.as_ref().map_or(0, |(_, begin)| *begin);
        self.write_waiting(hundredths(end.time).max(begin))?;
        let Self {
            expect,
            encoder,
            repeated,
            merged,
            mut notes,
            ..
        } = *self;
        expect.some()?;
        if merged > 0 {
            notes.push(format!(
                "GIF shows at most 50 frames a second: {merged} of {} frames were left out, the duration is kept",
                expect.frames - repeated + merged
            ));
        }
        let output = encoder
            .into_inner()
            .map_err(|error| expect.write_error(into_io(error)))?;
        let (bytes, path) = output.commit().map_err(|error| expect.write_error(error))?;
        Ok(Summary {
            frames: expect.frames,
            repeated,
            bytes,
            path,
            notes,
        })
    }
}

fn into_io(error: EncodingError) -> io::Error {
    match error {
        EncodingError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
