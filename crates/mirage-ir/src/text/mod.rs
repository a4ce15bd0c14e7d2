//! Text form.
use crate::Graph;
/// Options
#[derive(Clone, Copy, Debug)]
pub struct PrintOptions {
    /// Print module paths.
    pub paths: bool,
    /// Print names of ports and of the graph.
    pub names: bool,
}
/// Print
pub fn print_with(graph: &Graph, _o: PrintOptions) -> String {
    format!("{graph:?}")
}
