//! `mirage profile`.

mod arguments;
mod outputs;
mod show;

use mirage_bench::profile::{Document, Profile};
use mirage_lab::{
    Event, Job, Observer,
    ids::machine_id,
    profile::{Profiler, chrome_trace},
};
use mirage_machine::Roofline;
use mirage_pass::Registry;

pub(crate) use self::arguments::ProfileArgs;
use self::outputs::Outputs;
use crate::{
    args::Request,
    error::{CliError, Ending, Result},
    output::Stream,
    progress::{Console, Progress},
};

impl ProfileArgs {
    /// Runs the command. With `quiet_log`, only errors are logged, and a progress bar can be shown.
    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        if self.frames < self.warmup.saturating_add(2) {
            return Err(CliError::usage(format!(
                "--frames {} is too small for --warmup {}: at least 2 frames must remain",
                self.frames, self.warmup
            )));
        }
        let registry = Registry::linked().failure()?;
        let passes = Some(&self.passes);
        let job =
            Request::new(&self.model, &self.frame, passes, &self.backend).resolve(&registry)?;
        let outputs = Outputs::create(self)?;
        let console = Console::new(Progress::new(quiet_log && !self.json))?;
        let roofline = self.roofline(&job, &console)?;

        let mut program = Profiler::prepare(&job, &console)?;
        let frames = (self.frames, self.warmup);
        let profile = program.profile(&job, frames, roofline, &console)?;
        let trace = match self.trace {
            Some(_) => {
                let frames = u64::from(self.trace_frames);
                let run = program.trace(&job, frames, console.stop(), &console)?;
                Some(chrome_trace(&program.graph, &run))
            }
            None => None,
        };
        outputs.finish(&profile, trace.as_ref())?;
        self.tell(&profile)
    }

    /// Returns the peak performance of the machine; `None` if it is unknown or not requested.
    fn roofline(&self, job: &Job, console: &Console) -> Result<Option<Roofline>> {
        if self.no_roofline {
            return Ok(None);
        }
        console.tell(Event::Stage("measuring peak performance"));
        let found = self
            .limits
            .roofline(&machine_id(job.backend, job.device).device);
        console.tell(Event::End);
        match found {
            Ok(roofline) => Ok(Some(roofline)),
            Err(why) if self.roofline.is_some() => {
                Err(CliError::failure(format!("{why}, or drop --roofline")))
            }
            Err(_) => Ok(None),
        }
    }

    fn tell(&self, profile: &Profile) -> Result<()> {
        match self.json {
            true => Stream::Stdout.emit_json(&Document::of(profile)),
            false => Stream::Stdout.emit(&show::text(self, profile)),
        }
    }
}
