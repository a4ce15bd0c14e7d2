//! Formats by file names.

use std::{fs::File, io::Read, path::Path};

/// Formats that need no ffmpeg, for messages.
pub(crate) const INPUTS_WITHOUT_FFMPEG: &str =
    "scene, .y4m, .gif, images (PNG, JPEG, WebP, BMP, TIFF ...), a folder or pattern of images";
/// Formats that need no ffmpeg, for messages.
pub(crate) const OUTPUTS_WITHOUT_FFMPEG: &str = ".gif, .y4m, a folder (`frames/`) of PNG";

/// Extensions of still images.
pub(crate) const IMAGES: &[&str] = &[
    "png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "tga", "qoi", "pnm", "ppm", "pgm", "pbm",
];
/// Bytes that are read to find out a format.
const HEAD: u64 = 1 << 16;

/// The format of an animated image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Animation {
    /// APNG.
    Png,
    /// Animated WebP.
    Webp,
}

impl Animation {
    /// Returns the name, for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Png => "animated PNG",
            Self::Webp => "animated WebP",
        }
    }
}

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
    /// An animated image.
    Animated(Animation),
    /// Still images: one, a folder, or a pattern.
    Images,
    /// Any other format, read by ffmpeg.
    Ffmpeg,
}

impl SourceFormat {
    /// Returns the format of `spec` by its name: `scene`, `-` (y4m on standard input), a folder, a pattern
    /// (`%04d`, `*`, `?`) or a file by its extension; anything else, addresses too, is read by ffmpeg.
    #[must_use]
    pub fn of(spec: &str) -> Self {
        if spec == "scene" {
            return Self::Scene;
        }
        if spec == "-" {
            return Self::Y4m;
        }
        if spec.contains("://") {
            return Self::Ffmpeg;
        }
        match extension(spec).as_str() {
            "y4m" => Self::Y4m,
            "gif" => Self::Gif,
            extension if IMAGES.contains(&extension) => Self::Images,
            _ if Path::new(spec).is_dir() => Self::Images,
            _ => Self::Ffmpeg,
        }
    }

    /// Returns the format of `spec`: of a file by its first bytes if they are known, otherwise as [`Self::of`].
    #[must_use]
    pub fn detect(spec: &str) -> Self {
        let mut head = Vec::new();
        if spec != "scene" && Path::new(spec).is_file() {
            // What cannot be read is explained when it is opened.
            let read = File::open(spec).and_then(|file| file.take(HEAD).read_to_end(&mut head));
            if let (Ok(_), Some(format)) = (read, Self::by_content(&head)) {
                return format;
            }
        }
        Self::of(spec)
    }

    /// Returns the format of a file that begins with `head`.
    fn by_content(head: &[u8]) -> Option<Self> {
        let found = |part: &[u8]| head.windows(part.len()).position(|w| w == part);
        match head {
            _ if head.starts_with(b"YUV4MPEG2") => Some(Self::Y4m),
            _ if head.starts_with(b"GIF8") => Some(Self::Gif),
            // An animated PNG has a chunk of control before its pixels.
            _ if head.starts_with(b"\x89PNG") => match (found(b"acTL"), found(b"IDAT")) {
                (Some(control), Some(pixels)) if control < pixels => {
                    Some(Self::Animated(Animation::Png))
                }
                (Some(_), None) => Some(Self::Animated(Animation::Png)),
                _ => Some(Self::Images),
            },
            // An animated WebP says so in the flags of its first chunk.
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                rest @ ..,
            ] => {
                let animated = rest.starts_with(b"VP8X") && rest.get(8).is_some_and(|f| f & 2 != 0);
                Some(if animated {
                    Self::Animated(Animation::Webp)
                } else {
                    Self::Images
                })
            }
            _ if head.starts_with(b"\xff\xd8\xff") => Some(Self::Images),
            // An MP4 in a file called .gif, for example.
            _ if head.get(4..8) == Some(b"ftyp") || head.starts_with(b"\x1a\x45\xdf\xa3") => {
                Some(Self::Ffmpeg)
            }
            _ => None,
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
    /// Returns ffmpeg's options for the container.
    pub(crate) fn muxer(self) -> &'static [&'static str] {
        match self {
            Self::Mkv => &["-f", "matroska"],
            Self::Webm => &["-f", "webm"],
            _ => &["-movflags", "+faststart", "-f", "mp4"],
        }
    }

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
            ("http://host/a.gif", SourceFormat::Ffmpeg),
            ("f/*.webp", SourceFormat::Images),
        ] {
            assert_eq!(SourceFormat::of(spec), want, "{spec}");
        }
        for (head, want) in [
            (&b"GIF89a"[..], Some(SourceFormat::Gif)),
            (
                b"\x89PNG\r\n\x1a\n....IHDR....IDAT..acTL",
                Some(SourceFormat::Images),
            ),
            (
                b"\x89PNG\r\n\x1a\n....IHDR..acTL..IDAT",
                Some(SourceFormat::Animated(Animation::Png)),
            ),
            (
                b"RIFF....WEBPVP8X....\x02",
                Some(SourceFormat::Animated(Animation::Webp)),
            ),
            (b"RIFF....WEBPVP8 ", Some(SourceFormat::Images)),
            (b"....ftypisom", Some(SourceFormat::Ffmpeg)),
            (b"unknown", None),
        ] {
            assert_eq!(SourceFormat::by_content(head), want, "{head:?}");
        }
        assert_eq!(SinkFormat::of("frames/"), Some(SinkFormat::Png));
        assert_eq!(SinkFormat::of("src"), Some(SinkFormat::Png));
        assert_eq!(SinkFormat::of("out.jpg"), None);
        assert_eq!(SinkFormat::of("out"), None);
    }
}
