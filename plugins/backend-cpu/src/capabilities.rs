//! The capabilities of the CPU backend.

use mirage_ir::{
    DType, GraphFlag, Order,
    regions::ELEMENTWISE,
    target::{Capabilities, Capability, Subject, Support},
};

/// Operations that burn-flex supports for row-major tensors only: in another order the operand and the
/// result are copied.
const ROW_MAJOR_ONLY: [&str; 6] = [
    "adaptive_avg_pool",
    "avg_pool",
    "conv",
    "conv_transpose",
    "max_pool",
    "resize",
];

/// Operations with own kernels that accept channels last, over two dimensions; f16 and bf16 are widened
/// before and rounded afterwards.
const CHANNELS_LAST: [&str; 1] = ["conv"];

/// Kinds of regions with a kernel; dtypes as above.
const REGIONS: [&str; 5] = [
    "add_layer_norm",
    "conv_act",
    ELEMENTWISE,
    "group_norm_silu",
    "linear_act",
];

/// Dtypes that every operation widens to f32.
const WIDENED: [DType; 2] = [DType::F16, DType::BF16];

pub(crate) fn here() -> Capabilities {
    let native: Vec<DType> = DType::ALL
        .into_iter()
        .filter(|d| !WIDENED.contains(d))
        .collect();
    let channels_last: Vec<Order> = (3..=5).map(Order::channels_last).collect();
    let mut lines = Vec::new();
    for (dtypes, support) in [(&native[..], Support::Fast), (&WIDENED[..], Support::Slow)] {
        let line = |subject| Capability::new(subject, dtypes.iter().copied()).with_support(support);
        lines.push(line(Subject::AllOperations).in_orders(channels_last.clone()));
        lines.extend(ROW_MAJOR_ONLY.map(|op| line(Subject::operation(op))));
    }
    for (dtypes, support) in [
        (&[DType::F32][..], Support::Fast),
        (&WIDENED[..], Support::Slow),
    ] {
        let ours = |subject| {
            Capability::new(subject, dtypes.iter().copied())
                .in_orders([Order::channels_last(4)])
                .with_support(support)
        };
        lines.extend(CHANNELS_LAST.map(|op| ours(Subject::operation(op))));
        lines.extend(REGIONS.map(|kind| ours(Subject::region(kind))));
    }
    // u8 is widened and rounded like f16; casts to it end a region, casts from it begin one.
    let bytes = Capability::new(Subject::region(ELEMENTWISE), [DType::U8]);
    lines.push(bytes.in_orders([Order::channels_last(4)]));
    let planned = Subject::flag(GraphFlag::StaticPlan);
    lines.push(Capability::new(planned, DType::ALL));
    Capabilities { lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_known_and_orders_are_told() {
        let known: Vec<&str> = mirage_ir::ops::names().collect();
        assert!(
            ROW_MAJOR_ONLY
                .iter()
                .chain(&CHANNELS_LAST)
                .all(|op| known.contains(op))
        );
        let is_kind = |k: &str| k == ELEMENTWISE || mirage_ir::regions::find(k).is_some();
        assert!(REGIONS.iter().all(|k| is_kind(k)));
        let here = here();
        let order = Order::channels_last(4);
        assert!(here.takes_order("silu", DType::F32, &order));
        assert!(here.takes_order("group_norm", DType::BF16, &order));
        assert!(here.takes_order("conv", DType::F32, &order));
        assert!(!here.takes_order("conv", DType::F32, &Order::channels_last(5)));
        assert!(!here.takes_order("resize", DType::F32, &order));
        assert!(here.has_region("conv_act", DType::F32));
        assert!(here.has_region(ELEMENTWISE, DType::U8) && !here.has_region("conv_act", DType::U8));
        assert!(here.has_region("conv_act", DType::F16));
        assert!(here.takes_order("conv", DType::F16, &order));
        assert_eq!(here.support("conv", DType::F16), Some(Support::Slow));
        for op in known {
            assert_eq!(here.support(op, DType::F64), Some(Support::Fast));
            assert_eq!(here.support(op, DType::F16), Some(Support::Slow));
        }
    }
}
