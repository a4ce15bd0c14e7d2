//! GIF: every frame is the whole canvas, composited over black as in a browser.

use std::{
    fs::File,
    io::{self, Seek},
    time::Duration,
};

use gif::{ColorOutput, DecodeOptions, Decoder, DecodingError, DisposalMethod, MemoryLimit};

use super::{Ending, Source, open_file, read_error};
use crate::{
    Error, Frame, MAX_PIXELS, Rational, Result, VideoInfo,
    frame::{checked_len, gcd},
};

const FORMAT: &str = "GIF";

/// A GIF file. A delay of 0 or 1 hundredths is read as 10, as in browsers.
pub(super) struct GifSource {
    info: VideoInfo,
    /// Of frames that have no constant rate, the hundredths of a second before each, and before the end.
    starts: Option<Vec<u64>>,
    decoder: Decoder<File>,
    canvas: Canvas,
    next: u64,
}

impl GifSource {
    pub(super) fn open(name: &str) -> Result<Self> {
        let mut file = open_file(name)?;
        let scanned = file.try_clone().map_err(|error| read_error(name, error))?;
        let scanned = scan(name, scanned)?;
        file.rewind().map_err(|error| read_error(name, error))?;
        let decoder = decoder(name, file, false)?;
        let (width, height) = (decoder.width(), decoder.height());
        checked_len(name, width.into(), height.into())?;
        let mut info = VideoInfo::new(name, width.into(), height.into(), scanned.fps);
        (info.frames, info.grid) = (scanned.frames, scanned.grid);
        info.variable = scanned.starts.is_some();
        let canvas = Canvas::new(info.width, info.height)?;
        Ok(Self {
            info,
            starts: scanned.starts,
            decoder,
            canvas,
            next: 0,
        })
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        let name = self.info.name.as_str();
        let global = self.decoder.global_palette().map(<[u8]>::to_vec);
        let image = match self.decoder.read_next_frame() {
            Ok(Some(image)) => image,
            Ok(None) if self.next == 0 => {
                return Err(Error::NoFrames {
                    name: name.to_owned(),
                    format: FORMAT,
                });
            }
            Ok(None) => return Ok(None),
            Err(error) => return Err(fault(name, self.next, error)),
        };
        let palette = image
            .palette
            .as_deref()
            .or(global.as_deref())
            .unwrap_or_default();
        let mut frame = self.canvas.show(image, palette);
        frame.index = self.next;
        self.next += 1;
        Ok(Some(match self.start(frame.index) {
            Some(time) => {
                frame.time = time;
                frame
            }
            None => frame.at_rate(self.info.fps),
        }))
    }

    /// Returns the time of a frame, or of the end behind the last one, if the rate is not constant.
    fn start(&self, index: u64) -> Option<Duration> {
        let at = usize::try_from(index).ok()?;
        let hundredths = self.starts.as_ref()?.get(at)?;
        Some(Duration::from_millis(10 * hundredths))
    }
}

impl Source for GifSource {
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

fn decoder(name: &str, file: File, skip_pixels: bool) -> Result<Decoder<File>> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.skip_frame_decoding(skip_pixels);
    if let Some(limit) = std::num::NonZeroU64::new(MAX_PIXELS) {
        options.set_memory_limit(MemoryLimit::Bytes(limit));
    }
    options
        .read_info(file)
        .map_err(|error| fault(name, 0, error))
}

/// The frames and times of a file.
struct Scanned {
    frames: Option<u64>,
    fps: Rational,
    grid: Rational,
    starts: Option<Vec<u64>>,
}

