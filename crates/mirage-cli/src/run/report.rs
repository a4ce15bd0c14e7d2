//! The report of a run.

use mirage_lab::Job;
use mirage_stream::{
    BackendReport, Comparison, GraphChange, LiveOutcome, Machine, ModelReport, PassReport,
    REPORT_SCHEMA, RunReport, Session,
};

use super::ready::Ready;

/// Gathers what is known at the end of a run.
pub(super) fn report(
    job: &Job,
    ready: &Ready,
    session: &Session,
    outcome: &LiveOutcome,
    comparison: Option<&Comparison>,
) -> RunReport {
    let executable = session.executable();
    let mut report = RunReport {
        schema: REPORT_SCHEMA,
        mirage: env!("CARGO_PKG_VERSION"),
        machine: Machine::of(job.backend, job.device),
        backend: BackendReport::of(job.backend),
        model: ModelReport {
            name: job.config.name.clone(),
            parameters: ready.model.parameters,
            trained: ready.model.trained,
        },
        shape: job.shape(),
        dtype: ready.dtype.to_owned(),
        seed: job.seed,
        sampler: job.sampler.into(),
        pipeline: job.asked.to_string(),
        fingerprint: ready.pipeline.fingerprint.to_string(),
        passes: PassReport::all(&ready.pipeline),
        graph: GraphChange::of(&ready.pipeline),
        compile_ms: ready.compile_time.as_secs_f64() * 1e3,
        memory: executable.memory().into(),
        notes: executable.notes().to_vec(),
        p50: None,
        p95: None,
        p99: None,
        stages: outcome.stages,
        fps: None,
        delivered: 0,
        skipped: 0,
        failed: 0,
        warmup: outcome.warmup,
        stopped: outcome.stopped,
        comparison: comparison.copied(),
        output: outcome
            .summary
            .as_ref()
            .map(|s| s.path.display().to_string()),
    };
    report.set_accounting(&outcome.accounting);
    report.set_times(outcome.times, outcome.fps);
    report
}
