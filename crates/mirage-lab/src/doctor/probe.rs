//! Times single operations on a backend.

use std::time::{Duration, Instant};

use mirage_backend::{Backend, CompileOptions};
use mirage_bench::measure::Subject;
use mirage_ir::{DType, Graph, cost::graph_cost, text};
use serde::Serialize;

use crate::sweep::{Program, ProgramError, Rotation};

/// An operation with a typical shape, as text with placeholders for dtype and size.
pub(super) struct Probe {
    /// The operation, as capabilities call it.
    pub(super) op: &'static str,
    /// What limits it.
    rate: Rate,
    /// Tried in order until one takes at least [`SHORT`]: on a fast device, starting a small operation takes
    /// longer than running it.
    sizes: &'static [usize],
    graph: &'static str,
}

/// What limits an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rate {
    /// Arithmetic.
    Flops,
    /// Memory.
    Bytes,
}

/// `DTYPE` and `N` are replaced; bytes and operations grow at least with `N`.
pub(super) const PROBES: &[Probe] = &[
    Probe {
        op: "conv",
        rate: Rate::Flops,
        sizes: &[64, 512],
        graph: r#"graph "conv" {
            input %0 "x": DTYPE[1,64,N,N]
            param %1 "w": DTYPE[64,64,3,3]
            %2: DTYPE[1,64,N,N] = conv(%0, %1) {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}
            output "y" = %2
        }"#,
    },
    Probe {
        op: "linear",
        rate: Rate::Flops,
        sizes: &[64, 512, 8192],
        graph: r#"graph "linear" {
            input %0 "x": DTYPE[1,N,1024]
            param %1 "w": DTYPE[1024,1024]
            %2: DTYPE[1,N,1024] = linear(%0, %1)
            output "y" = %2
        }"#,
    },
    Probe {
        op: "matmul",
        rate: Rate::Flops,
        sizes: &[64, 512, 8192],
        graph: r#"graph "matmul" {
            input %0 "a": DTYPE[4,N,256]
            input %1 "b": DTYPE[4,256,256]
            %2: DTYPE[4,N,256] = matmul(%0, %1)
            output "y" = %2
        }"#,
    },
    Probe {
        op: "attention",
        rate: Rate::Flops,
        sizes: &[256, 1024, 4096],
        graph: r#"graph "attention" {
            input %0 "q": DTYPE[1,4,N,64]
            input %1 "k": DTYPE[1,4,N,64]
            input %2 "v": DTYPE[1,4,N,64]
            %3: DTYPE[1,4,N,64] = attention(%0, %1, %2) {scale = 0.125}
            output "y" = %3
        }"#,
    },
    Probe {
        op: "group_norm",
        rate: Rate::Bytes,
        sizes: &[64, 512],
        graph: r#"graph "group_norm" {
            input %0 "x": DTYPE[1,64,N,N]
            param %1 "gamma": DTYPE[64]
            param %2 "beta": DTYPE[64]
            %3: DTYPE[1,64,N,N] = group_norm(%0, %1, %2) {eps = 1e-5, groups = 8}
            output "y" = %3
        }"#,
    },
    Probe {
        op: "softmax",
        rate: Rate::Bytes,
        sizes: &[128, 1024],
        graph: r#"graph "softmax" {
            input %0 "x": DTYPE[1,16,N,N]
            %1: DTYPE[1,16,N,N] = softmax(%0) {dim = 3}
            output "y" = %1
        }"#,
    },
    Probe {
        op: "silu",
        rate: Rate::Bytes,
        sizes: &[64, 512],
        graph: r#"graph "silu" {
            input %0 "x": DTYPE[1,64,N,N]
            %1: DTYPE[1,64,N,N] = silu(%0)
            output "y" = %1
        }"#,
    },
    Probe {
        op: "add",
        rate: Rate::Bytes,
        sizes: &[64, 512],
        graph: r#"graph "add" {
            input %0 "a": DTYPE[1,64,N,N]
            input %1 "b": DTYPE[1,64,N,N]
            %2: DTYPE[1,64,N,N] = add(%0, %1)
            output "y" = %2
        }"#,
    },
];

/// The rates of an operation.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Measured {
    /// The fastest of several runs, ms.
    pub ms: f64,
    /// Floating-point operations, 10⁹ per second.
    pub gflops: f64,
    /// Bytes of operands and results, 10⁹ per second.
    pub gbytes: f64,
    /// Whether it is limited by arithmetic; otherwise by memory.
    pub by_arithmetic: bool,
}

impl Measured {
    /// Formats the limiting rate: `120 GFLOP/s`, `14 GB/s`.
    pub fn words(&self) -> String {
        match self.by_arithmetic {
            true => format!("{:.0} GFLOP/s", self.gflops),
            false => format!("{:.0} GB/s", self.gbytes),
        }
    }
}

/// Below this time, the cost of starting an operation matters.
const SHORT: Duration = Duration::from_micros(500);
/// The time budget for one operation in one dtype.
const TIME: Duration = Duration::from_millis(60);

impl Probe {
    /// Measures the operation.
    ///
    /// # Errors
    /// If the backend cannot compile or run it.
    pub(super) fn measure(
        &self,
        backend: &dyn Backend,
        options: &CompileOptions,
        dtype: DType,
    ) -> Result<Measured, String> {
        let mut measured = Err(format!("{} has no size", self.op));
        for &size in self.sizes {
            let at = self.at(size, backend, options, dtype)?;
            measured = Ok(at);
            if at.ms >= SHORT.as_secs_f64() * 1e3 {
                break;
            }
        }
        measured
    }

    fn at(
        &self,
        size: usize,
        backend: &dyn Backend,
        options: &CompileOptions,
        dtype: DType,
    ) -> Result<Measured, String> {
        let graph = self.graph(size, dtype)?;
        let cost = graph_cost(&graph);
        let words = |e: ProgramError| e.to_string();
        let params = Program::params(&graph, 0).map_err(words)?;
        let one = Rotation::of(&graph, 0, 0);
        let program = Program::new(&graph, &params, one, 0, backend, options);
        let mut program = program.map_err(words)?;
        let mut best = f64::INFINITY;
        let begin = Instant::now();
        for run in 0.. {
            // The first runs are slower.
            if run > 2 && begin.elapsed() >= TIME {
                break;
            }
            best = best.min(program.run()?.as_secs_f64());
        }
        Ok(Measured {
            ms: best * 1e3,
            gflops: cost.flops as f64 / best / 1e9,
            gbytes: cost.bytes as f64 / best / 1e9,
            by_arithmetic: self.rate == Rate::Flops,
        })
    }

    fn graph(&self, size: usize, dtype: DType) -> Result<Graph, String> {
        let source = self.graph.replace("DTYPE", dtype.name());
        let source = source
            .replace("N,", &format!("{size},"))
            .replace("N]", &format!("{size}]"));
        text::parse(&source).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probe_is_a_graph_of_its_operation_in_every_dtype_and_size() {
        for probe in PROBES {
            for dtype in [DType::F32, DType::F16, DType::BF16] {
                for &size in probe.sizes {
                    let graph = probe.graph(size, dtype).unwrap();
                    let nodes = graph.nodes();
                    assert_eq!(nodes.len(), 1, "{}", probe.op);
                    assert_eq!(nodes[0].op.name(), probe.op);
                    assert!(graph_cost(&graph).bytes > 0);
                }
            }
        }
    }
}
