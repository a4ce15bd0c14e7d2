//! What the backend does well, as data.

use mirage_ir::{
    DType, Order,
    regions::ELEMENTWISE,
    target::{Capabilities, Capability, Support},
};

use crate::kernels::product;

/// Element types that the engine computes in; it has no f64.
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

/// Products with kernels of our own.
const PRODUCTS: [&str; 4] = ["conv", "linear", "region:conv_act", "region:linear_act"];
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
    let line = |op: &str, dtypes: &[DType], channel_multiple| Capability {
        op: op.to_owned(),
        dtypes: dtypes.to_vec(),
        orders: orders.clone(),
        channel_multiple,
        support: Support::Fast,
    };
    let mut lines = vec![line("*", &NATIVE, 1)];
    for dtype in product::DTYPES {
        let multiple = LINE / dtype.size();
        lines.extend(PRODUCTS.iter().map(|op| line(op, &[dtype], multiple)));
    }
    let regions = REGIONS.iter().map(|kind| format!("region:{kind}"));
    lines.extend(regions.map(|op| line(&op, &FLOATS, 1)));
    // Means and variances are f32.
    lines.extend(
        NORMS
            .iter()
            .map(|op| line(&format!("wide:{op}"), &FLOATS, 1)),
    );
    lines.push(Capability::heeds("static_plan", &NATIVE));
    lines.push(Capability::heeds("tf32_products", &[DType::F32]));
    Capabilities { lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_names_an_operation_or_a_kind_that_there_is() {
        let known: Vec<&str> = mirage_ir::ops::names().collect();
        for line in all().lines {
            let fits = match line.op.strip_prefix("region:") {
                Some(kind) => kind == ELEMENTWISE || mirage_ir::regions::find(kind).is_some(),
                None if line.op.starts_with("attr:") => true,
                None => {
                    let op = line.op.trim_start_matches("wide:");
                    op == "*" || known.contains(&op)
                }
            };
            assert!(fits, "{}", line.op);
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
