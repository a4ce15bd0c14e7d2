//! Examines a machine and its backends, and which passes help a model on it.

mod abilities;
mod alignment;
mod checkup;
mod hardware;
mod probe;

use std::time::Duration;

use mirage_ir::{DType, Graph, cost::graph_cost};
use mirage_machine::{RateOptions, Watch, measure_rates};
use mirage_pass::Registry;
use mirage_passes::alignment::alignment as misaligned_sides;
use serde::Serialize;

use self::abilities::abilities;
pub use self::{
    abilities::{Ability, DTYPES, Idle, InDtype, Operation},
    alignment::{AlignmentReport, MisalignedLayer, canonical_forward, misaligned, wanted},
    checkup::{Checkup, Expectation, PassCheck, Precision},
    hardware::Hardware,
    probe::Measured,
};
use crate::{Event, Job, LabError, Observer, Result, subjects::Bench};

/// Identifies the report among other JSON.
const FORMAT: &str = "mirage-doctor";
/// The version of the schema; incremented when a field changes its meaning or is removed.
const SCHEMA: u32 = 1;
/// How long the load is observed before anything runs.
const LOOK: Duration = Duration::from_millis(300);
/// The speed-up of matrix products from which a dtype pays off.
const PAYS: f64 = 1.05;

/// The report of an examination.
#[derive(Serialize)]
pub struct Report {
    format: &'static str,
    schema: u32,
    mirage: &'static str,
    /// The machine.
    #[serde(flatten)]
    pub hardware: Hardware,
    /// The devices of the backends.
    pub backends: Vec<Ability>,
    /// The backends without a device.
    pub backends_without_device: Vec<Idle>,
    /// The model that the passes were tried on.
    pub model: Subject,
    /// Every pass that does not always run.
    pub passes: Vec<PassCheck>,
    /// The recommended dtype.
    pub precision: Precision,
    /// Channel counts that are not aligned for that dtype.
    pub alignment: AlignmentSummary,
}

/// The model that the passes were tried on.
#[derive(Serialize)]
pub struct Subject {
    /// The model.
    pub name: String,
    /// Width and height of the frame.
    pub size: [usize; 2],
    /// Denoising steps per frame.
    pub steps: usize,
    /// The backend.
    pub backend: &'static str,
    /// The index of its device.
    pub device: usize,
}

/// Channel counts of the model that are not aligned for the recommended dtype.
#[derive(Serialize)]
pub struct AlignmentSummary {
    /// The dtype.
    pub dtype: DType,
    /// The number of misaligned channel counts.
    pub misaligned: usize,
    /// Operations that padding would add to a forward pass, in percent.
    pub extra_flops_percent: f64,
}

/// Examines the machine, the backends, and every pass on the job's frame; the job's own passes are
/// ignored. With `measure`, everything is measured too, with this time budget for frames.
///
/// # Errors
/// If the model cannot be built or captured, or if the observer stopped it.
pub fn examine(
    job: &Job,
    registry: &Registry,
    measure: Option<Duration>,
    observer: &dyn Observer,
) -> Result<Report> {
    let capabilities = job.capabilities();
    observer.tell(Event::Stage("examining the machine"));
    let load = Watch::during(LOOK);
    let rates = measure.map(|_| measure_rates(&RateOptions::default()));
    let rates = rates.transpose();
    let rates = rates.map_err(|e| LabError::Failed(e.to_string()))?;
    let mut hardware = Hardware::new(load, rates);
    observer.tell(Event::Stage("examining the backends"));
    let (backends, idle) = abilities(measure.is_some(), &mut |what| {
        observer.tell(Event::Stage(&what));
    });

    let name = &job.config.name;
    observer.tell(Event::Stage(&format!("trying passes on {name}")));
    let model = match measure {
        Some(_) => job.model()?,
        None => job.outline()?,
    };
    let captured = job.capture_from(&model)?;
    drop(model);
    let checkup = Checkup {
        registry,
        capabilities: &capabilities,
        graph: &captured.graph,
    };
    let mut passes = checkup.passes();
    let mut precision = checkup.precision()?;
    let backend = job.backend.info().name;
    if let Some(time) = measure {
        let bench = Bench {
            job,
            captured: &captured,
            frames: 2,
        };
        if let Err(why) = checkup::time(&mut passes, &bench, registry, time, observer) {
            hardware.warn(format!("passes were not measured: {why}"));
        }
        let here = backends.iter().find(|a| a.is(backend, job.device));
        precision.reasons.extend(here.and_then(products));
    }
    let forward = canonical_forward(job, registry)?;
    observer.tell(Event::End);
    Ok(Report {
        format: FORMAT,
        schema: SCHEMA,
        mirage: env!("CARGO_PKG_VERSION"),
        hardware,
        backends,
        backends_without_device: idle,
        model: Subject {
            name: name.clone(),
            size: [job.size.width, job.size.height],
            steps: job.sampler.steps,
            backend,
            device: job.device,
        },
        passes,
        alignment: AlignmentSummary::of(&forward, precision.dtype, |op, dtype| {
            wanted(&capabilities, op, dtype)
        }),
        precision,
    })
}

/// Describes how fast matrix products are in half precision compared with f32, as measured.
fn products(ability: &Ability) -> Option<String> {
    let f32 = ability.measured("linear", DType::F32)?.gflops;
    let halves = [DType::BF16, DType::F16].into_iter();
    let halves = halves.filter_map(|d| Some((d, ability.measured("linear", d)?.gflops / f32)));
    let halves: Vec<(DType, f64)> = halves.collect();
    if halves.is_empty() {
        return None;
    }
    let ratios: Vec<String> = halves
        .iter()
        .map(|(d, r)| format!("{r:.2}× as fast in {d} as in f32"))
        .collect();
    let pays = match halves.iter().any(|(_, ratio)| *ratio >= PAYS) {
        true => "half precision speeds up matrix products",
        false => "half precision does not speed up matrix products",
    };
    Some(format!("measured: linear is {}; {pays}", ratios.join(", ")))
}

impl AlignmentSummary {
    fn of(graph: &Graph, dtype: DType, multiple: impl Fn(&str, DType) -> usize) -> Self {
        let found = misaligned_sides(graph, |op, _| multiple(op, dtype));
        let extra: u64 = found.iter().map(|m| m.extra_flops).sum();
        let flops = graph_cost(graph).flops.max(1);
        AlignmentSummary {
            dtype,
            misaligned: found.len(),
            extra_flops_percent: 100.0 * extra as f64 / flops as f64,
        }
    }
}
