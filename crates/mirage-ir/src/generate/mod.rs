//! Random graphs, for property tests: of the interpreter, of passes, of backends.
//!
//! A generated graph is well typed, uses nearly every operation, is small (ranks 2 to 5, mostly
//! lengths 1 to 8), comes with its parameters, inputs and states, and stays finite on them: every
//! value has a known bound on its magnitude, and functions with poles get operands that stay away
//! from them.
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

/// What graphs to generate.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most nodes; now and then a few more, which keep values small.
    pub max_nodes: usize,
    /// The float dtypes of inputs and parameters, and what casts go to; at least one. With f32 and a half
    /// among them there are regions in which f32 values pass through halves and back.
    pub dtypes: Vec<DType>,
    /// The names of the operations to use, or all of them.
    pub ops: Option<Vec<String>>,
    /// The largest magnitude of floats among inputs and parameters.
    pub range: f64,
    /// Whether to leave out operations that jump (`floor`, comparisons of floats, …), so that
    /// another arithmetic gives nearly the same result.
    pub continuous: bool,
    /// Whether to use calls: graphs of their own that are called a few times. What consumes graphs
    /// handles them in ways of its own, so they are not among the operations by default.
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

/// A graph and what it runs on.
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

/// The graph of this seed; the same for the same seed and options. An error means that `options`
/// names no float dtype, or a bug in here.
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
