//! Sources that limit another source to a number of frames or to real time.

use std::time::Instant;

use super::{Ending, Source};
use crate::{Frame, Result, VideoInfo};

/// Limits `inner` to `frames` and to its frame rate, as requested.
pub(super) fn wrap(
    inner: Box<dyn Source + Send>,
    frames: Option<u64>,
    realtime: bool,
) -> Box<dyn Source + Send> {
    if frames.is_none() && !realtime {
        return inner;
    }
    let mut info = inner.info().clone();
    info.frames = match (info.frames, frames) {
        (Some(have), Some(want)) => Some(have.min(want)),
        (have, want) => have.or(want),
    };
    Box::new(LimitedSource {
        inner,
        info,
        left: frames.unwrap_or(u64::MAX),
        cut: false,
        realtime,
        started: None,
    })
}

struct LimitedSource {
    inner: Box<dyn Source + Send>,
    info: VideoInfo,
    left: u64,
    /// Whether the limit ended the stream.
    cut: bool,
    realtime: bool,
    started: Option<Instant>,
}

impl Source for LimitedSource {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.left == 0 {
            self.cut = true;
            return Ok(None);
        }
        let Some(frame) = self.inner.next_frame()? else {
            return Ok(None);
        };
        self.left -= 1;
        if self.realtime {
            let started = *self.started.get_or_insert_with(Instant::now);
            std::thread::sleep(frame.time.saturating_sub(started.elapsed()));
        }
        Ok(Some(frame))
    }

    fn ending(&self) -> Ending {
        match self.cut {
            true => Ending {
                cut: true,
                ..Ending::default()
            },
            false => self.inner.ending(),
        }
    }
}
