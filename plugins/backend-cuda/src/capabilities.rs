//! The capabilities of the CUDA backend.

use mirage_ir::{
    DType, GraphFlag, Order,
    regions::ELEMENTWISE,
    target::{Capabilities, Capability, Subject},
};

use crate::kernels::product;

/// Element types that the engine supports; not f64.
const NATIVE: [DType; 12] = [
    DType::F32,
    DType::F16,
    DType::BF16,
    DType::I64,
    DType::I32,
    DType::I16,
    DType::I8,
    DType::U64,
    DType::U32,
    DType::U16,
    DType::U8,
    DType::Bool,
];

/// Matrix products with own kernels.
const PRODUCTS: [Subject; 4] = [
    Subject::operation("conv"),
    Subject::operation("linear"),
    Subject::region("conv_act"),
    Subject::region("linear_act"),
];
/// Other regions with a kernel.
const REGIONS: [&str; 2] = ["group_norm_silu", ELEMENTWISE];
/// Norms with a kernel.
const NORMS: [&str; 2] = ["group_norm", "layer_norm"];
/// Element types of those.
const FLOATS: [DType; 3] = [DType::F32, DType::F16, DType::BF16];
/// Bytes of channels that a unit moves at once.
const LINE: usize = 16;

pub(crate) fn all() -> Capabilities {
    let orders: Vec<Order> = (3..=5).map(Order::channels_last).collect();
    let line = |subject, dtypes: &[DType]| {
        Capability::new(subject, dtypes.iter().copied()).in_orders(orders.clone())
    };
    let mut lines = vec![line(Subject::AllOperations, &NATIVE)];
    for dtype in product::DTYPES {
        let multiple = LINE / dtype.size();
        lines.extend(PRODUCTS.map(|of| line(of, &[dtype]).in_multiples_of(multiple)));
    }
    lines.extend(REGIONS.map(|kind| line(Subject::region(kind), &FLOATS)));
    // Means and variances are f32.
    lines.extend(NORMS.map(|op| line(Subject::f32_inside(op), &FLOATS)));
    let flag =
        |flag, dtypes: &[DType]| Capability::new(Subject::flag(flag), dtypes.iter().copied());
    lines.push(flag(GraphFlag::StaticPlan, &NATIVE));
    lines.push(flag(GraphFlag::Tf32Products, &[DType::F32]));
    Capabilities { lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_names_an_operation_or_a_kind_that_there_is() {
        let known: Vec<&str> = mirage_ir::ops::names().collect();
        for line in all().lines {
            let fits = match &line.subject {
                Subject::Region(kind) => {
                    kind == ELEMENTWISE || mirage_ir::regions::find(kind).is_some()
                }
                Subject::Operation(op) | Subject::F32Inside(op) => known.contains(&op.as_ref()),
                Subject::AllOperations | Subject::Attribute(_) => true,
                _ => false,
            };
            assert!(fits, "{}", line.subject);
        }
    }

    #[test]
    fn products_want_whole_lines_of_channels() {
        let all = all();
        assert_eq!(all.channel_multiple("conv", DType::F16), 8);
        assert_eq!(all.channel_multiple("conv", DType::F32), 4);
        assert!(all.has_region("conv_act", DType::BF16));
        assert!(all.has_region("conv_act", DType::F32));
        assert!(all.takes_order("conv", DType::F16, &Order::channels_last(4)));
        assert_eq!(all.support("conv", DType::F64), None);
    }
}
