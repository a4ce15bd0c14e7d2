//! GIF: every frame is the whole canvas, composited over black as in a browser.

use std::{
    fs::File,
    io::{self, Seek},
};

use gif::{ColorOutput, DecodeOptions, Decoder, DecodingError, DisposalMethod, MemoryLimit};

use super::{Source, open_file, read_error};
use crate::{Error, Frame, MAX_PIXELS, Rational, Result, VideoInfo, frame::checked_len};

const FORMAT: &str = "GIF";

/// A GIF file. The rate is the average of the whole file; a delay of 0 or 1 hundredths is read as 10, as
/// in browsers.
pub(super) struct GifSource {
    info: VideoInfo,
    decoder: Decoder<File>,
    canvas: Canvas,
    next: u64,
    ended: bool,
}

impl GifSource {
    pub(super) fn open(name: &str) -> Result<Self> {
        let mut file = open_file(name)?;
        let scanned = file.try_clone().map_err(|error| read_error(name, error))?;
        let (frames, fps) = scan(name, scanned)?;
        file.rewind().map_err(|error| read_error(name, error))?;
        let decoder = decoder(name, file, false)?;
        let (width, height) = (decoder.width(), decoder.height());
        checked_len(name, width.into(), height.into())?;
        let info = VideoInfo {
            width: width.into(),
            height: height.into(),
            fps,
            frames,
            name: name.to_owned(),
        };
        let canvas = Canvas::new(info.width, info.height)?;
        Ok(Self {
            info,
            decoder,
            canvas,
            next: 0,
            ended: false,
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
        Ok(Some(frame))
    }
}

impl Source for GifSource {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.ended {
            return Ok(None);
        }
        let frame = self.read();
        self.ended = !matches!(frame, Ok(Some(_)));
        frame
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

/// Counts the frames and their delays without decoding pixels. An error in the file is reported when it is
/// read; the rate is then that of the frames before it.
fn scan(name: &str, file: File) -> Result<(Option<u64>, Rational)> {
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
    let fps = mean_rate(&delays).ok_or_else(|| Error::NoFrames {
        name: name.to_owned(),
        format: FORMAT,
    })?;
    Ok((whole.then_some(delays.len() as u64), fps))
}

/// Returns the rate for delays in hundredths of a second; 10 if there are none. Delays are rounded, so a
/// whole rate is used if it matches their sum to half a hundredth.
fn mean_rate(delays: &[u64]) -> Option<Rational> {
    let Some(&first) = delays.first() else {
        return Rational::whole(10);
    };
    let (frames, total) = (100 * delays.len() as u64, delays.iter().sum::<u64>());
    let whole = (frames + total / 2) / total;
    let even = delays.iter().all(|&delay| delay == first);
    let meant = !even && (2 * frames).abs_diff(2 * total * whole) <= whole;
    if meant {
        Rational::new(whole, 1)
    } else {
        Rational::new(frames, total)
    }
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
