//! YUV4MPEG2, 8 bits a sample: 4:2:0, 4:2:2, 4:4:4 and mono.

use std::{
    io::{self, BufRead, BufReader, Cursor, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use y4m::{Colorspace, Decoder, Error as Y4mError};

use super::{Source, SourceOptions, open_file, read_error};
use crate::{
    ColorMatrix, ColorRange, Error, Frame, Rational, Result, VideoInfo,
    color::{Converter, Sampling},
    frame::checked_len,
};

const FORMAT: &str = "y4m";
/// Longest header line that the y4m crate reads.
const HEADER_LIMIT: u64 = 1024;

/// Opens a stream.
pub(super) fn open_stream(
    name: &str,
    reader: impl Read + Send + 'static,
    options: &SourceOptions,
) -> Result<Box<dyn Source + Send>> {
    Ok(Box::new(Y4mSource::new(name, reader, None, options)?))
}

/// Opens a file.
pub(super) fn open(spec: &str, options: &SourceOptions) -> Result<Box<dyn Source + Send>> {
    let file = open_file(spec)?;
    let metadata = file.metadata().map_err(|error| read_error(spec, error))?;
    let bytes = metadata.is_file().then_some(metadata.len());
    Ok(Box::new(Y4mSource::new(spec, file, bytes, options)?))
}

struct Y4mSource<R: Read> {
    info: VideoInfo,
    decoder: Decoder<Counting<R>>,
    consumed: Arc<AtomicU64>,
    sampling: Sampling,
    converter: Converter,
    next: u64,
}

/// Counts bytes, because the y4m crate reports the end of the file and a truncated frame alike.
struct Counting<R: Read> {
    inner: io::Chain<Cursor<Vec<u8>>, BufReader<R>>,
    consumed: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The crate reads header bytes one by one and treats an interruption as an error.
        loop {
            match self.inner.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    self.consumed.fetch_add(count as u64, Ordering::Relaxed);
                    return Ok(count);
                }
            }
        }
    }
}

impl<R: Read> Y4mSource<R> {
    fn new(name: &str, reader: R, bytes: Option<u64>, options: &SourceOptions) -> Result<Self> {
        let mut reader = BufReader::with_capacity(1 << 16, reader);
        let mut line = Vec::new();
        (&mut reader)
            .take(HEADER_LIMIT)
            .read_until(b'\n', &mut line)
            .map_err(|error| read_error(name, error))?;
        let Header {
            range,
            aspect,
            interlaced,
        } = check_header(name, &line)?;
        let header = line.len() as u64;
        let consumed = Arc::new(AtomicU64::new(0));
        let inner = Cursor::new(line).chain(reader);
        let decoder = Decoder::new(Counting {
            inner,
            consumed: Arc::clone(&consumed),
        })
        .map_err(|error| fault(name, 0, error))?;

        let sampling = sampling(name, decoder.get_colorspace())?;
        // What ffmpeg and OpenCV take where no tag says otherwise: luma alone is that of a picture, not of a video.
        let range = range.unwrap_or(match sampling {
            Sampling::Mono => ColorRange::Full,
            _ => ColorRange::Limited,
        });
        let (width, height) = (decoder.get_width(), decoder.get_height());
        let rate = decoder.get_framerate();
        // F0:0 means unknown; 25 is what ffmpeg takes then.
        let fps = Rational::new(rate.num as u64, rate.den as u64)
            .or(options.fps)
            .or(Rational::whole(25));
        let fps = fps.ok_or_else(|| malformed(name, 0, "a frame rate of zero"))?;
        let (width, height) = (width as u32, height as u32);
        let matrix = options.matrix.unwrap_or(ColorMatrix::Bt601);
        let (columns, rows) = sampling.chroma_size(width as usize, height as usize);
        let frame = 6 + u64::from(width) * u64::from(height) + 2 * (columns * rows) as u64;
        let frames = bytes.map(|all| all.saturating_sub(header) / frame);
        let mut info = VideoInfo::new(name, width, height, fps);
        (info.frames, info.pixel_aspect) = (frames, aspect);
        if interlaced {
            info.notes.push(
                "the video is interlaced and is read as whole frames; deinterlace it first with `ffmpeg -i IN -vf bwdif OUT`"
                    .to_owned(),
            );
        }
        Ok(Self {
            info,
            decoder,
            consumed,
            sampling,
            converter: Converter::new(matrix, range),
            next: 0,
        })
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        let before = self.consumed.load(Ordering::Relaxed);
        let name = self.info.name.as_str();
        let planes = match self.decoder.read_frame() {
            Ok(planes) => planes,
            Err(Y4mError::EOF) if self.consumed.load(Ordering::Relaxed) > before => {
                return Err(truncated(name, self.next));
            }
            Err(Y4mError::EOF) if self.next == 0 => {
                return Err(Error::NoFrames {
                    name: name.to_owned(),
                    format: FORMAT,
                });
            }
            Err(Y4mError::EOF) => return Ok(None),
            Err(error) => return Err(fault(name, self.next, error)),
        };
        let mut frame = Frame::new(self.info.width, self.info.height, self.next)?;
        self.converter.planes_to_rgb(
            [
                planes.get_y_plane(),
                planes.get_u_plane(),
                planes.get_v_plane(),
            ],
            self.sampling,
            self.info.width as usize,
            frame.rgb_mut(),
        );
        self.next += 1;
        Ok(Some(frame.at_rate(self.info.fps)))
    }
}

