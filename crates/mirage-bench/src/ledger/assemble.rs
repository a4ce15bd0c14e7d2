//! Creates rows from a plan, a measurement and facts about each set.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::row::{Build, Errors, Memory, Outcome, Row, Shapley, Share, SpeedUp, Throughput, Times};
use super::{PassId, Roofline};
use crate::measure::{Measurement, Series};
use crate::plan::{PassSet, Plan, RowKind, RowPlan, ShapleyPlan};
use crate::stats::{
    Interval, Outliers, Percentiles, Resampling, Verdict, median, medians_interval, ratio_paired,
};

/// Facts about a set other than its times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Its compilation.
    pub build: Build,
    /// Its memory.
    pub memory: Memory,
    /// Floating-point operations of a frame.
    pub flops: Option<u64>,
    /// Bytes that a frame's nodes read and write.
    pub bytes: Option<u64>,
    /// Its error.
    pub error: Option<Errors>,
    /// What the relative L2 error of a frame may be by the numerics classes of its passes; `None` where
    /// they promise no bound.
    #[serde(default)]
    pub error_bound: Option<f64>,
    /// Notes for users.
    pub notes: Vec<String>,
}

/// How intervals, verdicts and percentages are computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// How intervals are computed.
    pub resampling: Resampling,
    /// The smallest relative change that counts.
    pub margin: f64,
    /// The peak performance of the machine.
    pub roofline: Option<Roofline>,
}

/// The results of a ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// [`Ledger::rows`](super::Ledger::rows).
    pub rows: Vec<Row>,
    /// [`Ledger::shapley`](super::Ledger::shapley).
    pub shapley: Option<Shapley>,
    /// [`Ledger::samples_ms`](super::Ledger::samples_ms).
    pub samples_ms: Vec<Vec<Vec<f64>>>,
    /// For [`Ledger::warnings`](super::Ledger::warnings): sets that failed or never
    /// got warm, why there are no shares.
    pub warnings: Vec<String>,
}

/// Plan, measurement and facts that do not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the plan has {subjects} sets, but the measurement has {series} and the facts have {facts}; each must have one entry per set"
)]
pub struct AssembleError {
    subjects: usize,
    series: usize,
    facts: usize,
}

/// Creates the rows of a plan. `measurement` and `facts` have one entry per subject of the plan, in its order;
/// `passes` are those of the plan, in pipeline order.
pub fn assemble(
    plan: &Plan,
    passes: &[PassId],
    measurement: &Measurement,
    facts: &[Facts],
    rules: &Rules,
) -> Result<Results, AssembleError> {
    let (subjects, series) = (plan.subjects.len(), measurement.series.len());
    if subjects != series || subjects != facts.len() {
        return Err(AssembleError {
            subjects,
            series,
            facts: facts.len(),
        });
    }
    let table = Table {
        plan,
        passes,
        series: &measurement.series,
        facts,
        rules,
    };
    let mut warnings = table.warnings();
    let shapley = match &plan.shapley {
        None => None,
        Some(plan) => plan
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|plan| table.shapley(plan))
            .map_err(|reason| warnings.push(format!("no Shapley shares: {reason}")))
            .ok(),
    };
    Ok(Results {
        rows: plan.rows.iter().map(|row| table.row(row)).collect(),
        shapley,
        samples_ms: table.series.iter().map(|s| s.samples_ms.clone()).collect(),
        warnings,
    })
}

struct Table<'a> {
    plan: &'a Plan,
    passes: &'a [PassId],
    series: &'a [Series],
    facts: &'a [Facts],
    rules: &'a Rules,
}

