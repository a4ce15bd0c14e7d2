//! Analyses of a graph, as tables by node or value.

mod liveness;
mod prologue;
mod uses;

pub use liveness::{Liveness, live_nodes};
pub use prologue::Prologue;
pub use uses::Uses;
