//! What is measured of the graph, the planner and the passes: by the clock in `benches/micro`, and by
//! instructions, which CI compares with a baseline, in `src/bin/instructions`.

mod cases;
mod network;

pub use cases::{Case, Done, Prepared, cases};
pub use network::network;
