//! What libtorch does well on a processor, as data.

use mirage_ir::{
    DType, Order,
    target::{Capabilities, Capability, Support},
};

use crate::kernels::REGIONS;

/// Element types that the engine holds as they are; other integers are held as 64 bits.
const FLOATS: [DType; 4] = [DType::F64, DType::F32, DType::F16, DType::BF16];

/// Operations that libtorch computes in half precision as fast as in f32 or faster, where the processor
/// has arithmetic for it: oneDNN's.
const HALF_BY_ONEDNN: [&str; 5] = [
    "attention",
    "conv",
    "linear",
    "region:conv_act",
    "region:linear_act",
];

pub(crate) fn here() -> Capabilities {
    let channels_last: Vec<Order> = (3..=5).map(Order::channels_last).collect();
    let line = |op: &str, dtypes: Vec<DType>, support| Capability {
        op: op.to_owned(),
        dtypes,
        orders: channels_last.clone(),
        channel_multiple: 1,
        support,
    };
    let halves = vec![DType::F16, DType::BF16];
    let whole = DType::ALL.into_iter().filter(|d| !halves.contains(d));
    let mut lines = vec![
        line("*", whole.collect(), Support::Fast),
        line("*", halves.clone(), Support::Slow),
    ];
    lines.extend(REGIONS.iter().map(|kind| {
        let dtypes = FLOATS.into_iter().filter(|d| !halves.contains(d));
        line(&format!("region:{kind}"), dtypes.collect(), Support::Fast)
    }));
    lines.extend(
        REGIONS
            .iter()
            .map(|kind| line(&format!("region:{kind}"), halves.clone(), Support::Slow)),
    );
    if has_bf16() {
        let bf16 = HALF_BY_ONEDNN.iter();
        lines.extend(bf16.map(|op| line(op, vec![DType::BF16], Support::Fast)));
    }
    lines.push(Capability::heeds("static_plan", &DType::ALL));
    Capabilities { lines }
}

/// Whether the processor multiplies bf16.
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
            let fits = match line.op.strip_prefix("region:") {
                Some(kind) => mirage_ir::regions::find(kind).is_some(),
                None if line.op.starts_with("attr:") => true,
                None => line.op == "*" || known.contains(&line.op.as_str()),
            };
            assert!(fits, "{}", line.op);
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
