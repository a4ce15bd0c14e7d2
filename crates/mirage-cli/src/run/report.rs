//! Creates the report of a run.

use mirage::{Job, Stream};
use mirage_stream::{
    BackendReport, Comparison, DamageReport, GraphChange, LiveOutcome, Machine, ModelReport,
    PassReport, REPORT_SCHEMA, RunReport, main_dtype,
};
use mirage_video::VideoInfo;

/// Returns what was lost or changed on the way from the input to the output, beside damage.
fn video_notes(video: &VideoInfo, outcome: &LiveOutcome) -> Vec<String> {
    let of_output = outcome.summary.iter().flat_map(|s| &s.notes);
    video.notes.iter().chain(of_output).cloned().collect()
}

/// Creates the report at the end of a run.
pub(super) fn report(
    job: &Job,
    program: &Stream,
    video: &VideoInfo,
    outcome: &LiveOutcome,
    comparison: Option<&Comparison>,
) -> RunReport {
    let mut report = RunReport {
        schema: REPORT_SCHEMA,
        mirage: env!("CARGO_PKG_VERSION"),
        machine: Machine::of(job.backend, job.device),
        backend: BackendReport::of(job.backend),
        model: ModelReport {
            name: job.config.name.clone(),
            parameters: program.model().parameters,
            trained: program.model().trained,
        },
        shape: job.shape(),
        dtype: main_dtype(program.graph()).name().to_owned(),
        seed: job.seed,
        sampler: job.sampler.into(),
        pipeline: job.asked.to_string(),
        fingerprint: program.report().fingerprint.to_string(),
        passes: PassReport::all(program.report()),
        graph: GraphChange::of(program.report()),
        compile_ms: program.compile_time().as_secs_f64() * 1e3,
        memory: program.memory().into(),
        notes: program.notes().to_vec(),
        video_notes: video_notes(video, outcome),
        damage: outcome.damage.as_ref().map(DamageReport::of),
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
