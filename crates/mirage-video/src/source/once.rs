//! Inputs that can be read once: standard input, named pipes, process substitution.

use std::{
    fs::{self, File},
    io::{self, Cursor, Read},
};

use super::{Source, SourceOptions, ffmpeg, read_error, y4m};
use crate::{Error, Result};

/// The first bytes of a y4m stream.
pub(super) const Y4M: &[u8] = b"YUV4MPEG2";

/// Returns the reader of an input that can be read once; `None` for a file, a folder, an address or a camera.
pub(super) fn reader(spec: &str) -> Result<Option<Box<dyn Read + Send>>> {
    if matches!(spec, "-" | "pipe:" | "pipe:0") {
        return Ok(Some(Box::new(io::stdin())));
    }
    let is_stream = |found: fs::Metadata| !found.is_file() && !found.is_dir();
    if spec.starts_with("/dev/video") || !fs::metadata(spec).is_ok_and(is_stream) {
        return Ok(None);
    }
    let file = File::open(spec).map_err(|error| read_error(spec, error))?;
    Ok(Some(Box::new(file)))
}

/// Opens the stream as y4m, or by ffmpeg, by its first bytes.
pub(super) fn open(
    spec: &str,
    mut reader: Box<dyn Read + Send>,
    options: &SourceOptions,
) -> Result<Box<dyn Source + Send>> {
    let name = if spec == "-" { "standard input" } else { spec };
    let mut head = Vec::new();
    // A pipe may deliver less than it is asked for.
    while head.len() < Y4M.len() {
        let mut bytes = [0; 64];
        match reader.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => head.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_error(name, error)),
        }
    }
    if head.is_empty() {
        return Err(Error::Empty {
            name: name.to_owned(),
        });
    }
    if Y4M.starts_with(&head) || head.starts_with(Y4M) {
        return y4m::open_stream(name, Cursor::new(head).chain(reader), options);
    }
    let input = ffmpeg::Input::Once(head, reader);
    Ok(Box::new(ffmpeg::FfmpegSource::open(name, options, input)?))
}
