//! What the processor does well, as data.

use mirage_ir::{
    DType, Order,
    target::{Capabilities, Capability, Support},
};

/// Operations that burn-flex has for row-major tensors alone: in another order the operand is
/// copied before and the result after.
const ROW_MAJOR_ONLY: [&str; 6] = [
    "adaptive_avg_pool",
    "avg_pool",
    "conv",
    "conv_transpose",
    "max_pool",
    "resize",
];

/// Dtypes that burn-flex widens to f32 in every operation.
const WIDENED: [DType; 2] = [DType::F16, DType::BF16];

pub(crate) fn here() -> Capabilities {
    let native: Vec<DType> = DType::ALL
        .into_iter()
        .filter(|d| !WIDENED.contains(d))
        .collect();
    let channels_last: Vec<Order> = (3..=5).map(Order::channels_last).collect();
    let mut lines = Vec::new();
    for (dtypes, support) in [(&native[..], Support::Fast), (&WIDENED[..], Support::Slow)] {
        let line = |op: &str, orders: &[Order]| Capability {
            op: op.to_owned(),
            dtypes: dtypes.to_vec(),
            orders: orders.to_vec(),
            channel_multiple: 1,
            support,
        };
        lines.push(line("*", &channels_last));
        lines.extend(ROW_MAJOR_ONLY.iter().map(|op| line(op, &[])));
    }
    Capabilities { lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_known_and_orders_are_told() {
        let known: Vec<&str> = mirage_ir::ops::names().collect();
        assert!(ROW_MAJOR_ONLY.iter().all(|op| known.contains(op)));
        let here = here();
        let order = Order::channels_last(4);
        assert!(here.takes_order("silu", DType::F32, &order));
        assert!(here.takes_order("group_norm", DType::BF16, &order));
        assert!(!here.takes_order("conv", DType::F32, &order));
        assert!(!here.takes_order("conv", DType::F16, &order));
        for op in known {
            assert_eq!(here.support(op, DType::F64), Some(Support::Fast));
            assert_eq!(here.support(op, DType::F16), Some(Support::Slow));
        }
    }
}
