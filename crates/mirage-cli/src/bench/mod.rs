//! `mirage bench`.

mod arguments;
mod compare;
mod history;
mod job;
mod outputs;
mod parts;
mod processes;
mod record;
mod show;
mod take;

use std::sync::atomic::Ordering;

use clap::Subcommand;

pub(crate) use self::arguments::BenchArgs;
use self::{compare::CompareArgs, history::HistoryArgs, job::Job, outputs::Outputs, show::columns};
use crate::{
    error::{CliError, Result},
    interrupt::stop_on_interrupt,
    progress::Progress,
};

/// What else there is to measure, and to do with ledgers.
#[derive(Debug, Subcommand)]
enum BenchCommand {
    #[command(flatten)]
    Part(parts::Part),
    /// Compare saved ledgers, row by row, without measuring
    Compare(CompareArgs),
    /// A page over the saved ledgers of a folder: medians over time, versions and machines
    History(HistoryArgs),
}

impl BenchArgs {
    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        match &self.command {
            Some(BenchCommand::Part(part)) => return part.run(quiet_log),
            Some(BenchCommand::Compare(args)) => return args.run(),
            Some(BenchCommand::History(args)) => return args.run(),
            None => {}
        }
        let job = Job::resolve(self)?;
        let plan = job.rows(self)?;
        let progress = Progress::new(quiet_log);
        let stop = stop_on_interrupt()?;
        if let Some(worker) = self.worker {
            return worker.run(self, &job, &plan, progress, &stop);
        }
        let before = compare::read_all(&self.compare)?;
        let outputs = Outputs::claim(self)?;
        let taken = match self.processes {
            1 => take::take(self, &job, &plan, 0, progress, &stop).map_err(|why| {
                match stop.load(Ordering::Relaxed) {
                    true => CliError::Interrupted(why),
                    false => CliError::Failure(why),
                }
            })?,
            processes => processes::repeat(processes, &stop)?,
        };
        let resident = processes::resident(self, &plan, &taken, progress, &stop);
        let ledger = record::ledger(self, &job, &plan, taken, resident)?;
        outputs.write(&ledger)?;
        show::show(self, &ledger)?;
        compare::tell(
            &before,
            ("this one", &ledger),
            self.fail_on_regression,
            self.json,
        )?;
        match show::failures(&ledger)[..] {
            [] => Ok(()),
            ref failed => Err(CliError::Failure(format!(
                "failed, and the rest was measured: {}",
                failed.join("; ")
            ))),
        }
    }
}
