//! The capabilities of libtorch on a processor.

use mirage_ir::{
    DType, GraphFlag, Order,
    target::{Capabilities, Capability, Subject, Support},
};

use crate::kernels::REGIONS;

/// Element types that the engine supports; other integers are stored in 64 bits.
const FLOATS: [DType; 4] = [DType::F64, DType::F32, DType::F16, DType::BF16];

/// Operations that libtorch (by oneDNN) computes in half precision at least as fast as in f32, if the
/// processor supports it.
const HALF_BY_ONEDNN: [Subject; 5] = [
    Subject::operation("attention"),
    Subject::operation("conv"),
    Subject::operation("linear"),
    Subject::region("conv_act"),
    Subject::region("linear_act"),
];

const HALVES: [DType; 2] = [DType::F16, DType::BF16];

pub(crate) fn here() -> Capabilities {
    let channels_last: Vec<Order> = (3..=5).map(Order::channels_last).collect();
    let line = |subject, dtypes: &[DType], support| {
        Capability::new(subject, dtypes.iter().copied())
            .in_orders(channels_last.clone())
            .with_support(support)
    };
    let is_half = |d: &DType| HALVES.contains(d);
    let whole: Vec<DType> = DType::ALL.into_iter().filter(|d| !is_half(d)).collect();
    let floats: Vec<DType> = FLOATS.into_iter().filter(|d| !is_half(d)).collect();
    let mut lines = vec![
        line(Subject::AllOperations, &whole, Support::Fast),
        line(Subject::AllOperations, &HALVES, Support::Slow),
    ];
    lines.extend(REGIONS.map(|kind| line(Subject::region(kind), &floats, Support::Fast)));
    lines.extend(REGIONS.map(|kind| line(Subject::region(kind), &HALVES, Support::Slow)));
    if has_bf16() {
        lines.extend(HALF_BY_ONEDNN.map(|of| line(of, &[DType::BF16], Support::Fast)));
    }
    let planned = Subject::flag(GraphFlag::StaticPlan);
    lines.push(Capability::new(planned, DType::ALL));
    Capabilities { lines }
}

/// Whether the processor supports multiplication of bf16.
fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_names_an_operation_or_a_kind_that_there_is() {
        let known: Vec<&str> = mirage_ir::ops::names().collect();
        for line in here().lines {
            let fits = match &line.subject {
                Subject::Region(kind) => mirage_ir::regions::find(kind).is_some(),
                Subject::Operation(op) => known.contains(&op.as_ref()),
                Subject::AllOperations | Subject::Attribute(_) => true,
                _ => false,
            };
            assert!(fits, "{}", line.subject);
        }
    }

    #[test]
    fn channels_last_is_taken_as_it_is() {
        let order = Order::channels_last(4);
        for op in ["conv", "group_norm", "silu", "max_pool", "resize"] {
            assert!(here().takes_order(op, DType::F32, &order), "{op}");
        }
        assert!(here().has_region("conv_act", DType::F32));
        assert!(here().has_region("group_norm_silu", DType::BF16));
    }
}
