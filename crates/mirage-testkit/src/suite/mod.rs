//! The tests by topic.

pub mod executable;
pub mod layers;
pub mod plans;
pub mod random;
pub mod regions;

use mirage_backend::Backend;
use mirage_ir::{
    DType, Graph, Op, Params,
    interp::{self, Difference, Tensor},
};

use crate::{between, compile, execute, graphs, noisy, planned};

/// The error bounds of a backend, relative to a result's largest element, by the dtype of the
/// computation, and the number of random graphs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expectations {
    /// For graphs in f64.
    pub f64: f64,
    /// For single layers in f32.
    pub f32: f64,
    /// For random graphs in f32.
    pub f32_graphs: f64,
    /// For graphs in f16.
    pub f16: f64,
    /// For graphs in bf16.
    pub bf16: f64,
    /// Number of random graphs of each kind.
    pub graphs: u64,
    /// Whether an index out of range is an error of the execution.
    pub checks_indices: bool,
}

impl Default for Expectations {
    fn default() -> Self {
        Expectations {
            f64: 1e-12,
            f32: 2e-5,
            f32_graphs: 1e-5,
            f16: 5e-3,
            bf16: 4e-2,
            graphs: 300,
            checks_indices: true,
        }
    }
}

/// A backend under test.
pub struct Suite<'a> {
    backend: &'a dyn Backend,
    expectations: Expectations,
}

impl<'a> Suite<'a> {
    /// Returns `None` if the backend has no device on this machine.
    pub fn new(backend: &'a dyn Backend, expectations: Expectations) -> Option<Self> {
        let devices = backend.devices().unwrap();
        (!devices.is_empty()).then_some(Suite {
            backend,
            expectations,
        })
    }

    /// Returns the backend.
    pub fn backend(&self) -> &dyn Backend {
        self.backend
    }

    /// Whether the backend's capabilities list this dtype for arithmetic.
    pub fn takes(&self, dtype: DType) -> bool {
        let capabilities = self.backend.capabilities(0);
        capabilities.support("add", dtype).is_some()
    }

    /// Returns the bound for a layer in this dtype.
    pub fn bound(&self, dtype: DType) -> f64 {
        match dtype {
            DType::F16 => self.expectations.f16,
            DType::BF16 => self.expectations.bf16,
            DType::F64 => self.expectations.f64,
            _ => self.expectations.f32,
        }
    }

    /// Returns the dtypes in which layers are tested, and their names.
    fn floats(&self) -> impl Iterator<Item = (DType, &'static str)> {
        [DType::F32, DType::F64, DType::F16, DType::BF16]
            .into_iter()
            .filter(|&dtype| self.takes(dtype))
            .map(|dtype| (dtype, dtype.name()))
    }

    /// Returns the largest difference of any result between the backend, with and without a static plan, and the
    /// interpreter.
    pub fn difference(
        &self,
        graph: &Graph,
        params: &Params,
        inputs: &[Tensor],
        states: &[Tensor],
    ) -> Difference {
        let want = interp::run(graph, params, inputs, states).unwrap();
        let of = |graph: &Graph| {
            let got = compile(self.backend, graph, params)
                .and_then(|mut executable| execute(executable.as_mut(), inputs, states))
                .unwrap_or_else(|e| panic!("{e}\n{graph}"));
            between(&got, &want)
        };
        of(graph).max(of(&planned(graph)))
    }

    /// Names the result that differs most, for messages of failures.
    pub fn worst_result(
        &self,
        graph: &Graph,
        params: &Params,
        inputs: &[Tensor],
        states: &[Tensor],
    ) -> String {
        let want = interp::run(graph, params, inputs, states).unwrap();
        let names: Vec<String> = graph
            .outputs()
            .iter()
            .map(|p| format!("output {}", p.name))
            .collect();
        let of = |graph: &Graph, how: &str| {
            let mut executable = compile(self.backend, graph, params).unwrap();
            let got = execute(executable.as_mut(), inputs, states).unwrap();
            let pairs = got
                .outputs
                .iter()
                .zip(&want.outputs)
                .chain(got.states.iter().zip(&want.states));
            let differences = pairs.enumerate().map(|(i, (got, want))| {
                let name = names.get(i).cloned();
                let name = name.unwrap_or_else(|| format!("state {}", i - names.len()));
                (name, Difference::between(got, want).unwrap())
            });
            let worst = differences.max_by(|a, b| a.1.max_rel.total_cmp(&b.1.max_rel));
            worst.map_or_else(String::new, |(name, d)| format!("{how}: {name}, {d:?}"))
        };
        [of(graph, "without a plan"), of(&planned(graph), "planned")].join("; ")
    }

    /// Checks that the graph on noise agrees with its definition within `bound`, which results of zeros do not.
    pub fn agrees(&self, graph: &Graph, bound: f64) {
        let (params, inputs) = noisy(graph);
        let d = self.difference(graph, &params, &inputs, &[]);
        assert!(d.max_rel <= bound, "{d:?}\n{graph}");
    }

    /// Checks that one node on inputs of these types agrees with its definition, if the backend supports their dtype.
    pub fn check(&self, op: impl Into<Op>, inputs: &[&str], bound: f64) {
        let dtype = graphs::ty(inputs[0]).dtype;
        if dtype.is_float() && !self.takes(dtype) {
            return;
        }
        self.agrees(&graphs::one(op, inputs), bound);
    }
}

/// Prints that a test was skipped.
#[allow(
    clippy::print_stderr,
    reason = "a test prints for who reads its output"
)]
pub fn skipped(test: &str) {
    eprintln!("{test}: skipped, the backend has no device on this machine");
}
