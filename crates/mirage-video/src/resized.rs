//! Sources and sinks that resize frames, on the thread that reads or writes. In a
//! [`Pipeline`](crate::Pipeline) this is part of the decode and encode stages.

use crate::{
    End, Ending, Filter, Frame, Resizer, Result, Sink, Source, Summary, VideoInfo, Written,
    source::resized_aspect,
};

/// Returns a source that resizes its frames to `width` x `height`.
pub fn resized_source(
    source: Box<dyn Source + Send>,
    width: u32,
    height: u32,
    filter: Filter,
) -> Box<dyn Source + Send> {
    let info = source.info();
    if (info.width, info.height) == (width, height) {
        return source;
    }
    Box::new(ResizedSource {
        info: VideoInfo {
            width,
            height,
            pixel_aspect: resized_aspect(info, width, height),
            ..info.clone()
        },
        source,
        resizer: Resizer::new(filter),
    })
}

struct ResizedSource {
    source: Box<dyn Source + Send>,
    info: VideoInfo,
    resizer: Resizer,
}

impl Source for ResizedSource {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some(frame) = self.source.next_frame()? else {
            return Ok(None);
        };
        let (width, height) = (self.info.width, self.info.height);
        self.resizer.resize(&frame, width, height).map(Some)
    }

    fn ending(&self) -> Ending {
        self.source.ending()
    }
}

/// Returns a sink that accepts frames of any size and resizes them to the inner sink's `width` x `height`.
///
/// # Errors
/// [`Error::BadSize`](crate::Error::BadSize) for an invalid size.
pub fn resized_sink(
    sink: Box<dyn Sink + Send>,
    width: u32,
    height: u32,
    filter: Filter,
) -> Result<Box<dyn Sink + Send>> {
    Ok(Box::new(ResizedSink {
        sink,
        resizer: Resizer::new(filter),
        target: Frame::new(width, height, 0)?,
    }))
}

struct ResizedSink {
    sink: Box<dyn Sink + Send>,
    resizer: Resizer,
    target: Frame,
}

impl Sink for ResizedSink {
    fn write_frame(&mut self, frame: &Frame) -> Result<Written> {
        if (frame.width(), frame.height()) == (self.target.width(), self.target.height()) {
            return self.sink.write_frame(frame);
        }
        self.resizer.resize_into(frame, &mut self.target)?;
        self.sink.write_frame(&self.target)
    }

    fn finish(self: Box<Self>, end: End) -> Result<Summary> {
        self.sink.finish(end)
    }

    fn abort(self: Box<Self>) {
        self.sink.abort();
    }
}
