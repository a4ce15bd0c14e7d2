//! YUV4MPEG2: 4:2:0 (chroma in the middle, `C420jpeg`) or 4:4:4.

use std::io;

use y4m::{Colorspace, Encoder, EncoderBuilder, Error as Y4mError, Ratio, VendorExtensionString};

use super::{End, Expect, Sink, SinkOptions, Summary, Written, Y4mSampling, file::Output, lost};
use crate::{
    ColorMatrix, ColorRange, Frame, Rational, Result, VideoInfo, color::Converter, timing::Slots,
};

pub(super) struct Y4mSink {
    expect: Expect,
    encoder: Encoder<Shared>,
    output: Shared,
    converter: Converter,
    subsample: bool,
    /// The last frame.
    planes: [Vec<u8>; 3],
    slots: Slots,
    repeated: u64,
    merged: u64,
    rate: Rational,
    notes: Vec<String>,
}

/// The y4m crate owns its writer; this is a writer that can be taken back.
#[derive(Clone)]
struct Shared(std::sync::Arc<std::sync::Mutex<Option<Output>>>);

impl Shared {
    fn take(&self) -> Option<Output> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Output) -> io::Result<T>) -> io::Result<T> {
        let mut output = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        output
            .as_mut()
            .map_or_else(|| Err(io::ErrorKind::BrokenPipe.into()), work)
    }
}

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|output| output.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(io::Write::flush)
    }
}

impl Y4mSink {
    pub(super) fn open(spec: &str, info: &VideoInfo, options: &SinkOptions) -> Result<Self> {
        let name = if spec == "-" { "standard output" } else { spec };
        let expect = Expect::new(name, info);
        let output = Shared(std::sync::Arc::new(std::sync::Mutex::new(Some(
            Output::create(spec)?,
        ))));
        let rate = Ratio::new(info.grid.num() as usize, info.grid.den() as usize);
        let subsample = options.sampling == Y4mSampling::S420;
        let space = if subsample {
            Colorspace::C420jpeg
        } else {
            Colorspace::C444
        };
        let range: &[u8] = match options.range {
            ColorRange::Limited => b"COLORRANGE=LIMITED",
            ColorRange::Full => b"COLORRANGE=FULL",
        };
        let mut builder = EncoderBuilder::new(info.width as usize, info.height as usize, rate)
            .with_colorspace(space)
            .with_pixel_aspect(Ratio::new(
                info.pixel_aspect.num() as usize,
                info.pixel_aspect.den() as usize,
            ));
        if let Ok(tag) = VendorExtensionString::new(range.to_vec()) {
            builder = builder.append_vendor_extension(tag);
        }
        let encoder = builder
            .write_header(output.clone())
            .map_err(|error| expect.write_error(into_io(error)))?;
        let matrix = options.matrix.unwrap_or(ColorMatrix::Bt601);
        let converter = Converter::new(matrix, options.range);
        Ok(Self {
            expect,
            encoder,
            output,
            converter,
            subsample,
            planes: Default::default(),
            slots: Slots::new(info.grid),
            repeated: 0,
            merged: 0,
            rate: info.grid,
            notes: lost(spec, info, options, true),
        })
    }

    /// Writes the last frame `times` times.
    fn write_last(&mut self, times: u64) -> Result<()> {
        let [luma, blue, red] = &self.planes;
        for _ in 0..times {
            self.encoder
                .write_frame(&y4m::Frame::new([luma, blue, red], None))
                .map_err(|error| self.expect.write_error(into_io(error)))?;
            self.expect.frames += 1;
        }
        Ok(())
    }
}

impl Sink for Y4mSink {
    fn write_frame(&mut self, frame: &Frame) -> Result<Written> {
        self.expect.check(frame)?;
        let first = self.expect.frames == 0;
        let Some(gap) = self.slots.place(frame.time) else {
            self.merged += 1;
            return Ok(Written::Merged);
        };
        self.repeated += gap;
        if !first {
            self.write_last(gap)?;
        }
        let width = frame.width() as usize;
        self.converter
            .rgb_to_planes(frame.rgb(), width, self.subsample, &mut self.planes);
        self.write_last(if first { 1 + gap } else { 1 })?;
        Ok(Written::Kept)
    }

    fn finish(mut self: Box<Self>, end: End) -> Result<Summary> {
        self.expect.some()?;
        let rest = self.slots.end(end.time);
        self.repeated += rest;
        self.write_last(rest)?;
        if self.merged > 0 {
            self.notes.push(format!(
                "y4m has a constant rate, {} frames a second: {} frames that came faster were left out, the duration is kept",
                self.rate, self.merged
            ));
        }
        let gone = || self.expect.write_error(io::ErrorKind::BrokenPipe.into());
        let output = self.output.take().ok_or_else(gone)?;
        let (bytes, path) = output
            .commit()
            .map_err(|error| self.expect.write_error(error))?;
        Ok(Summary {
            frames: self.expect.frames,
            repeated: self.repeated,
            bytes,
            path,
            notes: std::mem::take(&mut self.notes),
        })
    }
}

fn into_io(error: Y4mError) -> io::Error {
    match error {
        Y4mError::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
