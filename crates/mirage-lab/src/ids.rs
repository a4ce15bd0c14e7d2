//! Identifies a job's model, backend and passes in ledgers and reports.

use mirage::{Job, ModelFacts};
use mirage_backend::Backend;
use mirage_bench::ledger;
use mirage_pass::{PassSpec, Plan};
use mirage_stream::Machine;

/// Identifies a job's model.
pub fn model_id(job: &Job, facts: ModelFacts) -> ledger::Model {
    ledger::Model {
        name: job.config.name.clone(),
        parameters: facts.parameters,
        trained: facts.trained,
        configuration: serde_json::to_string(&job.config.network).ok(),
    }
}

/// Identifies a backend.
pub fn backend_id(backend: &dyn Backend) -> ledger::Backend {
    let info = backend.info();
    ledger::Backend {
        name: info.name.to_owned(),
        version: info.version.to_owned(),
        engine: info.engine.to_owned(),
    }
}

/// Identifies the machine of a backend's device; the caller adds its roofline.
pub fn machine_id(backend: &dyn Backend, device: usize) -> ledger::Machine {
    let machine = Machine::of(backend, device);
    ledger::Machine {
        device: machine.device,
        details: machine.details,
        platform: machine.platform,
        roofline: None,
    }
}

/// Identifies a pass, with the version that runs in this plan.
pub fn pass_id(spec: &PassSpec, plan: &Plan) -> ledger::PassId {
    let name = spec.name().replace('-', "_");
    let step = plan.steps.iter().find(|s| s.info().name == name);
    ledger::PassId {
        version: step.map_or(0, |s| s.info().version),
        spec: spec.to_string(),
        name,
    }
}

/// Identifies the passes of a job, with the versions that run.
pub fn pass_ids(job: &Job) -> Vec<ledger::PassId> {
    let id = |spec: &PassSpec| pass_id(spec, &job.plan);
    job.asked.passes.iter().map(id).collect()
}
