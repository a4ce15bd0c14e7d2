//! Compares two sessions on the same frames, alternating.

use std::time::Duration;

use mirage_video::{Frame, PsnrMean};
use serde::Serialize;

use crate::{Percentiles, Ratio, Session, StreamError};

/// The comparison of two sessions on the same frames, each with its own state: times of alternating runs, and
/// the difference of their pictures.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Comparison {
    /// The number of compared frames, without the warm-up.
    pub frames: usize,
    /// The number of warm-up frames, excluded from the times.
    pub warmup: usize,
    /// Times of the session under test, ms per frame.
    pub subject: Percentiles,
    /// Times of the reference session, ms per frame.
    pub reference: Percentiles,
    /// The subject's time divided by the reference's.
    pub time_ratio: Ratio,
    /// PSNR of all frames' mean squared error, dB, warm-up among them; `None` if equal.
    pub psnr_db: Option<f64>,
    /// PSNR of the worst frame, dB; `None` if equal.
    pub worst_psnr_db: Option<f64>,
    /// PSNR of the first frame, before errors pass from frame to frame, dB; `None` if equal.
    pub first_psnr_db: Option<f64>,
    /// The least PSNR of the first frame that the numerics classes of the passes allow, dB; `None` where
    /// nobody judged it, or a pass promises no bound.
    pub least_psnr_db: Option<f64>,
}

impl Comparison {
    /// Takes what the passes' classes allow: a frame's error as a share of its norm, from
    /// [`frame_bound`](crate::frame_bound).
    pub fn judge(&mut self, bound: Option<f64>) {
        // An 8-bit picture is full at 127.5 levels on each side of 0; besides, rounding to a level may go
        // the other way.
        let levels = |bound: f64| 127.5 * bound + 0.5;
        self.least_psnr_db = bound.map(|bound| 20.0 * (255.0 / levels(bound)).log10());
    }

    /// Returns whether the first frame differs by more than the numerics classes of the passes allow.
    pub fn breaks_numerics(&self) -> bool {
        match (self.first_psnr_db, self.least_psnr_db) {
            (Some(found), Some(least)) => found < least,
            _ => false,
        }
    }
}

/// Restarts both sessions and runs the frames (in the model's size) through them in turn: A B, B A,
/// A B, …, so that a drift of the machine's speed meets both. `step` is told after each frame and
/// ends the comparison by `false`. `None` if no frame was left after the warm-up.
///
/// # Errors
/// What a session says.
pub fn compare(
    subject: &mut Session,
    reference: &mut Session,
    frames: &[Frame],
    warmup: usize,
    mut step: impl FnMut(usize) -> bool,
) -> Result<Option<Comparison>, StreamError> {
    subject.restart()?;
    reference.restart()?;
    let mut times: [Vec<Duration>; 2] = Default::default();
    let mut psnr = PsnrMean::default();
    let mut first = None;
    for (i, frame) in frames.iter().enumerate() {
        let (mut made, mut wanted) = (frame.clone(), frame.clone());
        let (mine, theirs) = if i % 2 == 0 {
            let mine = subject.run(&mut made)?;
            (mine, reference.run(&mut wanted)?)
        } else {
            let theirs = reference.run(&mut wanted)?;
            (subject.run(&mut made)?, theirs)
        };
        let here = psnr.add(&made, &wanted)?;
        if i == 0 {
            first = Some(here);
        }
        if i >= warmup {
            times[0].push(mine);
            times[1].push(theirs);
        }
        if !step(i + 1) {
            break;
        }
    }
    let [mine, theirs] = &times;
    let (Some(a), Some(b)) = (Percentiles::of_times(mine), Percentiles::of_times(theirs)) else {
        return Ok(None);
    };
    let Some(time_ratio) = Ratio::of_pairs(mine, theirs) else {
        return Ok(None);
    };
    let finite = |db: Option<f64>| db.filter(|db| db.is_finite());
    Ok(Some(Comparison {
        frames: mine.len(),
        warmup: warmup.min(frames.len()),
        subject: a,
        reference: b,
        time_ratio,
        psnr_db: finite(psnr.mean()),
        worst_psnr_db: finite(psnr.worst()),
        first_psnr_db: finite(first),
        least_psnr_db: None,
    }))
}
