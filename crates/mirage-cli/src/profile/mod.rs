//! `mirage profile`.

mod arguments;
mod outputs;
mod show;

use mirage_bench::profile::{Document, Profile};
use mirage_lab::{
    Event, Job, Observer,
    ids::machine_id,
    profile::{Profiled, chrome_trace},
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
    /// Runs the command; `quiet_log` is whether nothing but errors is logged, so that a progress bar
    /// is not disturbed.
    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        if self.frames < self.warmup.saturating_add(2) {
            return Err(CliError::usage(format!(
                "--frames {} leaves fewer than 2 after --warmup {}: one to profile, one to compare with",
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

        let mut program = Profiled::prepare(&job, &console)?;
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

    /// What the machine reaches; `None` where that is not wanted or not known.
    fn roofline(&self, job: &Job, console: &Console) -> Result<Option<Roofline>> {
        if self.no_roofline {
            return Ok(None);
        }
        console.tell(Event::Stage("measuring what the machine reaches"));
        let found = self
            .limits
            .roofline(&machine_id(job.backend, job.device).device);
        console.tell(Event::End);
        match found {
            Ok(roofline) => Ok(Some(roofline)),
            Err(why) if self.roofline.is_some() => {
                Err(CliError::failure(format!("{why}, or leave --roofline out")))
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
