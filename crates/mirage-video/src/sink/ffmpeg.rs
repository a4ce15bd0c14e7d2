//! MP4, Matroska and WebM, encoded by ffmpeg from raw frames with their times, through a pipe. The sound of the input is
//! copied beside them at the end.

use std::{
    fs::File,
    io::{self, BufWriter},
    path::PathBuf,
    process::{ChildStdin, Command, Stdio},
};

use tempfile::NamedTempFile;

use super::{
    End, Expect, Sink, SinkOptions, Summary, Written,
    file::{final_path, persist, temporary},
};
use crate::{
    ColorMatrix, Error, FfmpegTools, Frame, Rational, Result, SinkFormat, Sound, VideoInfo,
    ffmpeg::{Process, Subject, argument, output},
    format::{OUTPUTS_WITHOUT_FFMPEG, extension},
    nut::NutWriter,
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
    pipe: Option<NutWriter<BufWriter<ChildStdin>>>,
    process: Process,
    temporary: NamedTempFile,
    path: PathBuf,
    format: SinkFormat,
    tools: FfmpegTools,
    /// Times are counted in ticks of 1 / `tick` seconds.
    tick: Rational,
    /// The tick of the next frame, at least.
    next: u64,
    rate: Rational,
    /// The last frame, which is repeated if it is shown longer than the rate says.
    last: Vec<u8>,
    sound: Option<Sound>,
    notes: Vec<String>,
}

/// Ticks a second, at most; the largest time base of MPEG-4 is 65535.
const TICKS: u32 = 60_000;

