//! Other formats, decoded by ffmpeg to PPM images through a pipe. PPM states its size, which may differ from
//! the container's for rotated videos, and has RGB, so that ffmpeg applies the file's colour tags.

use std::{
    io::{self, BufRead, BufReader, Read},
    process::{ChildStdout, Command, Stdio},
};

use super::{Source, SourceOptions, open_file};
use crate::{
    Error, Frame, Rational, Result, VideoInfo,
    ffmpeg::{Process, Subject, argument, output},
    format::{INPUTS_WITHOUT_FFMPEG, extension},
    frame::checked_len,
};

pub(super) struct FfmpegSource {
    info: VideoInfo,
    subject: Subject,
    process: Process,
    pipe: BufReader<ChildStdout>,
    /// The first frame, decoded for its size.
    first: Option<Frame>,
    next: u64,
    ended: bool,
}

impl FfmpegSource {
    pub(super) fn open(spec: &str, options: &SourceOptions) -> Result<Self> {
        if !spec.contains("://") {
            open_file(spec)?;
        }
        let extension = extension(spec);
        let format = if extension.is_empty() {
            "this".into()
        } else {
            format!(".{extension}")
        };
        let subject = Subject {
            name: spec.to_owned(),
            format,
            without: INPUTS_WITHOUT_FFMPEG,
        };
        let probed = probe(spec, options, &subject)?;

        let mut command = Command::new(&options.ffmpeg.ffmpeg);
        command
            .args(["-v", "error", "-nostdin", "-i"])
            .arg(argument(spec));
        // A constant rate: a variable one is sampled at its mean.
        command.args(["-map", "0:v:0", "-r", &probed.fps.to_string()]);
        command.args(["-sws_flags", "bicubic+accurate_rnd+full_chroma_int"]);
        command.args([
            "-f",
            "image2pipe",
            "-c:v",
            "ppm",
            "-pix_fmt",
            "rgb24",
            "pipe:1",
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Process::start(command, &subject)?;
        let pipe = process.child().stdout.take();
        let pipe = pipe.ok_or_else(|| subject.failed("it has no output pipe"))?;
        let pipe = BufReader::with_capacity(1 << 20, pipe);

        let info = VideoInfo {
            width: 0,
            height: 0,
            fps: probed.fps,
            frames: probed.frames,
            name: spec.to_owned(),
        };
        let mut source = Self {
            info,
            subject,
            process,
            pipe,
            first: None,
            next: 0,
            ended: false,
        };
        let Some(first) = source.read()? else {
            return Err(Error::NoFrames {
                name: spec.to_owned(),
                format: "video",
            });
        };
        (source.info.width, source.info.height) = (first.width(), first.height());
        source.first = Some(first);
        Ok(source)
    }

    /// Reads a frame; at the end, checks whether ffmpeg succeeded.
    fn read(&mut self) -> Result<Option<Frame>> {
        let picture = read_ppm(&mut self.pipe, &self.info.name, self.next);
        if let Ok(Some(frame)) = picture {
            self.next += 1;
            return Ok(Some(frame));
        }
        if let Err(error @ Error::BadSize { .. }) = picture {
            return Err(error);
        }
        let end = self
            .process
            .wait()
            .map_err(|error| self.subject.failed(error.to_string()))?;
        // All expected frames were read, so the message is not an error.
        let whole = self.info.frames.is_some_and(|frames| self.next >= frames);
        match picture {
            Ok(_) if end.clean() => Ok(None),
            Ok(_) if whole && !end.failed() => {
                tracing::warn!(name = %self.info.name, message = end.message(), "ffmpeg reported a problem");
                Ok(None)
            }
            Ok(_) | Err(Error::Truncated { .. }) => Err(self.subject.failed(end.message())),
            Err(error) => Err(error),
        }
    }
}

impl Source for FfmpegSource {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        if self.ended {
            return Ok(None);
        }
        let frame = self.read();
        self.ended = !matches!(frame, Ok(Some(_)));
        if let Ok(Some(frame)) = &frame
            && (frame.width(), frame.height()) != (self.info.width, self.info.height)
        {
            self.ended = true;
            return Err(Error::FrameSize {
                name: self.info.name.clone(),
                frame: frame.index,
                got: frame.size(),
                want: format!("{}x{}", self.info.width, self.info.height),
            });
        }
        frame
    }
}

struct Probed {
    fps: Rational,
    frames: Option<u64>,
}

/// Asks ffprobe for the rate and the number of frames of the first video stream.
fn probe(spec: &str, options: &SourceOptions, subject: &Subject) -> Result<Probed> {
    let mut command = Command::new(&options.ffmpeg.ffprobe);
    command.args(["-v", "error", "-select_streams", "v:0"]);
    command.args([
        "-show_entries",
        "stream=avg_frame_rate,r_frame_rate,nb_frames",
    ]);
    command
        .args(["-of", "default=noprint_wrappers=1"])
        .arg(argument(spec));
    let text = output(command, subject)?;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(str::trim)
    };
    let rate = |name| field(name).and_then(Rational::parse);
    let (mean, base) = (rate("avg_frame_rate"), rate("r_frame_rate"));
    if mean.is_none() && base.is_none() {
        return Err(subject.failed("no video stream was found in this file"));
    }
    // The base rate is exact for a constant frame rate; for a variable one it is only a time base.
    let fps = match (mean, base) {
        (Some(mean), Some(base)) if (base.to_f64() / mean.to_f64() - 1.0).abs() < 0.05 => base,
        (mean, base) => mean
            .or(base)
            .unwrap_or(Rational::parse("25").ok_or_else(|| subject.failed("no rate"))?),
    };
    let frames = field("nb_frames").and_then(|text| text.parse().ok());
    Ok(Probed { fps, frames })
}

