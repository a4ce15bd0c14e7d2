//! Animated WebP and PNG, composited over black as in a browser.

use std::{
    fs::File,
    io::{self, BufReader},
    time::Duration,
};

use crossbeam_channel::{Receiver, bounded};
use image::{
    AnimationDecoder, Delay, Frames, ImageError, codecs::png::PngDecoder, codecs::webp::WebPDecoder,
};

use super::{Ending, Source, images::over_black, open_file};
use crate::{
    Error, Frame, Rational, Result, VideoInfo,
    format::Animation,
    frame::{checked_len, gcd},
};

/// Browsers show a frame of less for this time.
const SHORTEST: u64 = 11;
const INSTEAD: u64 = 100;

pub(super) struct AnimatedSource {
    info: VideoInfo,
    kind: Animation,
    /// What a thread decodes: the library's iterator cannot move to the thread that reads.
    frames: Receiver<image::ImageResult<image::Frame>>,
    /// The beginning of each frame and the end of the last, milliseconds.
    starts: Vec<u64>,
    next: u64,
}

impl AnimatedSource {
    pub(super) fn open(name: &str, kind: Animation) -> Result<Self> {
        // A first pass for the times; what is damaged is reported when it is read.
        let mut size = None;
        let mut starts = vec![0];
        let mut delays = Vec::new();
        for image in frames(name, kind)? {
            let Ok(image) = image else { break };
            size.get_or_insert((image.buffer().width(), image.buffer().height()));
            delays.push(milliseconds(image.delay()));
            starts.push(starts.last().copied().unwrap_or(0) + delays[delays.len() - 1]);
        }
        let no_frames = || Error::NoFrames {
            name: name.to_owned(),
            format: kind.name(),
        };
        let (width, height) = match size {
            Some(size) => size,
            // The first frame is damaged: its error says how.
            None => match frames(name, kind)?.next() {
                Some(Err(error)) => return Err(fault(name, kind, 0, error)),
                _ => return Err(no_frames()),
            },
        };
        checked_len(name, width.into(), height.into())?;
        let total: u64 = delays.iter().sum();
        let unit = delays.iter().copied().fold(0, gcd);
        let mean = Rational::new(1000 * delays.len() as u64, total).ok_or_else(no_frames)?;
        let mut info = VideoInfo::new(name, width, height, mean);
        info.frames = Some(delays.len() as u64);
        info.variable = delays.iter().any(|&delay| delay != delays[0]);
        if info.variable {
            let grid = Rational::new(1000, unit.max(4));
            info.grid = grid.ok_or_else(no_frames)?;
        }
        Ok(Self {
            info,
            kind,
            frames: decoding(name, kind)?,
            starts,
            next: 0,
        })
    }

    fn start(&self, index: u64) -> Option<Duration> {
        let start = self.starts.get(usize::try_from(index).ok()?)?;
        Some(match self.info.variable {
            true => Duration::from_millis(*start),
            false => self.info.fps.time(index),
        })
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        let Ok(image) = self.frames.recv() else {
            return Ok(None);
        };
        let image = image.map_err(|error| fault(&self.info.name, self.kind, self.next, error))?;
        let rgb = over_black(image.into_buffer().into());
        let mut frame = Frame::from_rgb(self.info.width, self.info.height, self.next, rgb)?;
        frame.time = self
            .start(self.next)
            .unwrap_or_else(|| self.info.fps.time(self.next));
        self.next += 1;
        Ok(Some(frame))
    }
}

impl Source for AnimatedSource {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        self.read()
    }

    fn ending(&self) -> Ending {
        Ending {
            end: self.start(self.next),
            ..Ending::default()
        }
    }
}

/// Decodes on a thread, a frame ahead of who reads. It ends with the receiver.
fn decoding(name: &str, kind: Animation) -> Result<Receiver<image::ImageResult<image::Frame>>> {
    let (sender, receiver) = bounded(1);
    // An error of opening is returned here.
    drop(frames(name, kind)?);
    let name = name.to_owned();
    std::thread::spawn(move || {
        for image in frames(&name, kind).into_iter().flatten() {
            if sender.send(image).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

fn frames(name: &str, kind: Animation) -> Result<Frames<'static>> {
    let file: BufReader<File> = BufReader::new(open_file(name)?);
    let frames = match kind {
        Animation::Png => PngDecoder::new(file)
            .and_then(PngDecoder::apng)
            .map(AnimationDecoder::into_frames),
        Animation::Webp => WebPDecoder::new(file).map(AnimationDecoder::into_frames),
    };
    frames.map_err(|error| fault(name, kind, 0, error))
}

fn milliseconds(delay: Delay) -> u64 {
    let (num, den) = delay.numer_denom_ms();
    match u64::from(num) / u64::from(den.max(1)) {
        0..SHORTEST => INSTEAD,
        delay => delay,
    }
}

fn fault(name: &str, kind: Animation, frame: u64, error: ImageError) -> Error {
    let (name, format) = (name.to_owned(), kind.name());
    match error {
        ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Error::Truncated {
                name,
                format,
                frame,
            }
        }
        ImageError::IoError(source) => Error::Read { name, source },
        other => Error::Malformed {
            name,
            format,
            frame,
            what: other.to_string(),
        },
    }
}