impl<R: Read> Source for Y4mSource<R> {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        self.read()
    }
}

/// What the y4m crate does not read.
struct Header {
    /// `None` where no tag says it.
    range: Option<ColorRange>,
    aspect: Rational,
    interlaced: bool,
}

/// Checks the header line before the y4m crate multiplies its numbers, and reads what that crate does not.
fn check_header(name: &str, line: &[u8]) -> Result<Header> {
    if line.is_empty() {
        return Err(Error::Empty {
            name: name.to_owned(),
        });
    }
    if b"YUV4MPEG2 ".starts_with(line) {
        return Err(truncated(name, 0));
    }
    if !line.starts_with(b"YUV4MPEG2 ") {
        let what = "it does not begin with YUV4MPEG2 (create one with `ffmpeg -i IN -pix_fmt yuv420p -f yuv4mpegpipe OUT.y4m`)";
        return Err(malformed(name, 0, what));
    }
    if line.last() != Some(&b'\n') {
        if (line.len() as u64) < HEADER_LIMIT {
            return Err(truncated(name, 0));
        }
        return Err(malformed(name, 0, "the header line is not terminated"));
    }
    let (mut width, mut height) = (0, 0);
    let (mut range, mut aspect, mut interlaced) = (None, Rational::ONE, false);
    for field in line[10..].trim_ascii_end().split(|&byte| byte == b' ') {
        let field = String::from_utf8_lossy(field);
        let number = |text: &str| text.parse().unwrap_or(0_u64);
        match (field.get(..1), field.get(1..)) {
            (Some("W"), Some(text)) => width = number(text),
            (Some("H"), Some(text)) => height = number(text),
            (Some("X"), Some("COLORRANGE=FULL")) => range = Some(ColorRange::Full),
            (Some("X"), Some("COLORRANGE=LIMITED")) => range = Some(ColorRange::Limited),
            // 0:0 means unknown.
            (Some("A"), Some(text)) => aspect = Rational::parse(text).unwrap_or(Rational::ONE),
            (Some("I"), Some(order)) => interlaced = !matches!(order, "p" | "?"),
            _ => {}
        }
    }
    checked_len(name, width, height)?;
    Ok(Header {
        range,
        aspect,
        interlaced,
    })
}

fn sampling(name: &str, colorspace: Colorspace) -> Result<Sampling> {
    Ok(match colorspace {
        Colorspace::Cmono => Sampling::Mono,
        Colorspace::C420 | Colorspace::C420jpeg => Sampling::S420Center,
        Colorspace::C420mpeg2 => Sampling::S420Left,
        Colorspace::C420paldv => Sampling::S420TopLeft,
        Colorspace::C422 => Sampling::S422,
        Colorspace::C444 => Sampling::S444,
        other => {
            let what = format!(
                "{other:?} has more than 8 bits a sample; convert it with `ffmpeg -pix_fmt yuv420p`"
            );
            return Err(malformed(name, 0, what));
        }
    })
}

fn fault(name: &str, frame: u64, error: Y4mError) -> Error {
    match error {
        Y4mError::IoError(error) => read_error(name, error),
        Y4mError::EOF => truncated(name, frame),
        Y4mError::UnknownColorspace => malformed(
            name,
            frame,
            "its colour space is not 420, 422, 444 or mono with 8 bits; convert it with `ffmpeg -pix_fmt yuv420p`",
        ),
        Y4mError::OutOfMemory => malformed(name, frame, "its frames are too large"),
        Y4mError::ParseError(_) | Y4mError::BadInput if frame == 0 => {
            malformed(name, frame, "its header or first frame is damaged")
        }
        Y4mError::ParseError(_) | Y4mError::BadInput => {
            malformed(name, frame, "a FRAME marker is missing")
        }
    }
}

fn malformed(name: &str, frame: u64, what: impl Into<String>) -> Error {
    Error::Malformed {
        name: name.to_owned(),
        format: FORMAT,
        frame,
        what: what.into(),
    }
}

fn truncated(name: &str, frame: u64) -> Error {
    Error::Truncated {
        name: name.to_owned(),
        format: FORMAT,
        frame,
    }
}
