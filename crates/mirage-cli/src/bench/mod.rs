//! `mirage bench`.

mod arguments;
mod compare;
mod history;
mod outputs;
mod parts;
mod request;
mod show;
mod worker;

use clap::Subcommand;
use mirage_lab::ids::machine_id;

pub(crate) use self::arguments::BenchArgs;
use self::{compare::CompareArgs, history::HistoryArgs, outputs::Outputs, show::columns};
use crate::{
    error::{CliError, Result},
    files::Files,
    output::Stream,
    progress::{Console, Progress},
};

/// Subcommands of `mirage bench`.
#[derive(Debug, Subcommand)]
enum BenchCommand {
    #[command(flatten)]
    Part(parts::Part),
    /// Compare saved ledgers, row by row, without measuring
    Compare(CompareArgs),
    /// Show the saved ledgers of a folder over time, versions and machines
    History(HistoryArgs),
}

impl BenchCommand {
    /// The files that are read and written.
    fn files(&self) -> Files {
        match self {
            BenchCommand::Part(part) => part.files(),
            // It writes none.
            BenchCommand::Compare(_) => Files::default(),
            BenchCommand::History(args) => args.files(),
        }
    }
}

impl BenchArgs {
    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        match &self.command {
            Some(BenchCommand::Part(part)) => return part.run(quiet_log),
            Some(BenchCommand::Compare(args)) => return args.run(),
            Some(BenchCommand::History(args)) => return args.run(),
            None => {}
        }
        let run = self.request()?;
        let console = Console::new(Progress::new(quiet_log))?;
        if let Some(worker) = self.worker {
            return Stream::Stdout.emit(&worker.run(&run, &console)?);
        }
        let before = compare::read_all(&self.compare)?;
        let outputs = Outputs::claim(self)?;
        let taken = match self.processes {
            1 => run.take(0, &console)?,
            _ => run.repeat(&worker::start, &console)?,
        };
        let resident = run.residents(&taken, &worker::start, &console);
        let roofline = self
            .limits
            .roofline(&machine_id(run.job.backend, run.job.device).device);
        let ledger = run.ledger(taken, resident, roofline)?;
        outputs.write(&ledger)?;
        show::show(self, &ledger)?;
        compare::tell(
            &before,
            ("this ledger", &ledger),
            self.fail_on_regression,
            self.json,
        )?;
        match show::failures(&ledger)[..] {
            [] => Ok(()),
            ref failed => Err(CliError::failure(format!(
                "some sets failed (the others were measured): {}",
                failed.join("; ")
            ))),
        }
    }
}
