//! A node of a profile.

use crate::ledger::Roofline;

/// One node of the program that ran.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Its number in the graph that was compiled.
    pub node: usize,
    /// Its operation; of a region `region:` and the kind.
    pub op: String,
    /// The module path that it came from; may be empty.
    pub path: String,
    /// The dtype and shape of its first result.
    pub result: String,
    /// Its time, ms.
    pub ms: f64,
    /// Floating-point operations; a multiply-add counts two.
    pub flops: u64,
    /// Bytes of operands and results, each once; 0 for a view.
    pub bytes: u64,
    /// The least time that the roofline allows, ms: of operations or of bytes, whichever is longer;
    /// null without a roofline.
    pub least_ms: Option<f64>,
    /// Bytes of activations alive while it runs.
    pub memory_bytes: u64,
}

impl Node {
    /// Sets [`Self::least_ms`] by the limits of the machine.
    pub fn limit(&mut self, roofline: &Roofline) {
        let (gflop, gbyte) = (self.flops as f64 / 1e9, self.bytes as f64 / 1e9);
        let seconds = (gflop / roofline.gflops).max(gbyte / roofline.gbytes);
        self.least_ms = Some(1e3 * seconds);
    }

    /// Its number, operation and layer, for people.
    pub fn label(&self) -> String {
        let Node { node, op, path, .. } = self;
        match path.is_empty() {
            true => format!("%{node} {op}"),
            false => format!("%{node} {op} {path}"),
        }
    }
}
