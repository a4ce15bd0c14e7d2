//! What the processor does well, as data.

use mirage_ir::{
    DType, Order,
    target::{Capabilities, Capability, Support},
};

/// Operations on each element: any order of memory is as good as row-major for them.
const ANY_ORDER: [&str; 5] = ["add", "mul", "silu", "cast", "concat"];

pub(crate) fn here() -> Capabilities {
    let line = |op: &str, dtypes: &[DType], support| Capability {
        op: op.to_owned(),
        dtypes: dtypes.to_vec(),
        orders: Vec::new(),
        channel_multiple: 1,
        support,
    };
    let native: Vec<DType> = DType::ALL
        .into_iter()
        .filter(|d| !matches!(d, DType::F16 | DType::BF16))
        .collect();
    let _ = (ANY_ORDER, Order::channels_last(4));
    Capabilities {
        lines: vec![
            line("*", &native, Support::Fast),
            // Widened to f32 in every operation.
            line("*", &[DType::F16, DType::BF16], Support::Slow),
        ],
    }
}
