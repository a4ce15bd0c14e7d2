//! MP4, Matroska and WebM, encoded by ffmpeg from raw RGB through a pipe.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::{ChildStdin, Command, Stdio},
};

use tempfile::NamedTempFile;

use super::{
    Expect, Sink, SinkOptions, Summary,
    file::{final_path, persist, temporary},
};
use crate::{
    ColorMatrix, Error, Frame, Result, SinkFormat, VideoInfo,
    ffmpeg::{Process, Subject, argument, output},
    format::{OUTPUTS_WITHOUT_FFMPEG, extension},
};

/// Encoders in the order of preference, each with its options for good quality at usual sizes.
const H264: &[(&str, &[&str])] = &[
    ("libx264", &["-preset", "medium", "-crf", "18"]),
    ("libopenh264", &["-b:v", "8M"]),
    ("mpeg4", &["-q:v", "2"]),
];
const VP9: &[(&str, &[&str])] = &[
    (
        "libvpx-vp9",
        &[
            "-crf",
            "24",
            "-b:v",
            "0",
            "-row-mt",
            "1",
            "-deadline",
            "good",
            "-cpu-used",
            "4",
        ],
    ),
    (
        "libvpx",
        &[
            "-crf",
            "8",
            "-b:v",
            "8M",
            "-deadline",
            "good",
            "-cpu-used",
            "4",
        ],
    ),
];

pub(super) struct FfmpegSink {
    expect: Expect,
    subject: Subject,
    pipe: Option<BufWriter<ChildStdin>>,
    process: Process,
    temporary: NamedTempFile,
    path: PathBuf,
}

impl FfmpegSink {
    pub(super) fn open(
        spec: &str,
        format: SinkFormat,
        info: &VideoInfo,
        options: &SinkOptions,
    ) -> Result<Self> {
        let subject = Subject {
            name: spec.to_owned(),
            format: format!(".{}", extension(spec)),
            without: OUTPUTS_WITHOUT_FFMPEG,
        };
        let encoder = choose(format, options, &subject)?;
        let path = final_path(spec);
        let temporary = temporary(&path, spec)?;
        let mut command = Command::new(&options.ffmpeg.ffmpeg);
        command.args(["-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s"]);
        command.arg(format!("{}x{}", info.width, info.height));
        command.args(["-r", &info.fps.to_string(), "-i", "pipe:0", "-an"]);
        command.args(color_arguments(info, options, encoder.0));
        command.args(["-c:v", encoder.0]).args(encoder.1);
        command.args(match format {
            SinkFormat::Mkv => &["-f", "matroska"][..],
            SinkFormat::Webm => &["-f", "webm"],
            _ => &["-movflags", "+faststart", "-f", "mp4"],
        });
        command
            .arg("-y")
            .arg(argument(&temporary.path().to_string_lossy()));
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut process = Process::start(command, &subject)?;
        let pipe = process.child().stdin.take();
        let pipe = pipe.ok_or_else(|| subject.failed("it has no input pipe"))?;
        let pipe = Some(BufWriter::with_capacity(1 << 18, pipe));
        Ok(Self {
            expect: Expect::new(spec, info),
            subject,
            pipe,
            process,
            temporary,
            path,
        })
    }

    /// A broken pipe means that ffmpeg has ended; its message says why.
    fn explain(&mut self, error: io::Error) -> Error {
        self.pipe = None;
        match self.process.wait() {
            Ok(end) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.subject.failed(end.message())
            }
            _ => self.expect.write_error(error),
        }
    }
}

impl Sink for FfmpegSink {
    fn write_frame(&mut self, frame: &Frame) -> Result<()> {
        self.expect.check(frame)?;
        let written = match &mut self.pipe {
            Some(pipe) => pipe.write_all(frame.rgb()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        written.map_err(|error| self.explain(error))?;
        self.expect.frames += 1;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Summary> {
        self.expect.some()?;
        if let Some(Err(error)) = self.pipe.as_mut().map(BufWriter::flush) {
            return Err(self.explain(error));
        }
        // Closing the pipe ends the video.
        self.pipe = None;
        let end = self
            .process
            .wait()
            .map_err(|error| self.subject.failed(error.to_string()))?;
        if !end.clean() {
            return Err(self.subject.failed(end.message()));
        }
        let Self {
            expect,
            temporary,
            path,
            ..
        } = *self;
        let bytes = File::open(temporary.path())
            .and_then(|file| file.metadata())
            .map(|m| m.len());
        let bytes = bytes.map_err(|error| expect.write_error(error))?;
        persist(temporary, &path).map_err(|error| expect.write_error(error))?;
        Ok(Summary {
            frames: expect.frames,
            bytes,
            path,
        })
    }
}

/// Returns the first encoder of the format that this ffmpeg has.
fn choose(
    format: SinkFormat,
    options: &SinkOptions,
    subject: &Subject,
) -> Result<(&'static str, &'static [&'static str])> {
    let mut command = Command::new(&options.ffmpeg.ffmpeg);
    command.args(["-hide_banner", "-v", "error", "-encoders"]);
    let list = output(command, subject)?;
    let has = |name: &str| {
        list.lines()
            .any(|line| line.split_whitespace().nth(1) == Some(name))
    };
    let wanted = if format == SinkFormat::Webm {
        VP9
    } else {
        H264
    };
    wanted
        .iter()
        .copied()
        .find(|(name, _)| has(name))
        .ok_or_else(|| {
            let names: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
            Error::NoEncoder {
                name: subject.name.clone(),
                encoders: names.join(", "),
            }
        })
}

/// Options for limited-range YUV, converted with and tagged as the matrix. 4:2:0, or 4:4:4 for H.264 with an
/// odd size, which 4:2:0 does not support (VLC, mpv and ffmpeg play it).
fn color_arguments(info: &VideoInfo, options: &SinkOptions, encoder: &str) -> Vec<String> {
    let odd = info.width % 2 == 1 || info.height % 2 == 1;
    let pixels = if odd && encoder == "libx264" {
        "yuv444p"
    } else {
        "yuv420p"
    };
    if pixels == "yuv444p" {
        tracing::warn!(
            name = %info.name, width = info.width, height = info.height,
            "H.264 with an odd size is encoded as 4:4:4, which some players do not support; use even sides"
        );
    }
    let matrix = options
        .matrix
        .unwrap_or_else(|| ColorMatrix::for_size(info.width, info.height));
    let (filter, tag) = match matrix {
        ColorMatrix::Bt601 => ("bt601", "smpte170m"),
        ColorMatrix::Bt709 => ("bt709", "bt709"),
    };
    let filter = format!(
        "scale=out_color_matrix={filter}:out_range=tv:flags=bicubic+accurate_rnd,format={pixels}"
    );
    let arguments = ["-vf", &filter, "-colorspace", tag, "-color_range", "tv"];
    arguments.map(str::to_owned).to_vec()
}
