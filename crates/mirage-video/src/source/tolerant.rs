//! Sources that end once, and of which what was read before damage is kept.

use super::{Damage, Ending, Source};
use crate::{Error, Frame, Result, VideoInfo};

/// Ends `inner` where its bytes are damaged, if at least one frame was read. It is not read behind its end or an error.
pub(super) fn wrap(inner: Box<dyn Source + Send>) -> Box<dyn Source + Send> {
    Box::new(TolerantSource {
        inner,
        frames: 0,
        ended: false,
        damage: None,
    })
}

struct TolerantSource {
    inner: Box<dyn Source + Send>,
    frames: u64,
    ended: bool,
    damage: Option<Damage>,
}

impl Source for TolerantSource {
    fn info(&self) -> &VideoInfo {
        self.inner.info()
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.ended {
            return Ok(None);
        }
        let next = self.inner.next_frame();
        self.ended = !matches!(next, Ok(Some(_)));
        match next {
            Ok(Some(frame)) => {
                self.frames += 1;
                Ok(Some(frame))
            }
            Err(error @ (Error::Truncated { .. } | Error::Malformed { .. })) if self.frames > 0 => {
                self.damage = Some(Damage {
                    count: 1,
                    first: error.to_string(),
                });
                Ok(None)
            }
            end => end,
        }
    }

    fn ending(&self) -> Ending {
        let ending = self.inner.ending();
        match &self.damage {
            // The stated end is that of the whole file.
            Some(damage) => Ending {
                end: None,
                cut: false,
                damage: Some(damage.clone()),
            },
            None => ending,
        }
    }
}
