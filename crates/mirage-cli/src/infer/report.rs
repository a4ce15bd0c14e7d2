//! The report of a forward pass.

use std::time::Duration;

use mirage_bench::stats::quantile;
use mirage_ir::{
    DType, TensorData,
    interp::{Elements, Tensor},
};
use mirage_lab::infer::{Forward, HeldMemory};
use mirage_stream::MemoryReportBytes;
use serde::Serialize;

use crate::{
    error::{Ending, Result},
    output::Stream,
    table::{Align, Rows, bold, text},
    units,
};

/// The result of a forward pass, in JSON.
#[derive(Serialize)]
pub(super) struct InferJson {
    model: String,
    trained: bool,
    engine: String,
    compile_ms: f64,
    forward_ms: f64,
    /// Times of the repeated runs on the same inputs.
    again_ms: Vec<f64>,
    memory: Option<HeldMemory>,
    outputs: Vec<OutputJson>,
    notes: Vec<String>,
    output: String,
}

#[derive(Serialize)]
struct OutputJson {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    min: f64,
    max: f64,
}

/// Returns a line of text.
fn memory(held: &HeldMemory) -> String {
    let MemoryReportBytes {
        weights,
        planned_peak,
        ..
    } = held.executable;
    let process = held.resident.map_or(String::new(), |r| {
        let (now, peak) = (units::bytes(r.now), units::bytes(r.peak));
        format!("; the process uses {now}, {peak} at its peak")
    });
    format!(
        "memory: {} of weights, {} of activations at the peak{process}\n",
        units::bytes(weights),
        units::bytes(planned_peak)
    )
}

impl InferJson {
    /// Creates the report of a model whose outputs were written to `file`; `again` has the times of the
    /// repeated runs.
    pub(super) fn new(
        model: &str,
        trained: bool,
        forward: &Forward,
        again: &[Duration],
        file: String,
    ) -> Result<Self> {
        let outputs = forward
            .outputs
            .iter()
            .map(|(name, data)| describe(name, data));
        Ok(Self {
            model: model.to_owned(),
            trained,
            engine: forward.engine.clone(),
            compile_ms: forward.compile.as_secs_f64() * 1e3,
            forward_ms: forward.time.as_secs_f64() * 1e3,
            again_ms: again.iter().map(|t| t.as_secs_f64() * 1e3).collect(),
            memory: forward.memory,
            outputs: outputs.collect::<Result<_>>()?,
            notes: forward.notes.clone(),
            output: file,
        })
    }

    /// Returns the report as text; `forward` is the result that it was created from.
    pub(super) fn text(&self, forward: &Forward) -> String {
        let untrained = if self.trained {
            ""
        } else {
            ", untrained weights"
        };
        let notes: String = self.notes.iter().map(|n| format!("note: {n}\n")).collect();
        format!(
            "{}\n{}{untrained} on {}: first run {}, compiled in {}; outputs written to {}\n{}{}{notes}",
            self.table(),
            self.model,
            self.engine,
            units::duration(forward.time),
            units::duration(forward.compile),
            self.output,
            again(&self.again_ms),
            self.memory.map_or(String::new(), |m| memory(&m)),
        )
    }

    fn table(&self) -> Rows {
        let columns = [
            ("output", Align::Left),
            ("type", Align::Left),
            ("min", Align::Right),
            ("max", Align::Right),
        ];
        let mut rows = Rows::new(Stream::Stdout, &columns);
        for o in &self.outputs {
            let ty = format!("{}{:?}", o.dtype, o.shape);
            rows.row([
                bold(&o.name),
                text(ty),
                text(format!("{:.4}", o.min)),
                text(format!("{:.4}", o.max)),
            ]);
        }
        rows
    }
}

/// Returns a line about the repeated runs, if there were any.
fn again(times: &[f64]) -> String {
    if times.is_empty() {
        return String::new();
    }
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |q| units::milliseconds(quantile(&sorted, q));
    let count = units::plural(sorted.len() as u64, "more run");
    format!(
        "{count}: median {}, min {}, max {}\n",
        at(0.5),
        at(0.0),
        at(1.0)
    )
}

fn describe(name: &str, data: &TensorData) -> Result<OutputJson> {
    let tensor = Tensor::from_data(data).failure()?;
    let values: Vec<f64> = match tensor.elements() {
        Elements::Float(v) => v.clone(),
        Elements::Int(v) => v.iter().map(|&x| x as f64).collect(),
        Elements::Bool(v) => v.iter().map(|&x| f64::from(u8::from(x))).collect(),
    };
    Ok(OutputJson {
        name: name.to_owned(),
        dtype: data.dtype,
        shape: data.shape.clone(),
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}
