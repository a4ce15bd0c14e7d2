//! Sound: which there is, and its way into the output.

use std::{path::PathBuf, process::Command, time::Duration};

use tempfile::NamedTempFile;

use crate::{
    Result, SinkFormat,
    ffmpeg::{FfmpegTools, Process, Subject, argument},
};

/// The sound beside the frames of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// The codec of each track, by ffmpeg's names.
    pub codecs: Vec<String>,
    /// The file, if it can be read a second time for its sound.
    pub file: Option<PathBuf>,
    /// How long after the beginning of the file its first frame is shown.
    pub offset: Duration,
}

/// Codecs that MP4 holds and players know.
const MP4: &[&str] = &["aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"];
/// Codecs of WebM.
const WEBM: &[&str] = &["opus", "vorbis"];

impl Sound {
    /// Returns the encoder for the codecs that the format cannot hold; `None` if it holds all.
    fn encoder(&self, format: SinkFormat) -> Option<&'static str> {
        let (known, encoder) = match format {
            SinkFormat::Webm => (WEBM, "libopus"),
            SinkFormat::Mp4 => (MP4, "aac"),
            _ => return None,
        };
        let fits = |codec: &String| known.contains(&codec.as_str());
        (!self.codecs.iter().all(fits)).then_some(encoder)
    }

    /// Puts the tracks beside the video in `video` into `to`. The video is copied as it is, `end` cuts the sound there.
    /// Returns a note if a track was encoded anew.
    ///
    /// # Errors
    /// If ffmpeg fails; `video` is as it was.
    pub(crate) fn mux(
        &self,
        video: &NamedTempFile,
        to: &NamedTempFile,
        format: SinkFormat,
        end: Option<Duration>,
        tools: &FfmpegTools,
        subject: &Subject,
    ) -> Result<Option<String>> {
        let Some(file) = &self.file else {
            return Err(subject.failed("the input can be read only once"));
        };
        let encoder = self.encoder(format);
        let mut command = Command::new(&tools.ffmpeg);
        command.args(["-v", "error", "-nostdin", "-y"]);
        command.args(["-itsoffset", &decimal(self.offset), "-i"]);
        command.arg(argument(&video.path().to_string_lossy()));
        command.arg("-i").arg(argument(&file.to_string_lossy()));
        command.args([
            "-map",
            "0:v:0",
            "-map",
            "1:a",
            "-c",
            "copy",
            "-map_chapters",
            "-1",
        ]);
        if let Some(encoder) = encoder {
            command.args(["-c:a", encoder]);
        }
        if let Some(end) = end {
            command.args(["-t", &decimal(self.offset + end)]);
        }
        command.args(format.muxer());
        command.arg(argument(&to.path().to_string_lossy()));
        command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null());
        let process = Process::start(command, subject)?;
        let ended = process
            .wait()
            .map_err(|error| subject.failed(error.to_string()))?;
        if ended.failed() {
            return Err(subject.failed(ended.message()));
        }
        Ok(encoder.map(|encoder| {
            let codecs = self.codecs.join(", ");
            format!(
                "the sound ({codecs}) was encoded anew by {encoder}: {} cannot hold it",
                subject.format
            )
        }))
    }
}

fn decimal(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracks_are_copied_where_they_fit() {
        let sound = |codec: &str| Sound {
            codecs: vec![codec.to_owned()],
            file: None,
            offset: Duration::ZERO,
        };
        assert_eq!(sound("aac").encoder(SinkFormat::Mp4), None);
        assert_eq!(sound("pcm_s16le").encoder(SinkFormat::Mp4), Some("aac"));
        assert_eq!(sound("aac").encoder(SinkFormat::Webm), Some("libopus"));
        assert_eq!(sound("opus").encoder(SinkFormat::Webm), None);
        assert_eq!(sound("pcm_s16le").encoder(SinkFormat::Mkv), None);
    }

    #[test]
    fn times_are_decimal() {
        assert_eq!(decimal(Duration::from_millis(61_005)), "61.005000");
    }
}
