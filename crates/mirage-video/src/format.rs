//! Formats by file names.

use std::path::Path;

/// Formats that need no ffmpeg, for messages.
pub(crate) const INPUTS_WITHOUT_FFMPEG: &str =
    "scene, .y4m, .gif, .png, .jpg, a folder or pattern of images";
/// Formats that need no ffmpeg, for messages.
pub(crate) const OUTPUTS_WITHOUT_FFMPEG: &str = ".gif, .y4m, a folder (`frames/`) of PNG";

/// The format of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceFormat {
    /// The built-in test video.
    Scene,
    /// YUV4MPEG2.
    Y4m,
    /// GIF.
    Gif,
    /// PNG or JPEG: one, a folder, or a pattern.
    Images,
    /// Any other format, read by ffmpeg.
    Ffmpeg,
}

impl SourceFormat {
    /// Returns the format of `spec`: `scene`, `-` (y4m on standard input), a folder, a pattern
    /// (`%04d`, `*`, `?`) or a file by its extension; anything else is read by ffmpeg.
    #[must_use]
    pub fn of(spec: &str) -> Self {
        if spec == "scene" {
            return Self::Scene;
        }
        if spec == "-" {
            return Self::Y4m;
        }
        let path = Path::new(spec);
        match extension(spec).as_str() {
            "y4m" => Self::Y4m,
            "gif" => Self::Gif,
            "png" | "jpg" | "jpeg" => Self::Images,
            _ if path.is_dir() => Self::Images,
            _ => Self::Ffmpeg,
        }
    }
}

/// The format of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SinkFormat {
    /// YUV4MPEG2.
    Y4m,
    /// Looping GIF.
    Gif,
    /// PNG: one, a folder, or a pattern.
    Png,
    /// H.264 in MP4, through ffmpeg.
    Mp4,
    /// H.264 in Matroska, through ffmpeg.
    Mkv,
    /// VP9 in WebM, through ffmpeg.
    Webm,
}

impl SinkFormat {
    /// Returns the format of `spec`: `-` (y4m on standard output), a folder (`frames/`, or an existing one),
    /// a pattern (`frames/%04d.png`) or a file by its extension. `None` for any other.
    #[must_use]
    pub fn of(spec: &str) -> Option<Self> {
        if spec == "-" {
            return Some(Self::Y4m);
        }
        match extension(spec).as_str() {
            _ if spec.ends_with('/') || Path::new(spec).is_dir() => Some(Self::Png),
            "y4m" => Some(Self::Y4m),
            "gif" => Some(Self::Gif),
            "png" => Some(Self::Png),
            "mp4" | "m4v" | "mov" => Some(Self::Mp4),
            "mkv" => Some(Self::Mkv),
            "webm" => Some(Self::Webm),
            _ => None,
        }
    }

    /// Returns the supported names of outputs, for messages.
    pub(crate) fn supported() -> String {
        format!("{OUTPUTS_WITHOUT_FFMPEG}, `-` (y4m), and with ffmpeg .mp4, .mkv, .webm")
    }
}

/// Returns the extension in lower case, or an empty text.
pub(crate) fn extension(spec: &str) -> String {
    let extension = Path::new(spec).extension();
    extension
        .map(|e| e.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_formats() {
        for (spec, want) in [
            ("scene", SourceFormat::Scene),
            ("-", SourceFormat::Y4m),
            ("a/b.Y4M", SourceFormat::Y4m),
            ("x.gif", SourceFormat::Gif),
            ("f/%04d.png", SourceFormat::Images),
            ("f/*.jpeg", SourceFormat::Images),
            ("src", SourceFormat::Images),
            ("film.mkv", SourceFormat::Ffmpeg),
            ("rtsp://host/cam", SourceFormat::Ffmpeg),
        ] {
            assert_eq!(SourceFormat::of(spec), want, "{spec}");
        }
        assert_eq!(SinkFormat::of("frames/"), Some(SinkFormat::Png));
        assert_eq!(SinkFormat::of("src"), Some(SinkFormat::Png));
        assert_eq!(SinkFormat::of("out.jpg"), None);
        assert_eq!(SinkFormat::of("out"), None);
    }
}
