//! GIF: looping, a palette for every frame.

use std::io;

use gif::{Encoder, EncodingError, Repeat};

use super::{Expect, Sink, SinkOptions, Summary, file::Output};
use crate::{Error, Frame, Rational, Result, VideoInfo};

/// Number of pixels for the palette search. More improve little (41 dB instead of 39 at six times the time
/// on a 480x272 scene), fewer are visibly worse.
const SAMPLES: u32 = 13_000;

pub(super) struct GifSink {
    expect: Expect,
    encoder: Encoder<Output>,
    fps: Rational,
    speed: i32,
    size: (u16, u16),
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
            fps: info.fps,
            speed: speed as i32,
            size: (width, height),
        })
    }

    /// Returns the delay of frame `index` in hundredths of a second; the sum over all frames matches the rate.
    /// At least 2, because players slow down smaller delays: above 50 frames per second, a GIF plays more
    /// slowly.
    fn delay(&self, index: u64) -> u16 {
        let (num, den) = (u64::from(self.fps.num()), u64::from(self.fps.den()));
        let at = |index: u64| (100 * den * index + num / 2) / num;
        (at(index + 1) - at(index)).clamp(2, u16::MAX.into()) as u16
    }
}

impl Sink for GifSink {
    fn write_frame(&mut self, frame: &Frame) -> Result<()> {
        self.expect.check(frame)?;
        let (width, height) = self.size;
        let mut image = gif::Frame::from_rgb_speed(width, height, frame.rgb(), self.speed);
        image.delay = self.delay(self.expect.frames);
        self.encoder
            .write_frame(&image)
            .map_err(|error| self.expect.write_error(into_io(error)))?;
        self.expect.frames += 1;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Summary> {
        let Self {
            expect, encoder, ..
        } = *self;
        expect.some()?;
        let output = encoder
            .into_inner()
            .map_err(|error| expect.write_error(into_io(error)))?;
        let (bytes, path) = output.commit().map_err(|error| expect.write_error(error))?;
        Ok(Summary {
            frames: expect.frames,
            bytes,
            path,
        })
    }
}

fn into_io(error: EncodingError) -> io::Error {
    match error {
        EncodingError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
