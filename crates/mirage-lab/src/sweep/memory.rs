//! Estimates the memory of a program and checks that it is available.

use mirage_bench::render::megabytes;
use mirage_ir::{DType, Graph, cost::graph_cost};
use mirage_machine::Memory;

/// Estimates the peak memory of running a program in bytes: weights twice (as given and as prepared by the
/// backend), and activations twice, as engines copy operands with another memory layout, or three times in
/// narrow dtypes, which engines widen.
pub fn needed(graph: &Graph) -> u64 {
    let cost = graph_cost(graph);
    let is_narrow = |dtype: DType| dtype.is_float() && dtype.size() < 4;
    let copies = match graph.values().iter().any(|v| is_narrow(v.ty.dtype)) {
        true => 3,
        false => 2,
    };
    let activations = cost.peak_activation_bytes.saturating_mul(copies);
    activations.saturating_add(cost.weight_bytes.saturating_mul(2))
}

/// Checks that this many bytes fit into `limit`, by default 90 % of the free memory, if known.
///
/// # Errors
/// If they do not fit; the message has both sizes.
pub fn fits(need: u64, limit: Option<u64>) -> Result<(), String> {
    let free = || Memory::here().map(|memory| memory.available / 10 * 9);
    let Some(may) = limit.or_else(free) else {
        return Ok(());
    };
    match need > may {
        true => Err(format!(
            "not enough memory: about {} MB needed, {} MB available",
            megabytes(need),
            megabytes(may)
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_said_with_both_numbers() {
        assert_eq!(fits(2_000_000, Some(2_000_000)), Ok(()));
        let why = fits(12_000_000_000, Some(2_500_000_000)).unwrap_err();
        assert!(why.contains("12000 MB") && why.contains("2500 MB"), "{why}");
        assert!(fits(u64::MAX, None).is_err() || Memory::here().is_none());
    }
}