/// Counts the frames and their delays without decoding pixels. An error in the file is reported when it is
/// read; the rate is then that of the frames before it.
fn scan(name: &str, file: File) -> Result<Scanned> {
    let mut decoder = decoder(name, file, true)?;
    let mut delays = Vec::new();
    let whole = loop {
        match decoder.next_frame_info() {
            Ok(Some(frame)) => delays.push(if frame.delay > 1 {
                frame.delay.into()
            } else {
                10
            }),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    let no_frames = || Error::NoFrames {
        name: name.to_owned(),
        format: FORMAT,
    };
    let frames = whole.then_some(delays.len() as u64);
    if let Some(fps) = constant_rate(&delays) {
        return Ok(Scanned {
            frames,
            fps,
            grid: fps,
            starts: None,
        });
    }
    let mut starts = vec![0];
    let mut total = 0;
    for delay in &delays {
        total += delay;
        starts.push(total);
    }
    // The rate of which every delay is a multiple.
    let unit = delays.iter().copied().fold(0, gcd);
    let fps = Rational::new(100 * delays.len() as u64, total).ok_or_else(no_frames)?;
    let grid = Rational::new(100, unit).ok_or_else(no_frames)?;
    Ok(Scanned {
        frames,
        fps,
        grid,
        starts: Some(starts),
    })
}

/// Returns the rate of delays in hundredths of a second if it is constant; 10 if there are none. Delays are rounded, so
/// a whole rate is meant if every frame begins where it would begin at this rate.
fn constant_rate(delays: &[u64]) -> Option<Rational> {
    let Some(&first) = delays.first() else {
        return Rational::whole(10);
    };
    if delays.iter().all(|&delay| delay == first) {
        return Rational::new(100, first);
    }
    let (frames, total) = (100 * delays.len() as u64, delays.iter().sum::<u64>());
    let whole = (frames + total / 2) / total;
    let mut start = 0;
    let meant = delays.iter().enumerate().all(|(i, delay)| {
        start += delay;
        (start * whole).abs_diff(100 * (i as u64 + 1)) <= whole
    });
    meant.then(|| Rational::new(whole, 1)).flatten()
}

fn fault(name: &str, frame: u64, error: DecodingError) -> Error {
    match error {
        DecodingError::UnexpectedEof => Error::Truncated {
            name: name.to_owned(),
            format: FORMAT,
            frame,
        },
        DecodingError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            read_error(name, error)
        }
        DecodingError::Io(_) => Error::Truncated {
            name: name.to_owned(),
            format: FORMAT,
            frame,
        },
        other => {
            let what = other.to_string();
            Error::Malformed {
                name: name.to_owned(),
                format: FORMAT,
                frame,
                what,
            }
        }
    }
}

/// The canvas, and the disposal method of the last image.
struct Canvas {
    screen: Frame,
    disposal: Disposal,
}

enum Disposal {
    Keep,
    Clear(Area),
    Restore(Frame),
}

/// The part of an image that is on the canvas.
#[derive(Clone, Copy)]
struct Area {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Canvas {
    fn new(width: u32, height: u32) -> Result<Self> {
        Ok(Self {
            screen: Frame::new(width, height, 0)?,
            disposal: Disposal::Keep,
        })
    }

    /// Disposes of the last image, draws this one, returns the canvas.
    fn show(&mut self, image: &gif::Frame<'_>, palette: &[u8]) -> Frame {
        match std::mem::replace(&mut self.disposal, Disposal::Keep) {
            Disposal::Keep => {}
            Disposal::Restore(before) => self.screen = before,
            Disposal::Clear(area) => self.clear(area),
        }
        let (width, height) = (self.screen.width() as usize, self.screen.height() as usize);
        let (left, top) = (usize::from(image.left), usize::from(image.top));
        let area = Area {
            left: left.min(width),
            top: top.min(height),
            right: (left + usize::from(image.width)).min(width),
            bottom: (top + usize::from(image.height)).min(height),
        };
        self.disposal = match image.dispose {
            DisposalMethod::Any | DisposalMethod::Keep => Disposal::Keep,
            DisposalMethod::Background => Disposal::Clear(area),
            DisposalMethod::Previous => Disposal::Restore(self.screen.clone()),
        };
        self.draw(image, palette, area);
        self.screen.clone()
    }

    fn row(&mut self, y: usize, area: Area) -> &mut [u8] {
        let start = y * self.screen.width() as usize;
        &mut self.screen.rgb_mut()[3 * (start + area.left)..3 * (start + area.right)]
    }

    fn clear(&mut self, area: Area) {
        for y in area.top..area.bottom {
            self.row(y, area).fill(0);
        }
    }

    fn draw(&mut self, image: &gif::Frame<'_>, palette: &[u8], area: Area) {
        let lines = image.buffer.chunks_exact(usize::from(image.width).max(1));
        for (y, line) in (area.top..area.bottom).zip(lines) {
            for (pixel, &index) in self.row(y, area).chunks_exact_mut(3).zip(line) {
                // An index beyond the palette is transparent.
                let colour = palette.get(3 * usize::from(index)..3 * usize::from(index) + 3);
                if let (Some(colour), false) = (colour, image.transparent == Some(index)) {
                    pixel.copy_from_slice(colour);
                }
            }
        }
    }
}
