//! Progress bars on standard error, if it is a terminal.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mirage_lab::{Event, Observer};

use crate::{
    error::{Result, note},
    interrupt::stop_on_interrupt,
};

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// Whether and how progress is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    visible: bool,
}

impl Progress {
    /// Shows progress if `visible`; never if standard error is not a terminal.
    pub(crate) fn new(visible: bool) -> Self {
        Progress { visible }
    }

    /// Shows a stage of unknown length until the returned value is dropped.
    pub(crate) fn stage(self, what: impl Into<String>) -> Stage {
        let bar = ProgressBar::with_draw_target(None, self.target());
        bar.set_style(style("{spinner:.cyan} {msg} {elapsed:.dim}"));
        bar.set_message(what.into());
        bar.enable_steady_tick(TICK);
        Stage(bar)
    }

    /// Shows a stage of `total` frames, or of an unknown number.
    pub(crate) fn frames(self, what: impl Into<String>, total: Option<u64>) -> Stage {
        let bar = ProgressBar::with_draw_target(total, self.target());
        bar.set_style(match total {
            Some(_) => style(
                "{msg:12} {bar:30.cyan/black.bright} {pos}/{len} frames  {per_sec:.dim}  {eta:.dim} left",
            ),
            None => style("{msg:12} {spinner:.cyan} {pos} frames in {elapsed}  {per_sec:.dim}"),
        });
        bar.set_message(what.into());
        Stage(bar)
    }

    /// Shows a stage that takes `total`; [`Stage::at`] sets the elapsed time and a message.
    pub(crate) fn timed(self, what: impl Into<String>, total: Duration) -> Stage {
        let bar = ProgressBar::with_draw_target(Some(milliseconds(total)), self.target());
        bar.set_style(style("{prefix} {bar:30.cyan/black.bright} {msg}"));
        bar.set_prefix(what.into());
        Stage(bar)
    }

    fn target(self) -> ProgressDrawTarget {
        match self.visible {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        }
    }
}

/// A stage that is shown until it is dropped.
pub(crate) struct Stage(ProgressBar);

impl Stage {
    /// Sets the number of frames done.
    pub(crate) fn done(&self, frames: u64) {
        self.0.set_position(frames);
    }

    /// Sets the elapsed time and the message.
    pub(crate) fn at(&self, gone: Duration, doing: impl Into<String>) {
        self.0.set_position(milliseconds(gone));
        self.0.set_message(doing.into());
    }
}

/// Shows the events of a driver as progress bars, and stops it at Ctrl-C.
pub(crate) struct Console {
    progress: Progress,
    stage: RefCell<Option<Stage>>,
    stop: Arc<AtomicBool>,
}

impl Console {
    /// Installs the Ctrl-C handler.
    pub(crate) fn new(progress: Progress) -> Result<Self> {
        Ok(Console {
            progress,
            stage: RefCell::new(None),
            stop: stop_on_interrupt()?,
        })
    }

    /// Returns the flag that Ctrl-C sets.
    pub(crate) fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }
}

impl Observer for Console {
    fn tell(&self, event: Event<'_>) {
        let mut stage = self.stage.borrow_mut();
        match (event, &*stage) {
            (Event::Stage(what), _) => *stage = Some(self.progress.stage(what)),
            (Event::Counted(what, total), _) => {
                *stage = Some(self.progress.frames(what, Some(total)));
            }
            (Event::Timed(what, total), _) => *stage = Some(self.progress.timed(what, total)),
            (Event::Done(items), Some(stage)) => stage.done(items),
            (Event::Elapsed(gone, doing), Some(stage)) => stage.at(gone, doing),
            (Event::End, _) => *stage = None,
            (Event::Note(line), _) => {
                *stage = None;
                note(line);
            }
            _ => {}
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A template is a constant here, so a wrong one shows as the default bar.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}
