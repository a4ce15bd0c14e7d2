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
    /// An operation's name, or `*` for every operation; `region:KIND`; `attr:NAME` for an attribute of a
    /// graph that it heeds, such as `attr:static_plan`; `wide:OP` for an operation that is computed in f32
    /// inside, from operands of these dtypes to a result that is rounded once.
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

    /// Whether the backend heeds this attribute of a graph, for values of this dtype.
    pub fn heeds(&self, attr: &str, dtype: DType) -> bool {
        self.find(&format!("attr:{attr}"), dtype).is_some()
    }

    /// Whether the operation takes and gives this dtype and computes in f32 inside.
    pub fn widens(&self, op: &str, dtype: DType) -> bool {
        self.find(&format!("wide:{op}"), dtype).is_some()
    }

    /// The number that the operation's kernels in this dtype want channel counts to be a multiple of;
    /// 1 for no preference, also where the operation is not known or the line states 0.
    ///
    /// ```
    /// use mirage_ir::{DType, target::{Capabilities, Capability, Support}};
    ///
    /// let line = |op: &str, dtype, channel_multiple| Capability {
    ///     op: op.to_owned(),
    ///     dtypes: vec![dtype],
    ///     orders: vec![],
    ///     channel_multiple,
    ///     support: Support::Fast,
    /// };
    /// let capabilities = Capabilities {
    ///     lines: vec![line("*", DType::F16, 8), line("conv", DType::F16, 16)],
    /// };
    /// assert_eq!(capabilities.channel_multiple("conv", DType::F16), 16);
    /// assert_eq!(capabilities.channel_multiple("linear", DType::F16), 8);
    /// assert_eq!(capabilities.channel_multiple("conv", DType::F32), 1);
    /// ```
    pub fn channel_multiple(&self, op: &str, dtype: DType) -> usize {
        self.find(op, dtype)
            .map_or(1, |c| c.channel_multiple.max(1))
    }

    fn find(&self, op: &str, dtype: DType) -> Option<&Capability> {
        let matches = |c: &&Capability| {
            let is_operation = !op.contains(':');
            (c.op == op || (c.op == "*" && is_operation)) && c.dtypes.contains(&dtype)
        };
        self.lines.iter().rev().find(matches)
    }
}

impl Capability {
    /// That a backend heeds an attribute of a graph, for values of these dtypes.
    pub fn heeds(attr: &str, dtypes: &[DType]) -> Self {
        Capability {
            op: format!("attr:{attr}"),
            dtypes: dtypes.to_vec(),
            orders: Vec::new(),
            channel_multiple: 1,
            support: Support::Fast,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(op: &str, dtypes: &[DType], channel_multiple: usize) -> Capability {
        Capability {
            op: op.to_owned(),
            dtypes: dtypes.to_vec(),
            orders: Vec::new(),
            channel_multiple,
            support: Support::Fast,
        }
    }

    #[test]
    fn a_channel_multiple_goes_by_operation_and_dtype() {
        let lines = vec![
            line("*", &[DType::F32, DType::F16], 4),
            line("linear", &[DType::F16], 16),
            line("conv", &[DType::F16, DType::BF16], 8),
            line("conv", &[DType::F32], 0),
            line("region:conv_act", &[DType::F16], 32),
        ];
        let capabilities = Capabilities { lines };
        for (op, dtype, multiple) in [
            ("linear", DType::F16, 16),
            ("linear", DType::F32, 4),
            ("conv", DType::F16, 8),
            ("conv", DType::BF16, 8),
            ("conv", DType::F32, 1),
            ("linear", DType::BF16, 1),
            ("region:conv_act", DType::F16, 32),
            // `*` is every operation, and no region.
            ("region:linear_act", DType::F16, 1),
        ] {
            let is = capabilities.channel_multiple(op, dtype);
            assert_eq!(is, multiple, "{op} in {dtype}");
        }
        assert_eq!(
            Capabilities::default().channel_multiple("conv", DType::F32),
            1
        );
    }

    #[test]
    fn of_lines_for_one_operation_the_last_counts() {
        let conv = |multiple| line("conv", &[DType::F32], multiple);
        let lines = vec![conv(8), conv(16), line("*", &[DType::F32], 2)];
        let capabilities = Capabilities { lines };
        assert_eq!(capabilities.channel_multiple("conv", DType::F32), 2);
    }

    #[test]
    fn an_attribute_is_heeded_by_a_line_of_its_own_alone() {
        let capabilities = Capabilities {
            lines: vec![
                line("*", &[DType::F32], 1),
                Capability::heeds("static_plan", &[DType::F32]),
            ],
        };
        assert!(capabilities.heeds("static_plan", DType::F32));
        assert!(!capabilities.heeds("static_plan", DType::F16));
        assert!(!capabilities.heeds("tf32_products", DType::F32));
    }
}
