//! Runs passes on a captured program and compiles it.

use std::time::{Duration, Instant};

use mirage_backend::{Backend, BackendError, CompileOptions, Executable};
use mirage_capture::Captured;
use mirage_ir::Graph;
use mirage_pass::{Manager, PipelineReport, Plan};

use crate::{StreamError, memory};

/// A compiled program, with the report of its passes.
pub struct Prepared {
    /// The graph that was compiled.
    pub graph: Graph,
    /// The compiled program.
    pub executable: Box<dyn Executable>,
    /// The report of every pass.
    pub pipeline: PipelineReport,
    /// Compile time of the backend, including the prologue.
    pub compile_time: Duration,
}

/// Runs a plan's passes on a captured program, under a manager (with its instruments), and compiles
/// the result.
///
/// # Errors
/// If a pass fails or produces an invalid graph, or if the backend cannot compile.
pub fn prepare(
    captured: &Captured,
    plan: &Plan,
    manager: &mut Manager<'_>,
    backend: &dyn Backend,
    options: &CompileOptions,
) -> Result<Prepared, StreamError> {
    let capabilities = backend.capabilities(options.device);
    let (graph, pipeline) = manager.run(plan, &captured.graph, &capabilities)?;
    let start = Instant::now();
    let compiled = backend.compile(&graph, &captured.params, options);
    let executable = compiled.map_err(|error| match error {
        BackendError::Memory { available, .. } => StreamError::Memory {
            advice: memory::advice(&captured.graph, plan, backend, options.device, available),
            error: Box::new(error),
        },
        other => other.into(),
    })?;
    let compile_time = start.elapsed();
    tracing::info!(
        graph = graph.name(),
        passes = pipeline.passes.len(),
        ?compile_time,
        "prepared"
    );
    Ok(Prepared {
        graph,
        executable,
        pipeline,
        compile_time,
    })
}