impl Table<'_> {
    fn names(&self, set: PassSet) -> Vec<String> {
        set.indices().into_iter().map(|p| self.name(p)).collect()
    }

    fn name(&self, pass: usize) -> String {
        let known = self.passes.get(pass).map(|p| p.name.clone());
        known.unwrap_or_else(|| format!("pass {pass}"))
    }

    fn label(&self, row: &RowPlan) -> String {
        let along = self.names(row.along).join(", ");
        match row.kind {
            RowKind::None => "none".to_owned(),
            RowKind::Control => "none again".to_owned(),
            RowKind::Planted(place) => {
                let percent = self.plan.planted.get(place).map_or(0.0, |p| p.percent);
                format!("none + {percent} %")
            }
            RowKind::Alone(pass) if row.along.is_empty() => self.name(pass),
            RowKind::Alone(pass) => format!("{} on {along}", self.name(pass)),
            RowKind::UpTo(pass) => format!("+ {}", self.name(pass)),
            RowKind::Without(pass) if row.along.is_empty() => format!("- {}", self.name(pass)),
            RowKind::Without(pass) => format!("- {}, {along}", self.name(pass)),
            RowKind::All => "all".to_owned(),
            RowKind::Own(place) => {
                let own = self.plan.own.get(place).map(|own| own.label.clone());
                own.unwrap_or_else(|| format!("set {place}"))
            }
        }
    }

    fn notes(&self, row: &RowPlan) -> Vec<String> {
        let along = self.names(row.along).join(", ");
        match row.kind {
            RowKind::Alone(pass) if !row.along.is_empty() => {
                vec![format!(
                    "includes {along}, which {} requires",
                    self.name(pass)
                )]
            }
            RowKind::Without(pass) if !row.along.is_empty() => {
                vec![format!(
                    "also excludes {along}, which requires {}",
                    self.name(pass)
                )]
            }
            RowKind::Control => {
                vec!["control: `none` measured again; its difference is noise".to_owned()]
            }
            RowKind::Planted(_) => {
                vec![
                    "check of the method: `none`, slowed down by this percentage of busy work"
                        .to_owned(),
                ]
            }
            _ => Vec::new(),
        }
    }

    fn row(&self, plan: &RowPlan) -> Row {
        let mut row = Row {
            label: self.label(plan),
            kind: plan.kind,
            passes: Vec::new(),
            notes: self.notes(plan),
            outcome: Outcome::Measured,
            samples: None,
            times: None,
            against_none: None,
            against_before: None,
            build: Build::default(),
            memory: Memory::default(),
            throughput: None,
            error: None,
            error_bound: None,
        };
        let subject = match &plan.subject {
            Ok(subject) => *subject,
            Err(reason) => {
                row.outcome = Outcome::Illegal(reason.clone());
                return row;
            }
        };
        let (series, facts) = (&self.series[subject], &self.facts[subject]);
        row.passes = self.names(self.plan.subjects[subject]);
        row.notes.extend(facts.notes.iter().cloned());
        row.build = facts.build.clone();
        row.memory = facts.memory;
        row.error = facts.error;
        row.error_bound = facts.error_bound;
        if row.breaks_numerics() {
            row.notes.push(
                "the error of a frame exceeds what the numerics classes of its passes allow; run mirage parity \
                 with each pass to find the cause"
                    .to_owned(),
            );
        }
        if let Some(reason) = &series.failure {
            row.outcome = Outcome::Failed(reason.clone());
            return row;
        }
        row.samples = Some(subject);
        row.times = times(series);
        row.throughput = row.times.and_then(|t| self.throughput(facts, t.p50_ms));
        let none = self.plan.rows.first().and_then(|r| r.subject.as_ref().ok());
        row.against_none = none.and_then(|&none| self.speed_up(subject, none));
        row.against_before = plan.against.and_then(|other| self.speed_up(subject, other));
        row
    }

    fn speed_up(&self, subject: usize, other: usize) -> Option<SpeedUp> {
        if subject == other {
            return None;
        }
        let (mine, its) = (
            &self.series[subject].samples_ms,
            &self.series[other].samples_ms,
        );
        let ratio = median(&its.concat())? / median(&mine.concat())?;
        let interval = ratio_paired(its, mine, &self.rules.resampling).ok();
        let verdict = interval.map(|i| Verdict::of_speed_up(&i, self.rules.margin));
        Some(SpeedUp {
            other: self.names(self.plan.subjects[other]),
            ratio,
            interval,
            verdict,
        })
    }

    fn throughput(&self, facts: &Facts, p50_ms: f64) -> Option<Throughput> {
        let (flops, bytes) = (facts.flops?, facts.bytes?);
        let a_second = |count: u64| count as f64 / (p50_ms * 1e6);
        let percent = |r: Roofline| 100.0 * a_second(flops) / r.attainable_gflops(flops, bytes);
        Some(Throughput {
            gflops: a_second(flops),
            gbytes: a_second(bytes),
            roofline_percent: self.rules.roofline.map(percent).filter(|p| p.is_finite()),
        })
    }

    /// A set as a warning calls it.
    fn set(&self, subject: usize) -> String {
        match self.plan.subjects[subject] {
            PassSet::NONE => "none".to_owned(),
            set => self.names(set).join(", "),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let warning = |(subject, series): (usize, &Series)| {
            let set = self.set(subject);
            match (&series.failure, series.warm) {
                (Some(reason), _) => Some(format!("{set}: failed: {reason}")),
                (None, true) => None,
                (None, false) => Some(format!(
                    "{set}: times are not stable after {} warm-up runs; use a longer --time",
                    series.warm_up_runs
                )),
            }
        };
        self.series.iter().enumerate().filter_map(warning).collect()
    }

    fn shapley(&self, plan: &ShapleyPlan) -> Result<Shapley, String> {
        let used = plan.subjects();
        let failed = used.iter().find_map(|&s| {
            self.series[s].failure.as_ref()?;
            Some(format!("the required set {} failed", self.set(s)))
        });
        if let Some(reason) = failed {
            return Err(reason);
        }
        let samples: Vec<&[Vec<f64>]> = used
            .iter()
            .map(|&s| &self.series[s].samples_ms[..])
            .collect();
        // Time saved, so that a gain is positive. The last statistic is the gain itself.
        let statistics = |medians: &[f64]| {
            let value = |subject: usize| {
                let place = used.binary_search(&subject);
                place.map_or(0.0, |place| -medians[place])
            };
            let mut shares = plan.shares(value);
            shares.push(shares.iter().sum());
            shares
        };
        let mut intervals = medians_interval(&samples, &self.rules.resampling, statistics)
            .map_err(|e| e.to_string())?;
        let gain_ms = intervals.pop().ok_or("no passes")?;
        let share = |(pass, gain_ms): (usize, Interval)| Share {
            pass: self.name(pass),
            gain_ms,
        };
        Ok(Shapley {
            gain_ms,
            shares: intervals.into_iter().enumerate().map(share).collect(),
        })
    }
}

fn times(series: &Series) -> Option<Times> {
    let samples = series.samples_ms.concat();
    let p = Percentiles::of(&samples)?;
    Some(Times {
        p50_ms: p.p50,
        p95_ms: p.p95,
        p99_ms: p.p99,
        fps: 1e3 / p.p50,
        count: p.count,
        outliers: Outliers::of(&samples),
        warm_up_runs: series.warm_up_runs,
        warm: series.warm,
    })
}
