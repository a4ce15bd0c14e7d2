//! Creates a ledger from measurements.

use std::time::SystemTime;

use mirage_bench::{
    ledger::{FORMAT, Ledger, Method, Results, Rules, SCHEMA, Setting, assemble},
    stats::{DEFAULT_MARGIN, Resampling},
};
use mirage_machine::Roofline;

use super::{Measurements, Run};
use crate::{
    LabError, Result,
    ids::{backend_id, machine_id, model_id},
};

impl Run {
    /// Creates the ledger. `resident` has the resident set size of each set in bytes, and a warning if some
    /// are missing; `roofline` is the peak performance of the device, or why it is unknown.
    ///
    /// # Errors
    /// If the times do not allow statistics.
    pub fn ledger(
        &self,
        taken: Measurements,
        resident: (Vec<Option<u64>>, Option<String>),
        roofline: std::result::Result<Roofline, String>,
    ) -> Result<Ledger> {
        let mut setting = self.setting(&taken);
        let (roofline, no_roofline) = match roofline {
            Ok(roofline) => (Some(roofline), None),
            Err(why) => (None, Some(format!("no percentages of the roofline: {why}"))),
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
            roofline,
        };
        let measured = &taken.measurement;
        let results = assemble(&self.plan, self.sets.ids(), measured, &facts, &rules);
        let Results {
            rows,
            shapley,
            samples_ms,
            mut warnings,
        } = results.map_err(|e| LabError::Failed(e.to_string()))?;
        warnings.extend(taken.warnings);
        warnings.extend(no_resident);
        warnings.extend(no_roofline);
        Ok(Ledger {
            format: FORMAT.to_owned(),
            schema: SCHEMA,
            setting,
            passes: self.sets.ids().to_vec(),
            method: Method {
                budget_s: self.options.time.as_secs_f64(),
                elapsed_s: measured.elapsed.as_secs_f64(),
                warm_up: self.measuring(0).warm_up.describe(),
                processes: usize::from(self.options.processes),
                confidence: resampling.confidence,
                resamples: resampling.resamples,
                seed: self.job.seed,
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

    /// Returns what the numbers belong to.
    fn setting(&self, taken: &Measurements) -> Setting {
        let job = &self.job;
        let now = humantime::format_rfc3339_seconds(SystemTime::now());
        Setting {
            mirage: env!("CARGO_PKG_VERSION").to_owned(),
            measured_at: Some(now.to_string()),
            machine: machine_id(job.backend, job.device),
            backend: backend_id(job.backend),
            model: model_id(job, taken.model),
            shape: job.shape(),
            dtype: "f32".to_owned(),
            seed: job.seed,
            steps: job.sampler.steps,
            frames: self.options.frames,
        }
    }
}
