//! Capabilities of backends, as data: read by passes, printed in reports, part of a plan's fingerprint.

mod subject;

use serde::{Deserialize, Serialize};

use crate::{DType, GraphFlag, Order};

pub use subject::{Subject, SubjectError};

/// How well a backend runs something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// Correct, but without dedicated hardware or kernels: emulated, converted, or unfused.
    Slow,
    /// With dedicated hardware or kernels.
    Fast,
}

/// One line of a backend's capabilities.
///
/// ```
/// use mirage_ir::{DType, Order, target::{Capability, Subject, Support}};
///
/// let line = Capability::new(Subject::operation("conv"), [DType::F16])
///     .in_orders([Order::channels_last(4)])
///     .in_multiples_of(8);
/// assert_eq!(line.support, Support::Fast);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// The operation, region kind or attribute; in messages the field is named `op`.
    #[serde(rename = "op")]
    pub subject: Subject,
    /// The dtypes that the line applies to.
    pub dtypes: Vec<DType>,
    /// Memory orders beside row-major that it accepts without a copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<Order>,
    /// The preferred multiple of channel counts; 1 for no preference.
    #[serde(default = "one")]
    pub channel_multiple: usize,
    /// How well it is supported.
    pub support: Support,
}

fn one() -> usize {
    1
}

impl Capability {
    /// Returns fast support in these dtypes, row-major, for any number of channels.
    pub fn new(subject: Subject, dtypes: impl IntoIterator<Item = DType>) -> Self {
        Capability {
            subject,
            dtypes: dtypes.into_iter().collect(),
            orders: Vec::new(),
            channel_multiple: 1,
            support: Support::Fast,
        }
    }

    /// Adds memory orders that are accepted without a copy.
    #[must_use]
    pub fn in_orders(self, orders: impl IntoIterator<Item = Order>) -> Self {
        Capability {
            orders: orders.into_iter().collect(),
            ..self
        }
    }

    /// Sets the preferred multiple of channel counts.
    #[must_use]
    pub fn in_multiples_of(self, channel_multiple: usize) -> Self {
        Capability {
            channel_multiple,
            ..self
        }
    }

    /// Sets how well it is supported.
    #[must_use]
    pub fn with_support(self, support: Support) -> Self {
        Capability { support, ..self }
    }
}

/// The capabilities of a backend on one device. Later lines override earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The lines.
    pub lines: Vec<Capability>,
}

impl Capabilities {
    /// Returns the line for a subject in a dtype: the last one that covers both.
    pub fn find(&self, subject: &Subject, dtype: DType) -> Option<&Capability> {
        self.last(dtype, |line| line.covers(subject))
    }

    /// Returns how well the operation is supported in this dtype; `None` if not at all.
    pub fn support(&self, op: &str, dtype: DType) -> Option<Support> {
        self.operation(op, dtype).map(|c| c.support)
    }

    /// Whether the operation accepts operands in this order and dtype without a copy.
    pub fn takes_order(&self, op: &str, dtype: DType, order: &Order) -> bool {
        order.is_row_major()
            || self
                .operation(op, dtype)
                .is_some_and(|c| c.orders.contains(order))
    }

    /// Whether there is a kernel for this kind of region in this dtype.
    pub fn has_region(&self, kind: &str, dtype: DType) -> bool {
        let is_it = |subject: &Subject| matches!(subject, Subject::Region(k) if k == kind);
        self.last(dtype, is_it).is_some()
    }

    /// Whether the backend supports this flag of a graph for values of this dtype.
    pub fn heeds(&self, flag: GraphFlag, dtype: DType) -> bool {
        self.find(&Subject::flag(flag), dtype).is_some()
    }

    /// Whether the operation has operands and results of this dtype and computes in f32 internally.
    pub fn is_f32_inside(&self, op: &str, dtype: DType) -> bool {
        let is_it = |subject: &Subject| matches!(subject, Subject::F32Inside(o) if o == op);
        self.last(dtype, is_it).is_some()
    }

    /// Returns the preferred multiple of channel counts for the operation in this dtype; 1 for no preference,
    /// for an unknown operation, and if the line states 0.
    ///
    /// ```
    /// use mirage_ir::{DType, target::{Capabilities, Capability, Subject}};
    ///
    /// let line = |subject, multiple| Capability::new(subject, [DType::F16]).in_multiples_of(multiple);
    /// let capabilities = Capabilities {
    ///     lines: vec![line(Subject::AllOperations, 8), line(Subject::operation("conv"), 16)],
    /// };
    /// assert_eq!(capabilities.channel_multiple("conv", DType::F16), 16);
    /// assert_eq!(capabilities.channel_multiple("linear", DType::F16), 8);
    /// assert_eq!(capabilities.channel_multiple("conv", DType::F32), 1);
    /// ```
    pub fn channel_multiple(&self, op: &str, dtype: DType) -> usize {
        self.operation(op, dtype)
            .map_or(1, |c| c.channel_multiple.max(1))
    }

    fn operation(&self, op: &str, dtype: DType) -> Option<&Capability> {
        self.last(dtype, |subject| match subject {
            Subject::AllOperations => true,
            Subject::Operation(name) => name == op,
            _ => false,
        })
    }

    /// Returns the last line in a dtype whose subject satisfies `is_it`.
    fn last(&self, dtype: DType, is_it: impl Fn(&Subject) -> bool) -> Option<&Capability> {
        let matches = |c: &&Capability| c.dtypes.contains(&dtype) && is_it(&c.subject);
        self.lines.iter().rev().find(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, dtypes: &[DType], channel_multiple: usize) -> Capability {
        let subject = text.parse().expect("a subject");
        Capability::new(subject, dtypes.iter().copied()).in_multiples_of(channel_multiple)
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
        ] {
            let is = capabilities.channel_multiple(op, dtype);
            assert_eq!(is, multiple, "{op} in {dtype}");
        }
        assert_eq!(
            Capabilities::default().channel_multiple("conv", DType::F32),
            1
        );
        let region = |kind| capabilities.find(&Subject::region(kind), DType::F16);
        assert_eq!(region("conv_act").map(|c| c.channel_multiple), Some(32));
        // `*` is every operation, and no region.
        assert_eq!(region("linear_act"), None);
    }

    #[test]
    fn of_lines_for_one_operation_the_last_counts() {
        let conv = |multiple| line("conv", &[DType::F32], multiple);
        let lines = vec![conv(8), conv(16), line("*", &[DType::F32], 2)];
        let capabilities = Capabilities { lines };
        assert_eq!(capabilities.channel_multiple("conv", DType::F32), 2);
    }

    #[test]
    fn a_flag_is_heeded_by_a_line_of_its_own_alone() {
        let capabilities = Capabilities {
            lines: vec![
                line("*", &[DType::F32], 1),
                Capability::new(Subject::flag(GraphFlag::StaticPlan), [DType::F32]),
            ],
        };
        assert!(capabilities.heeds(GraphFlag::StaticPlan, DType::F32));
        assert!(!capabilities.heeds(GraphFlag::StaticPlan, DType::F16));
        assert!(!capabilities.heeds(GraphFlag::Tf32Products, DType::F32));
    }

    #[test]
    fn wide_inside_is_said_of_each_operation() {
        let capabilities = Capabilities {
            lines: vec![
                line("*", &[DType::F16], 1),
                line("wide:layer_norm", &[DType::F16], 1),
            ],
        };
        assert!(capabilities.is_f32_inside("layer_norm", DType::F16));
        assert!(!capabilities.is_f32_inside("group_norm", DType::F16));
        assert!(!capabilities.is_f32_inside("layer_norm", DType::BF16));
    }
}
