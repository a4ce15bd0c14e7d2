//! `mirage run`.

mod advice;
mod arguments;
mod not_finite;
mod pass_table;
mod ready;
mod report;
mod request;
mod show;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use mirage_lab::Job;
use mirage_pass::{Manager, Plan};
use mirage_stream::{
    Comparison, LiveOptions, LiveOutcome, Session, compare, frame_bound, run_live,
};
use mirage_video::{Frame, Sink, Source, kill_processes, open_sink, open_source};

pub(crate) use self::arguments::RunArgs;
use self::request::Request;
use crate::{
    error::{CliError, Result},
    file::AtomicFile,
    interrupt::Preparing,
    output::{self, Stream},
    progress::Progress,
};

impl RunArgs {
    /// Runs the command. With `quiet_log`, only errors are logged, and a progress bar can be shown.
    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        let Request {
            job,
            reference,
            source,
        } = Request::resolve(self)?;
        let (held, stop) = Preparing::<Outputs>::start(interrupted_message(self.output()))?;
        let progress = Progress::new(!self.no_progress && quiet_log);

        let report_file = self.report.as_deref().map(AtomicFile::create).transpose()?;
        held.hold(|held| held.report = report_file);
        let source = open_source(self.input(), &source)?;
        let info = source.info().clone();
        let sink = open_sink(self.output(), &info, &self.sink_options())?;
        held.hold(|held| held.sink = Some(sink));
        let mut program = ready::start(self, &job, progress)?;
        let Outputs { sink, report } = held.ready();
        let (Some(sink), report_file) = (sink, report) else {
            return Err(interrupted(self.output()));
        };

        let outcome = self.live(program.session_mut(), source, sink, &stop, progress);
        // A source that hangs in a read was left behind.
        kill_processes();
        let mut outcome = outcome?;
        if outcome.summary.is_none() {
            return Err(match outcome.error {
                Some(error) => not_finite::explained(error, &job, program.session_mut()),
                None => interrupted(self.output()),
            });
        }
        let kept = std::mem::take(&mut outcome.kept);
        let against = (&job, reference.as_ref());
        let session = program.session_mut();
        let comparison = self.compare(against, session, &kept, &stop, progress)?;

        let report = report::report(&job, &program, &info, &outcome, comparison.as_ref().ok());
        if let Some(file) = report_file {
            file.finish(output::json(&report)?.as_bytes())?;
        }
        let stream = Stream::Stdout;
        if self.json {
            stream.emit_json(&report)?;
        } else {
            let summary = outcome.summary.as_ref();
            let why_not = comparison.as_ref().err().map(String::as_str);
            let shown = show::Shown {
                args: self,
                job: &job,
                video: &info,
                report: &report,
                summary,
                why_not,
            };
            stream.emit(&shown.text(stream))?;
        }
        // The file holds the frames before the error; it still is an error.
        outcome.error.map_or(Ok(()), |e| Err(e.into()))
    }

    fn live(
        &self,
        stream: &mut Session,
        source: Box<dyn Source + Send>,
        sink: Box<dyn Sink + Send>,
        stop: &Arc<AtomicBool>,
        progress: Progress,
    ) -> Result<LiveOutcome> {
        let options = LiveOptions {
            warmup: self.warmup,
            keep: if self.compare > 0 {
                self.compare + self.warmup
            } else {
                0
            },
        };
        let bar = progress.frames("frames", source.info().frames);
        let pipeline = self.pipeline(Arc::clone(stop));
        let outcome = run_live(stream, &pipeline, source, sink, options, |p| {
            bar.done(p.accounting.delivered)
        });
        Ok(outcome?)
    }

    /// Compares the first frames with and without the passes, or returns why they are not compared.
    fn compare(
        &self,
        (job, reference): (&Job, Option<&Plan>),
        subject: &mut Session,
        frames: &[Frame],
        stop: &AtomicBool,
        progress: Progress,
    ) -> Result<Result<Comparison, String>> {
        const STOPPED: &str = "skipped: the run was interrupted";
        let Some(plan) = reference else {
            return skipped("skipped: no passes were requested");
        };
        if self.compare == 0 {
            return skipped("skipped: --compare 0");
        }
        if stop.load(Ordering::Relaxed) {
            return skipped(STOPPED);
        }
        if frames.len() <= self.warmup {
            return skipped(
                "skipped: no frames after the warm-up; use a longer video or a smaller --warmup",
            );
        }
        let stage = progress.stage("compiling without passes");
        // Captured again: the first capture was dropped so that weights are held only once.
        let (captured, _) = job.capture()?;
        let plain = match job.prepare_with(&captured, plan, &mut Manager::new()) {
            Ok(plain) => plain,
            // The run itself succeeded, so a failure without passes is not an error.
            Err(e) => {
                return Ok(Err(format!(
                    "skipped: the model does not run without passes on this backend: {e}"
                )));
            }
        };
        let mut plain = job.session(plain.executable)?;
        drop((stage, captured));
        let bar = progress.frames("comparing", Some(frames.len() as u64));
        let comparison = compare(subject, &mut plain, frames, self.warmup, |done| {
            bar.done(done as u64);
            !stop.load(Ordering::Relaxed)
        });
        let mut comparison = comparison?;
        if let Some(found) = &mut comparison {
            found.judge(frame_bound(&job.plan, job.backend, job.sampler.steps));
        }
        Ok(comparison.ok_or_else(|| STOPPED.to_owned()))
    }
}

fn skipped(why: &str) -> Result<std::result::Result<Comparison, String>> {
    Ok(Err(why.to_owned()))
}

/// The outputs of a run, which are removed if it is interrupted before its first frame.
#[derive(Default)]
struct Outputs {
    sink: Option<Box<dyn Sink + Send>>,
    report: Option<AtomicFile>,
}

fn interrupted(output: &str) -> CliError {
    CliError::interrupted(interrupted_message(output))
}

fn interrupted_message(output: &str) -> String {
    format!("interrupted before the first frame was complete; nothing was written to {output}")
}