/// Reads a binary PPM with 8-bit samples; `None` at the end of the stream.
fn read_ppm(pipe: &mut impl BufRead, name: &str, index: u64) -> Result<Option<Frame>> {
    let truncated = || Error::Truncated {
        name: name.to_owned(),
        format: "video",
        frame: index,
    };
    let from_io = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => truncated(),
        _ => Error::Read {
            name: name.to_owned(),
            source: error,
        },
    };
    let mut words = Vec::new();
    while words.len() < 4 {
        match read_word(pipe).map_err(from_io)? {
            Some(word) => words.push(word),
            None if words.is_empty() => return Ok(None),
            None => return Err(truncated()),
        }
    }
    let number = |at: usize| words[at].parse::<u64>().unwrap_or(0);
    if words[0] != "P6" || number(3) != 255 {
        let what = format!("ffmpeg sent {:?} instead of an image", words.join(" "));
        return Err(Error::Malformed {
            name: name.to_owned(),
            format: "video",
            frame: index,
            what,
        });
    }
    let (width, height) = (number(1), number(2));
    let mut data = vec![0; checked_len(name, width, height)?];
    pipe.read_exact(&mut data).map_err(from_io)?;
    Frame::from_rgb(width as u32, height as u32, index, data).map(Some)
}

/// Reads bytes up to a white space, at most 16; `None` if the stream ends before the first.
fn read_word(pipe: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut word = String::new();
    for byte in pipe.take(17).bytes() {
        match byte? {
            byte if byte.is_ascii_whitespace() => return Ok(Some(word)),
            byte => word.push(char::from(byte)),
        }
    }
    if word.is_empty() {
        Ok(None)
    } else {
        Ok(Some(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ppm_streams() {
        let stream = b"P6\n2 1\n255\nabcdefP6\n1 1\n255\nxyzP6\n9 9\n255\nshort";
        let mut pipe = &stream[..];
        let first = read_ppm(&mut pipe, "x", 0).unwrap().unwrap();
        assert_eq!(
            (first.width(), first.height(), first.rgb()),
            (2, 1, &b"abcdef"[..])
        );
        assert_eq!(read_ppm(&mut pipe, "x", 1).unwrap().unwrap().rgb(), b"xyz");
        assert!(matches!(
            read_ppm(&mut pipe, "x", 2),
            Err(Error::Truncated { frame: 2, .. })
        ));
        assert!(matches!(read_ppm(&mut &b""[..], "x", 0), Ok(None)));
        for bad in [
            "P5 1 1 255 x",
            "P6 0 1 255 x",
            "P6 1 1 65535 x",
            "garbage without spaces",
        ] {
            assert!(read_ppm(&mut bad.as_bytes(), "x", 0).is_err(), "{bad}");
        }
    }
}
