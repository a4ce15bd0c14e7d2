//! A ledger out of what was found.

use std::time::SystemTime;

use mirage_bench::{
    ledger::{
        Backend, FORMAT, Ledger, Machine as LedgerMachine, Method, Results, Rules, SCHEMA, Setting,
        assemble,
    },
    plan::Plan,
    stats::{DEFAULT_MARGIN, Resampling},
};
use mirage_stream::Machine;

use super::{
    BenchArgs,
    job::Job,
    take::{self, Taken},
};
use crate::{
    error::{Ending, Result},
    subjects::model_id,
};

/// The ledger. `resident` has the bytes of each set, and a warning where some are not there.
pub(super) fn ledger(
    args: &BenchArgs,
    job: &Job,
    plan: &Plan,
    taken: Taken,
    resident: (Vec<Option<u64>>, Option<String>),
) -> Result<Ledger> {
    let mut setting = setting(args, job, &taken)?;
    let (roofline, no_roofline) = match args.limits.roofline(&setting.machine.device) {
        Ok(roofline) => (Some(roofline), None),
        Err(why) => (None, Some(format!("no percent of a roofline: {why}"))),
    };
    setting.machine.roofline = roofline;
    let (resident, no_resident) = resident;
    let mut facts = taken.facts;
    for (facts, bytes) in facts.iter_mut().zip(resident) {
        facts.memory.resident_bytes = bytes;
    }
    let resampling = Resampling::default();
    let rules = Rules {
        resampling,
        margin: DEFAULT_MARGIN,
        roofline: setting.machine.roofline,
    };
    let Results {
        rows,
        shapley,
        samples_ms,
        mut warnings,
    } = assemble(plan, &job.ids, &taken.measurement, &facts, &rules).failure()?;
    warnings.extend(taken.warnings);
    warnings.extend(no_resident);
    warnings.extend(no_roofline);
    let measured = &taken.measurement;
    Ok(Ledger {
        format: FORMAT.to_owned(),
        schema: SCHEMA,
        setting,
        passes: job.ids.clone(),
        method: Method {
            budget_s: args.time.as_secs_f64(),
            elapsed_s: measured.elapsed.as_secs_f64(),
            warm_up: take::options(args, 0).warm_up.describe(),
            processes: usize::from(args.processes),
            confidence: resampling.confidence,
            resamples: resampling.resamples,
            seed: args.model.seed,
            margin: DEFAULT_MARGIN,
            stopped: measured.stopped,
        },
        warnings,
        rows,
        shapley,
        samples_ms,
        layers: taken.layers,
    })
}

/// What numbers belong to; what the machine reaches is for the caller to say.
fn setting(args: &BenchArgs, job: &Job, taken: &Taken) -> Result<Setting> {
    let backend = args.backend.resolve()?;
    let machine = Machine::of(backend, args.backend.device);
    let info = backend.info();
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    Ok(Setting {
        mirage: env!("CARGO_PKG_VERSION").to_owned(),
        measured_at: Some(now.to_string()),
        machine: LedgerMachine {
            device: machine.device,
            details: machine.details,
            platform: machine.platform,
            roofline: None,
        },
        backend: Backend {
            name: info.name.to_owned(),
            version: info.version.to_owned(),
            engine: info.engine.to_owned(),
        },
        model: model_id(&job.config, taken.parameters, taken.trained),
        shape: [1, 3, job.size.height, job.size.width],
        dtype: "f32".to_owned(),
        seed: args.model.seed,
        steps: args.frame.steps,
        frames: usize::from(args.frames),
    })
}
