//! What ffprobe says about an input.

use std::{process::Command, time::Duration};

use serde::Deserialize;

use super::{FfmpegTools, Subject, argument, output};
use crate::{Error, Rational, Result, Sound};

/// The fields that are asked for.
const ENTRIES: &str = "stream=index,codec_type,codec_name,avg_frame_rate,r_frame_rate,nb_frames,duration,start_time,\
    field_order,color_transfer,color_primaries:stream_disposition=attached_pic:stream_tags=DURATION:\
    format=start_time,format_name:chapter=id";
/// A base rate above this is a unit of stamps rather than a rate of frames.
const MAX_BASE: f64 = 240.0;
/// The number of frames whose times are looked at where the stated rate is not reliable.
const SCANNED: usize = 300;
/// Matroska rounds times to milliseconds.
const ROUNDING: f64 = 0.001;
/// The constant rate at which a stream whose own base rate is none is shown.
const FALLBACK: u32 = 60;

/// How light is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// For screens without HDR.
    Standard,
    /// SMPTE ST 2084, of HDR10.
    Pq,
    /// Hybrid log-gamma.
    Hlg,
}

/// The video stream of an input and what else there is.
#[derive(Debug)]
pub(crate) struct Probe {
    /// The index of the stream.
    pub(crate) stream: u32,
    pub(crate) fps: Rational,
    pub(crate) variable: bool,
    pub(crate) grid: Rational,
    pub(crate) frames: Option<u64>,
    /// The end of the last frame, counted from the first frame.
    pub(crate) end: Option<Duration>,
    pub(crate) transfer: Transfer,
    /// Primaries of BT.2020.
    pub(crate) wide_gamut: bool,
    pub(crate) sound: Option<Sound>,
    pub(crate) notes: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
    #[serde(default)]
    chapters: Vec<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Format {
    start_time: Option<String>,
    format_name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stream {
    index: u32,
    codec_type: String,
    codec_name: String,
    avg_frame_rate: String,
    r_frame_rate: String,
    nb_frames: Option<String>,
    duration: Option<String>,
    start_time: Option<String>,
    field_order: Option<String>,
    color_transfer: Option<String>,
    color_primaries: Option<String>,
    disposition: Disposition,
    tags: Tags,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Disposition {
    attached_pic: u8,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tags {
    #[serde(rename = "DURATION")]
    duration: Option<String>,
}

/// Asks ffprobe about a file or an address.
pub(crate) fn probe(spec: &str, tools: &FfmpegTools, subject: &Subject) -> Result<Probe> {
    let mut command = Command::new(&tools.ffprobe);
    command.args(["-v", "error", "-show_chapters", "-show_entries", ENTRIES]);
    command.args(["-of", "json"]).arg(argument(spec));
    let text = output(command, subject)?;
    let answer: Answer = serde_json::from_str(&text)
        .map_err(|error| subject.failed(format!("ffprobe's answer cannot be read: {error}")))?;
    let mut probed = read(&answer, spec, subject)?;
    // Matroska states one rate, whatever the times of its frames are.
    if answer.format.format_name.starts_with("matroska") && !spec.contains("://") {
        let times = first_times(spec, probed.stream, tools, subject)?;
        probed.correct(&times);
    }
    Ok(probed)
}

/// Reads the times of the first frames, in seconds and in order.
fn first_times(
    spec: &str,
    stream: u32,
    tools: &FfmpegTools,
    subject: &Subject,
) -> Result<Vec<f64>> {
    let mut command = Command::new(&tools.ffprobe);
    command.args(["-v", "error", "-select_streams", &stream.to_string()]);
    command.args([
        "-read_intervals",
        &format!("%+#{SCANNED}"),
        "-show_entries",
        "packet=pts_time",
    ]);
    command
        .args(["-of", "csv=print_section=0"])
        .arg(argument(spec));
    let text = output(command, subject)?;
    let mut times: Vec<f64> = text
        .lines()
        .filter_map(|line| seconds(line.split(',').next()))
        .collect();
    times.sort_by(f64::total_cmp);
    Ok(times)
}

impl Probe {
    /// Replaces the stated rate if the first frames have another one.
    fn correct(&mut self, times: &[f64]) {
        // Behind the last frame in the sample others may be missing, which are stored later than they are shown.
        let shown = &times[..times.len() * 9 / 10];
        let stated = 1.0 / self.fps.to_f64();
        let gaps: Vec<f64> = shown.windows(2).map(|w| w[1] - w[0]).collect();
        let strays = |gap: &&f64| (**gap - stated).abs() > 0.25 * stated + ROUNDING;
        if self.variable || gaps.iter().filter(strays).count() == 0 {
            return;
        }
        self.variable = true;
        let mut steps: Vec<f64> = gaps.into_iter().filter(|&gap| gap > ROUNDING).collect();
        steps.sort_by(f64::total_cmp);
        // The tenth part of all gaps may be shorter than the usual step.
        if let Some(step) = steps.get(steps.len() / 10) {
            self.grid = nearest_rate(1.0 / step.min(stated));
        }
    }
}

/// Returns the usual rate nearest to `rate`, or the next whole one.
fn nearest_rate(rate: f64) -> Rational {
    const USUAL: [&str; 9] = [
        "24000/1001",
        "24",
        "25",
        "30000/1001",
        "30",
        "50",
        "60000/1001",
        "60",
        "120",
    ];
    let usual = USUAL.into_iter().filter_map(Rational::parse);
    let near = usual.min_by(|a, b| {
        (a.to_f64() - rate)
            .abs()
            .total_cmp(&(b.to_f64() - rate).abs())
    });
    let whole = Rational::whole((rate.ceil() as u32).clamp(1, MAX_BASE as u32));
    near.filter(|near| (near.to_f64() / rate - 1.0).abs() < 0.03)
        .or(whole)
        .unwrap_or(Rational::ONE)
}

fn read(answer: &Answer, spec: &str, subject: &Subject) -> Result<Probe> {
    let of = |kind: &'static str| answer.streams.iter().filter(move |s| s.codec_type == kind);
    let Some(video) = of("video").find(|s| s.disposition.attached_pic == 0) else {
        return Err(Error::NoVideo {
            name: subject.name.clone(),
            found: match (of("video").count(), of("audio").count()) {
                (0, 0) => "no video and no sound",
                (0, _) => "only sound",
                (_, 0) => "only a picture that is attached to other data",
                _ => "only sound with a cover picture",
            },
        });
    };
    let rates = Rates::of(video);
    let start = seconds(video.start_time.as_deref());
    let begin = seconds(answer.format.start_time.as_deref());
    let offset = match (start, begin) {
        (Some(start), Some(begin)) => {
            Duration::try_from_secs_f64(start - begin).unwrap_or_default()
        }
        _ => Duration::ZERO,
    };
    let tag = video.tags.duration.as_deref().and_then(clock);
    let end = seconds(video.duration.as_deref()).or(tag);
    let codecs: Vec<String> = of("audio").map(|s| s.codec_name.clone()).collect();
    let is_file = !spec.contains("://");
    let mut notes = Vec::new();
    let subtitles = of("subtitle").count();
    if subtitles > 0 {
        notes.push(format!("{} not copied", count(subtitles, "subtitle track")));
    }
    if !answer.chapters.is_empty() {
        notes.push(format!(
            "{} not copied",
            count(answer.chapters.len(), "chapter")
        ));
    }
    let others = of("video")
        .filter(|s| s.disposition.attached_pic == 0)
        .count()
        - 1;
    if others > 0 {
        notes.push(format!(
            "only the first of {} video tracks is read",
            others + 1
        ));
    }
    if rates.interlaced {
        notes.push(
            "the video is interlaced and is read as whole frames; deinterlace it first with `ffmpeg -i IN -vf bwdif OUT`"
                .to_owned(),
        );
    }
    Ok(Probe {
        stream: video.index,
        fps: rates.fps,
        variable: rates.variable,
        grid: rates.grid,
        frames: video.nb_frames.as_deref().and_then(|n| n.parse().ok()),
        end: end.and_then(|end| Duration::try_from_secs_f64(end).ok()),
        transfer: match video.color_transfer.as_deref() {
            Some("smpte2084") => Transfer::Pq,
            Some("arib-std-b67") => Transfer::Hlg,
            _ => Transfer::Standard,
        },
        wide_gamut: video.color_primaries.as_deref() == Some("bt2020"),
        sound: (!codecs.is_empty()).then(|| Sound {
            codecs,
            file: is_file.then(|| spec.into()),
            offset,
        }),
        notes,
    })
}

/// The rates of a stream.
struct Rates {
    fps: Rational,
    variable: bool,
    grid: Rational,
    interlaced: bool,
}

impl Rates {
    fn of(stream: &Stream) -> Self {
        let [mean, base] =
            [&stream.avg_frame_rate, &stream.r_frame_rate].map(|r| Rational::parse(r));
        let interlaced = matches!(
            stream.field_order.as_deref(),
            Some("tt" | "bb" | "tb" | "bt")
        );
        let of = |fps, variable, grid| Rates {
            fps,
            variable,
            grid,
            interlaced,
        };
        let (Some(mean), Some(base)) = (mean, base) else {
            let fps = mean
                .or(base)
                .or(Rational::whole(25))
                .unwrap_or(Rational::ONE);
            return of(fps, true, fps);
        };
        let ratio = base.to_f64() / mean.to_f64();
        // The base rate of interlaced video may be that of its fields.
        if (ratio - 1.0).abs() < 0.005 {
            return of(base, false, base);
        }
        if interlaced && (ratio - 2.0).abs() < 0.01 {
            return of(mean, false, mean);
        }
        let usable = base.to_f64() <= MAX_BASE && ratio > 0.995;
        let whole = mean.to_f64().ceil().max(1.0) as u32;
        let fallback = Rational::whole(whole.max(FALLBACK)).unwrap_or(mean);
        of(mean, true, if usable { base } else { fallback })
    }
}

fn seconds(text: Option<&str>) -> Option<f64> {
    text?.parse().ok().filter(|s: &f64| s.is_finite())
}

/// Seconds of `HH:MM:SS.fraction`.
fn clock(text: &str) -> Option<f64> {
    let mut parts = text.split(':').map(|part| part.trim().parse::<f64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    Some(3600.0 * hours + 60.0 * minutes + seconds)
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what} is"),
        _ => format!("{number} {what}s are"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject {
            name: "x.mp4".into(),
            format: ".mp4".into(),
            without: "",
        }
    }

    fn of(streams: &str) -> Result<Probe> {
        let text = format!(r#"{{"streams": [{streams}], "format": {{"start_time": "1.5"}}}}"#);
        read(&serde_json::from_str(&text).unwrap(), "x.mp4", &subject())
    }

    fn video(rest: &str) -> Result<Probe> {
        of(&format!(
            r#"{{"index": 3, "codec_type": "video", "start_time": "1.75", {rest}}}"#
        ))
    }

    #[test]
    fn constant_and_variable_rates() {
        let rates = |mean: &str, base: &str, rest: &str| {
            let p = video(&format!(
                r#""avg_frame_rate": "{mean}", "r_frame_rate": "{base}"{rest}"#
            ));
            p.map(|p| (p.fps.to_string(), p.variable, p.grid.to_string()))
                .unwrap()
        };
        let want = |fps: &str, variable, grid: &str| (fps.to_owned(), variable, grid.to_owned());
        assert_eq!(
            rates("30000/1001", "30000/1001", ""),
            want("30000/1001", false, "30000/1001")
        );
        assert_eq!(
            rates("2997/100", "30000/1001", ""),
            want("30000/1001", false, "30000/1001")
        );
        assert_eq!(rates("12/1", "30/1", ""), want("12", true, "30"));
        assert_eq!(rates("15/1", "30/1", ""), want("15", true, "30"));
        assert_eq!(
            rates("25/1", "50/1", r#", "field_order": "tt""#),
            want("25", false, "25")
        );
        assert_eq!(rates("24/1", "1000/1", ""), want("24", true, "60"));
        assert_eq!(rates("0/0", "25/1", ""), want("25", true, "25"));
    }

    #[test]
    fn times_correct_the_rate_of_matroska() {
        let of = |times: &[f64]| {
            let mut probe = video(r#""avg_frame_rate": "12/1", "r_frame_rate": "12/1""#).unwrap();
            probe.correct(times);
            (probe.variable, probe.grid.to_string())
        };
        let constant: Vec<f64> = (0..100)
            .map(|i| (f64::from(i) * 1000.0 / 12.0).round() / 1e3)
            .collect();
        assert_eq!(of(&constant), (false, "12".to_owned()));
        let bursts: Vec<f64> = (0..60)
            .chain(240..300)
            .map(|i| (f64::from(i) / 30.0 * 1e3).round() / 1e3)
            .collect();
        assert_eq!(of(&bursts), (true, "30".to_owned()));
        assert_eq!(of(&[]), (false, "12".to_owned()));
    }

    #[test]
    fn the_first_stream_that_moves_is_read() {
        let cover = r#"{"index": 0, "codec_type": "video", "disposition": {"attached_pic": 1}}"#;
        let sound = r#"{"index": 1, "codec_type": "audio", "codec_name": "aac"}"#;
        let film = r#"{"index": 2, "codec_type": "video", "avg_frame_rate": "25/1", "r_frame_rate": "25/1",
                       "start_time": "1.75", "tags": {"DURATION": "00:01:02.500000000"}}"#;
        let probe = of(&format!("{cover},{sound},{film}")).unwrap();
        assert_eq!(probe.stream, 2);
        assert_eq!(probe.end, Some(Duration::from_millis(62_500)));
        let heard = probe.sound.unwrap();
        assert_eq!(
            (heard.codecs, heard.offset),
            (vec!["aac".to_owned()], Duration::from_millis(250))
        );
        let song = of(&format!("{cover},{sound}")).unwrap_err();
        assert!(
            song.to_string().contains("only sound with a cover picture"),
            "{song}"
        );
    }
}
