//! The backend under test.

use mirage_backend::{BackendError, Executable};
use mirage_backend_cpu::CpuBackend;
use mirage_ir::{
    Graph, Op, Params,
    interp::{Difference, Tensor},
};
use mirage_testkit::{Expectations, Suite};
pub(crate) use mirage_testkit::{between, encoder as network, execute, noise, noisy, planned, ty};

fn suite() -> Suite<'static> {
    Suite::new(&CpuBackend, Expectations::default()).unwrap()
}

/// The graph compiled on the backend.
pub(crate) fn compile(graph: &Graph, params: &Params) -> Result<Box<dyn Executable>, BackendError> {
    mirage_testkit::compile(&CpuBackend, graph, params)
}

/// The largest difference of any result between the backend, without and with a static plan, and the
/// interpreter.
pub(crate) fn difference(
    graph: &Graph,
    params: &Params,
    inputs: &[Tensor],
    states: &[Tensor],
) -> Difference {
    suite().difference(graph, params, inputs, states)
}

/// One node on inputs of these types must agree with its definition within `bound` of the largest
/// element.
pub(crate) fn check(op: impl Into<Op>, inputs: &[&str], bound: f64) {
    suite().check(op, inputs, bound);
}

/// The bound for layers in this dtype.
pub(crate) fn bound(dtype: &str) -> f64 {
    suite().bound(dtype.parse().unwrap())
}
