//! Other formats, decoded by ffmpeg to raw frames with their times, through a pipe. The frames are RGB, so that ffmpeg
//! applies the file's colour tags and rotation.

use std::{
    io::{self, BufReader, Read, Write},
    process::{ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use super::{Damage, Ending, Source, SourceOptions, open_file};
use crate::{
    Error, Frame, Rational, Result, VideoInfo,
    ffmpeg::{Probe, Process, Subject, Transfer, argument, probe},
    format::{INPUTS_WITHOUT_FFMPEG, extension},
    nut::NutReader,
    timing::Times,
};

/// HDR to SDR: to linear light at 100 cd/m², to the primaries of BT.709, and by a curve that keeps
/// usual light as it is and compresses highlights.
const TONE_MAP: &str = "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=mobius:param=0.5:desat=0,\
    zscale=t=bt709,format=gbrp";
/// Colours of BT.2020 to those of BT.709.
const NARROW: &str = "zscale=t=linear,format=gbrpf32le,zscale=p=bt709,zscale=t=bt709,format=gbrp";
/// The most bytes of raw frames in the pipe's buffer.
const BUFFER: usize = 1 << 20;

/// Where ffmpeg reads from.
pub(super) enum Input {
    /// A file or an address.
    Named,
    /// A stream that can be read once, and its first bytes, which were read already.
    Once(Vec<u8>, Box<dyn Read + Send>),
}

pub(super) struct FfmpegSource {
    info: VideoInfo,
    subject: Subject,
    process: Process,
    frames: NutReader<BufReader<ChildStdout>>,
    times: Times,
    /// The first frame, decoded when the source is opened.
    first: Option<Frame>,
    next: u64,
    /// The end of the last frame as the file states it.
    stated: Option<Duration>,
    ending: Option<Ending>,
}

impl FfmpegSource {
    pub(super) fn open(spec: &str, options: &SourceOptions, input: Input) -> Result<Self> {
        let extension = extension(spec);
        let subject = Subject {
            name: spec.to_owned(),
            format: match extension.as_str() {
                "" => "this".into(),
                _ => format!(".{extension}"),
            },
            without: INPUTS_WITHOUT_FFMPEG,
        };
        let named = matches!(input, Input::Named);
        if named && !spec.contains("://") {
            open_file(spec)?;
        }
        let probed = named
            .then(|| probe(spec, &options.ffmpeg, &subject))
            .transpose()?;
        let mut notes = Vec::new();
        let colour = probed.as_ref().map_or(Ok(None), |probed| {
            colour(probed, options, &subject, &mut notes)
        })?;
        let command = command(spec, options, probed.as_ref(), colour, &subject)?;
        let process = Process::start(command, &subject)?;
        if let (Input::Once(head, rest), Some(pipe)) = (input, process.child().take_stdin()) {
            std::thread::spawn(move || feed(&head, rest, pipe));
        }
        let pipe = process.child().take_stdout();
        let pipe = pipe.ok_or_else(|| subject.failed("it has no output pipe"))?;
        let frames = match NutReader::new(BufReader::with_capacity(BUFFER, pipe)) {
            Ok(Some(frames)) => frames,
            Ok(None) => return Err(nothing(&process, &subject)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(nothing(&process, &subject));
            }
            Err(error) => return Err(subject.failed(format!("its output cannot be read: {error}"))),
        };
        let guessed = frames.rate.filter(|rate| rate.to_f64() <= 240.0);
        let guessed = guessed.or(Rational::whole(25)).unwrap_or(Rational::ONE);
        let mut info = VideoInfo::new(spec, frames.width, frames.height, guessed);
        info.pixel_aspect = frames.pixel_aspect;
        let mut stated = None;
        if let Some(probed) = probed {
            (info.fps, info.variable, info.grid) = (probed.fps, probed.variable, probed.grid);
            (info.frames, info.sound, stated) = (probed.frames, probed.sound, probed.end);
            info.notes = probed.notes;
        } else {
            notes.push(
                "the input is a pipe, which is read once: its sound, if any, is not copied"
                    .to_owned(),
            );
        }
        info.notes.append(&mut notes);
        let mut source = Self {
            times: Times::new(info.grid),
            info,
            subject,
            process,
            frames,
            first: None,
            next: 0,
            stated,
            ending: None,
        };
        source.first = source.read()?;
        if source.first.is_none() {
            return Err(nothing(&source.process, &source.subject));
        }
        Ok(source)
    }

    /// Reads a frame; at the end, keeps what ffmpeg said.
    fn read(&mut self) -> Result<Option<Frame>> {
        let mut frame = Frame::new(self.info.width, self.info.height, self.next)?;
        match self.frames.frame(frame.rgb_mut()) {
            Ok(Some(stamp)) => {
                frame.time = self.times.next(stamp);
                self.next += 1;
                Ok(Some(frame))
            }
            Ok(None) => self.end(),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.end(),
            Err(error) => Err(self
                .subject
                .failed(format!("its output cannot be read: {error}"))),
        }
    }

    fn end(&mut self) -> Result<Option<Frame>> {
        let end = self.process.wait();
        let end = end.map_err(|error| self.subject.failed(error.to_string()))?;
        let mut damage = (!end.clean()).then(|| Damage {
            count: end.complaints.count.max(1),
            first: if end.failed() {
                end.message()
            } else {
                end.complaints.first.clone().unwrap_or_default()
            },
        });
        if self.times.jumps > 0 {
            damage.get_or_insert_with(|| Damage {
                count: self.times.jumps,
                first: "times of frames leap by more than an hour; the leaps were left out"
                    .to_owned(),
            });
        }
        let last = self.times.last();
        self.ending = Some(Ending {
            // A damaged file may state an end that it does not have.
            end: self
                .stated
                .filter(|&end| damage.is_none() && Some(end) > last),
            cut: false,
            damage,
        });
        Ok(None)
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
        if self.ending.is_some() {
            return Ok(None);
        }
        let frame = self.read();
        if frame.is_err() {
            self.ending = Some(Ending::default());
        }
        frame
    }

    fn ending(&self) -> Ending {
        self.ending.clone().unwrap_or_default()
    }
}

/// Explains why there is no frame.
fn nothing(process: &Process, subject: &Subject) -> Error {
    match process.wait() {
        Ok(end) if end.clean() => Error::NoFrames {
            name: subject.name.clone(),
            format: "video",
        },
        Ok(end) => subject.failed(end.message()),
        Err(error) => subject.failed(error.to_string()),
    }
}

/// Returns the command that decodes the stream.
fn command(
    spec: &str,
    options: &SourceOptions,
    probed: Option<&Probe>,
    colour: Option<&str>,
    subject: &Subject,
) -> Result<Command> {
    let mut command = Command::new(&options.ffmpeg.ffmpeg);
    command.args(["-v", "error"]);
    match probed {
        Some(probed) => {
            command.args(["-nostdin", "-i"]).arg(argument(spec));
            command
                .args(["-map", &format!("0:{}", probed.stream)])
                .stdin(Stdio::null());
        }
        None => {
            command
                .args(["-i", "pipe:0", "-map", "0:v:0"])
                .stdin(Stdio::piped());
        }
    }
    if let Some(filter) = colour {
        command.args(["-vf", filter]);
    }
    command.args(options.ffmpeg.keep_times(subject)?);
    // Without this, times are rounded to the rate that ffmpeg guesses.
    command.args(["-enc_time_base", "1:1000000"]);
    command.args(["-sws_flags", "bicubic+accurate_rnd+full_chroma_int"]);
    command.args([
        "-c:v",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-f",
        "nut",
        "-write_index",
        "0",
    ]);
    command
        .args(["-flush_packets", "1", "pipe:1"])
        .stdout(Stdio::piped());
    Ok(command)
}

/// Returns the filters that bring the colours of an HDR or wide-gamut stream to those of a usual screen.
fn colour(
    probed: &Probe,
    options: &SourceOptions,
    subject: &Subject,
    notes: &mut Vec<String>,
) -> Result<Option<&'static str>> {
    let name = match probed.transfer {
        Transfer::Pq => "HDR (PQ)",
        Transfer::Hlg => "HDR (HLG)",
        Transfer::Standard if probed.wide_gamut => "BT.2020",
        Transfer::Standard => return Ok(None),
    };
    let hdr = probed.transfer != Transfer::Standard;
    if options
        .ffmpeg
        .has_filters(&["zscale", "tonemap"], subject)?
    {
        notes.push(match hdr {
            true => format!("the input is {name}; it was tone-mapped to SDR (BT.709)"),
            false => format!("the input's colours are {name}; they were converted to BT.709"),
        });
        return Ok(Some(if hdr { TONE_MAP } else { NARROW }));
    }
    if hdr {
        return Err(subject.failed(format!(
            "the input is {name}, and this ffmpeg cannot convert it to SDR: it lacks the filter zscale or tonemap; install a build with libzimg"
        )));
    }
    notes.push(format!(
        "the input's colours are {name}, and this ffmpeg cannot convert them (it lacks the filter zscale): they look pale"
    ));
    Ok(None)
}

/// Sends a stream to ffmpeg, which ends it when it has enough.
fn feed(head: &[u8], mut rest: Box<dyn Read + Send>, mut pipe: ChildStdin) {
    let sent = pipe
        .write_all(head)
        .and_then(|()| io::copy(&mut rest, &mut pipe));
    if let Err(error) = sent {
        tracing::debug!(%error, "the input was not sent to its end");
    }
}