/// Returns the unit of times: a multiple of the rate, so that its frames have exact times, and short, so that others
/// have them too.
fn tick(rate: Rational, encoder: &str) -> Rational {
    let whole = Rational::whole(TICKS).unwrap_or(rate);
    let times = (f64::from(TICKS) / rate.to_f64()).floor().max(1.0) as u64;
    let multiple = Rational::new(u64::from(rate.num()) * times, rate.den().into());
    match multiple {
        Some(multiple) if encoder != "mpeg4" || multiple.num() <= TICKS => multiple,
        _ => whole,
    }
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
        let tick = tick(info.fps, encoder.0);
        let mut notes = info
            .sound
            .iter()
            .filter(|_| !options.no_audio)
            .filter_map(unreadable)
            .collect();
        command.args(["-v", "error", "-f", "nut", "-i", "pipe:0"]);
        command.args(color_arguments(info, options, encoder.0, &mut notes));
        command.args(options.ffmpeg.keep_times(&subject)?);
        command.args(["-enc_time_base", &format!("{}:{}", tick.den(), tick.num())]);
        command.args(["-c:v", encoder.0]).args(encoder.1);
        command.args(format.muxer());
        command
            .arg("-y")
            .arg(argument(&temporary.path().to_string_lossy()));
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let process = Process::start(command, &subject)?;
        let pipe = process.child().take_stdin();
        let pipe = pipe.ok_or_else(|| subject.failed("it has no input pipe"))?;
        let pipe = NutWriter::new(BufWriter::with_capacity(1 << 18, pipe), info, tick);
        let expect = Expect::new(spec, info);
        let pipe = pipe.map_err(|error| expect.write_error(error))?;
        let sound = info
            .sound
            .clone()
            .filter(|s| !options.no_audio && s.file.is_some());
        Ok(Self {
            expect,
            subject,
            pipe: Some(pipe),
            process,
            temporary,
            path,
            format,
            tools: options.ffmpeg.clone(),
            tick,
            next: 0,
            rate: info.grid,
            last: Vec::new(),
            sound,
            notes,
        })
    }

    fn write(&mut self, tick: u64, rgb: &[u8]) -> Result<()> {
        let written = match &mut self.pipe {
            Some(pipe) => pipe.frame(tick, rgb),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        written.map_err(|error| self.explain(error))?;
        self.next = tick + 1;
        self.expect.frames += 1;
        Ok(())
    }

    /// Puts the sound beside the video. The video alone is kept if that fails.
    fn with_sound(&mut self, end: End) -> Result<()> {
        let Some(sound) = self.sound.take() else {
            return Ok(());
        };
        let whole = temporary(&self.path, &self.subject.name)?;
        let end = end.cut.then_some(end.time);
        let (format, tools) = (self.format, &self.tools);
        match sound.mux(&self.temporary, &whole, format, end, tools, &self.subject) {
            Ok(note) => {
                self.temporary = whole;
                self.notes.extend(note);
            }
            Err(error) => self
                .notes
                .push(format!("the sound of the input was not copied: {error}")),
        }
        Ok(())
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
    fn write_frame(&mut self, frame: &Frame) -> Result<Written> {
        self.expect.check(frame)?;
        let tick = match self.expect.frames {
            0 => 0,
            _ => self.tick.index(frame.time).max(self.next),
        };
        self.write(tick, frame.rgb())?;
        self.last.clear();
        self.last.extend_from_slice(frame.rgb());
        Ok(Written::Kept)
    }

    fn finish(mut self: Box<Self>, end: End) -> Result<Summary> {
        self.expect.some()?;
        // The container makes the last frame as long as the rate says; a longer one is shown twice.
        let begin = self.tick.index(end.time.saturating_sub(self.rate.time(1)));
        let mut repeated = 0;
        if begin >= self.next + self.tick.index(self.rate.time(1)) / 2 {
            let last = std::mem::take(&mut self.last);
            self.write(begin, &last)?;
            repeated = 1;
        }
        if let Some(Err(error)) = self.pipe.as_mut().map(NutWriter::flush) {
            return Err(self.explain(error));
        }
        // Closing the pipe ends the video.
        self.pipe = None;
        let ended = self
            .process
            .wait()
            .map_err(|error| self.subject.failed(error.to_string()))?;
        if !ended.clean() {
            return Err(self.subject.failed(ended.message()));
        }
        self.with_sound(end)?;
        let Self {
            expect,
            temporary,
            path,
            notes,
            ..
        } = *self;
        let bytes = File::open(temporary.path())
            .and_then(|file| file.metadata())
            .map(|m| m.len());
        let bytes = bytes.map_err(|error| expect.write_error(error))?;
        persist(temporary, &path).map_err(|error| expect.write_error(error))?;
        Ok(Summary {
            frames: expect.frames,
            repeated,
            bytes,
            path,
            notes,
        })
    }
}

/// Returns a note on sound that cannot be read a second time.
fn unreadable(sound: &Sound) -> Option<String> {
    sound.file.is_none().then(|| {
        "the sound of a stream from an address is not copied; record it to a file first".to_owned()
    })
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
fn color_arguments(
    info: &VideoInfo,
    options: &SinkOptions,
    encoder: &str,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let odd = info.width % 2 == 1 || info.height % 2 == 1;
    let pixels = if odd && encoder == "libx264" {
        "yuv444p"
    } else {
        "yuv420p"
    };
    if pixels == "yuv444p" {
        notes.push(format!(
            "H.264 of the odd size {}x{} is encoded as 4:4:4, which some players do not support; use even sides",
            info.width, info.height
        ));
    }
    let matrix = options
        .matrix
        .unwrap_or_else(|| ColorMatrix::for_size(info.width, info.height));
    let (filter, tag) = match matrix {
        ColorMatrix::Bt601 => ("bt601", "smpte170m"),
        ColorMatrix::Bt709 => ("bt709", "bt709"),
    };
    let filter = format!(
        "scale=out_color_matrix={filter}:out_range=tv:flags=bicubic+accurate_rnd,format={pixels},setparams=range=tv:colorspace={tag}:color_primaries={tag}:color_trc={tag}"
    );
    let tags = [
        "-colorspace",
        tag,
        "-color_primaries",
        tag,
        "-color_trc",
        tag,
    ];
    let arguments = ["-vf", &filter, "-color_range", "tv"]
        .into_iter()
        .chain(tags);
    arguments.map(str::to_owned).collect()
}
