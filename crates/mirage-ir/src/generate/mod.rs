//! Random graphs for property tests of the interpreter, passes and backends.
//!
//! A generated graph is valid, uses nearly every operation, is small (ranks 2 to 5, mostly lengths 1 to 8)
//! and comes with parameters, inputs and states, on which all its values are finite: every value has a
//! known bound on its magnitude, and functions with poles get operands away from them.
//!
//! ```
//! use mirage_ir::{generate, interp};
//!
//! let g = generate::generate(7, &generate::Options::default())?;
//! let run = interp::run(&g.graph, &g.params, &g.inputs, &g.states)?;
//! assert_eq!(run.outputs.len(), g.graph.outputs().len());
//! # Ok::<(), mirage_ir::GraphError>(())
//! ```

mod call;
mod contraction;
mod elementwise;
mod generator;
mod lookup;
mod normalization;
mod rng;
mod rounding;
mod scalar;
mod shape;
mod spatial;

use generator::Generator;

use crate::{DType, Graph, GraphError, Params, interp::Tensor};

/// Options of the generator.
#[derive(Clone, Debug)]
pub struct Options {
    /// The maximum number of nodes, plus a few that keep values small.
    pub max_nodes: usize,
    /// The float dtypes of inputs, parameters and casts; at least one. With f32 and f16 or bf16, some regions
    /// cast f32 values to half precision and back.
    pub dtypes: Vec<DType>,
    /// The names of the operations to use; `None` for all.
    pub ops: Option<Vec<String>>,
    /// The largest magnitude of floats among inputs and parameters.
    pub range: f64,
    /// Whether to leave out discontinuous operations (`floor`, comparisons of floats, …), so that small
    /// rounding differences have small effects.
    pub continuous: bool,
    /// Whether to generate calls of bodies. Off by default, because consumers handle them separately.
    pub calls: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            max_nodes: 24,
            dtypes: vec![DType::F32],
            ops: None,
            range: 1.0,
            continuous: false,
            calls: false,
        }
    }
}

/// A graph and the values to run it with.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The graph, verified.
    pub graph: Graph,
    /// Its parameters.
    pub params: Params,
    /// One tensor for each input, of values of the input's dtype. Among the integers are indices
    /// that are in range.
    pub inputs: Vec<Tensor>,
    /// One tensor for each state, of values of the state's dtype.
    pub states: Vec<Tensor>,
}

/// Returns the graph of this seed; the same for the same seed and options.
///
/// # Errors
/// If `options` has no float dtype.
pub fn generate(seed: u64, options: &Options) -> Result<Generated, GraphError> {
    if options.dtypes.is_empty() || !options.dtypes.iter().all(|d| d.is_float()) {
        let message = format!(
            "dtypes must be float dtypes, at least one, got {:?}",
            options.dtypes
        );
        return Err(GraphError::Graph {
            graph: "generated".into(),
            message,
        });
    }
    let mut generator = Generator::new(seed, options);
    generator.start()?;
    generator.grow()?;
    generator.finish()
}
