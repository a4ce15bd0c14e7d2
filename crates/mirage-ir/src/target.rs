//! What a backend can do, as data: passes read it, reports print it, plans remember it.

use serde::{Deserialize, Serialize};

use crate::{DType, Order};

/// How well a backend runs something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// Right, but without hardware or kernels of its own: emulated, converted, or unfused.
    Slow,
    /// With a path of its own.
    Fast,
}

/// One line of a backend's abilities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// An operation's name, `region:KIND`, or `*` for every operation.
    pub op: String,
    /// The dtypes it holds for.
    pub dtypes: Vec<DType>,
    /// Memory orders beside row-major in which it takes its operands as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<Order>,
    /// The number that channel counts should be a multiple of; 1 for no preference.
    #[serde(default = "one")]
    pub channel_multiple: usize,
    /// How well.
    pub support: Support,
}

fn one() -> usize {
    1
}

/// What a backend can do on one device. Later lines outrank earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The lines.
    pub lines: Vec<Capability>,
}

impl Capabilities {
    /// How well the operation (or `region:KIND`) runs in this dtype; `None` if not at all.
    pub fn support(&self, op: &str, dtype: DType) -> Option<Support> {
        self.find(op, dtype).map(|c| c.support)
    }

    /// Whether the operation takes operands in this order as they are, in this dtype.
    pub fn takes_order(&self, op: &str, dtype: DType, order: &Order) -> bool {
        order.is_row_major()
            || self
                .find(op, dtype)
                .is_some_and(|c| c.orders.contains(order))
    }

    /// Whether there is a kernel for this kind of region in this dtype.
    pub fn has_region(&self, kind: &str, dtype: DType) -> bool {
        let name = format!("region:{kind}");
        self.lines
            .iter()
            .any(|c| c.op == name && c.dtypes.contains(&dtype))
    }

    fn find(&self, op: &str, dtype: DType) -> Option<&Capability> {
        let matches = |c: &&Capability| {
            (c.op == op || (c.op == "*" && !op.starts_with("region:"))) && c.dtypes.contains(&dtype)
        };
        self.lines.iter().rev().find(matches)
    }
}
