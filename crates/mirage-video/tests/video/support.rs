//! Helpers of the tests.

use std::{fs, path::Path};

use mirage_video::{
    End, Error, Frame, Rational, Result, Source, SourceOptions, Summary, VideoInfo, open_source,
};

/// Frames of the built-in scene at a small size.
pub(crate) fn scene(width: u32, height: u32, frames: u64) -> Vec<Frame> {
    let options = SourceOptions {
        frames: Some(frames),
        scene_size: (width, height),
        ..SourceOptions::default()
    };
    read_all(open_source("scene", &options).unwrap().as_mut()).unwrap()
}

pub(crate) fn info(width: u32, height: u32) -> VideoInfo {
    VideoInfo::new("test", width, height, Rational::whole(24).unwrap())
}

pub(crate) fn read_all(source: &mut dyn Source) -> Result<Vec<Frame>> {
    let mut frames = Vec::new();
    while let Some(frame) = source.next_frame()? {
        frames.push(frame);
    }
    assert!(source.next_frame()?.is_none(), "the end stays the end");
    Ok(frames)
}

/// Opens and reads a file to its end; also returns the info where the header could be read.
pub(crate) fn read_file(path: &Path) -> Result<(VideoInfo, Vec<Frame>)> {
    let mut source = open_source(path.to_str().unwrap(), &SourceOptions::default())?;
    let info = source.info().clone();
    Ok((info, read_all(source.as_mut())?))
}

/// The error of reading a file to its end.
pub(crate) fn read_error(path: &Path) -> Error {
    match read_file(path) {
        Ok((_, frames)) => panic!("{} gave {} frames", path.display(), frames.len()),
        Err(error) => {
            let message = error.to_string();
            assert!(!message.contains('\n'), "one line: {message}");
            error
        }
    }
}

/// Writes all frames to `path`.
pub(crate) fn write_file(
    path: &Path,
    frames: &[Frame],
    options: &mirage_video::SinkOptions,
) -> Result<Summary> {
    let info = info(frames[0].width(), frames[0].height());
    let mut sink = mirage_video::open_sink(path.to_str().unwrap(), &info, options)?;
    for frame in frames {
        sink.write_frame(frame)?;
    }
    sink.finish(after(frames.len() as u64))
}

/// The end of a stream of so many frames at the rate of [`info`].
pub(crate) fn after(frames: u64) -> End {
    End {
        time: info(1, 1).fps.time(frames),
        cut: false,
    }
}

/// Names in a folder, hidden ones too, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A small deterministic generator, for picking bytes to damage.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}
