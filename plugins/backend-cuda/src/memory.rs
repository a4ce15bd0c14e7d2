//! Memory checks and out-of-memory errors.

use burn_cubecl::CubeDevice;
use cubecl::MemoryScope;
use mirage_backend::{
    BackendError,
    memory::{MemoryNeed, Room, mib},
};
use mirage_ir::Graph;

use crate::backend::NAME;

/// Returns the message for an engine's out-of-memory error; `held` is the memory of this program.
fn exhausted(message: &str, need: &MemoryNeed, held: u64, there: u64) -> Option<BackendError> {
    let lower = message.to_lowercase();
    let words = ["out of memory", "out_of_memory", "can't allocate buffer"];
    let is_it = words.iter().any(|words| lower.contains(words));
    is_it.then(|| BackendError::Memory {
        backend: NAME.to_owned(),
        message: format!(
            "out of memory: the graph needs at least {need}, the device has {} MiB, of which this \
             program holds {} MiB ({})",
            mib(there),
            mib(held),
            cause(message)
        ),
        available: there,
    })
}

/// Returns the part of an engine's message that says what failed first.
fn cause(message: &str) -> &str {
    let from = message.find("can't allocate").unwrap_or(0);
    let told = message[from..].lines().next().unwrap_or_default();
    told.split(" No backtrace")
        .next()
        .unwrap_or_default()
        .trim()
}

/// # Errors
/// If the device has less memory than the graph needs.
pub(crate) fn check(device: &CubeDevice, graph: &Graph) -> Result<(), BackendError> {
    let Some(there) = device.client().properties().memory.max_memory() else {
        return Ok(());
    };
    MemoryNeed::of(graph).check(NAME, Room::Device(there))
}

/// Converts an error of the engine; adds the needed and used memory to an out-of-memory error.
pub(crate) fn explain(error: BackendError, device: &CubeDevice, graph: &Graph) -> BackendError {
    let BackendError::Engine { message, .. } = &error else {
        return error;
    };
    let client = device.client();
    let held = client
        .memory_report(MemoryScope::Device)
        .usage()
        .bytes_reserved;
    let there = client.properties().memory.max_memory().unwrap_or(0);
    exhausted(message, &MemoryNeed::of(graph), held, there).unwrap_or(error)
}

#[cfg(test)]
mod tests {
    use mirage_ir::text;

    use super::*;

    const MIB: u64 = 1 << 20;

    /// 2004 MiB: the weight, an input and a result.
    fn need() -> MemoryNeed {
        let graph = text::parse(
            r#"graph "g" {
              input %0 "x": f32[262144,1000]
              param %1 "w": f32[1000,1000]
              %2: f32[262144,1000] = linear(%0, %1)
              output "y" = %2
            }"#,
        );
        MemoryNeed::of(&graph.expect("the graph parses"))
    }

    #[test]
    fn memory_that_ends_is_told_from_other_errors() {
        assert_eq!(exhausted("an illegal address", &need(), 0, 0), None);
        let message = "CUDA_ERROR_OUT_OF_MEMORY: no\nbacktrace";
        let told = exhausted(message, &need(), 500 * MIB, 2100 * MIB).expect("it is that");
        let told = told.to_string();
        assert!(
            told.starts_with(
                "backend `cuda`: out of memory: the graph needs at least 2004 MiB (4 of weights, 0 of states, 2000 of \
                 activations), the device has 2100 MiB"
            ),
            "{told}"
        );
        assert!(told.contains("this program holds 500 MiB"), "{told}");
        assert!(told.ends_with("(CUDA_ERROR_OUT_OF_MEMORY: no)"), "{told}");
        assert!(!told.contains('\n'));
        let message = "skipped `Run` Caused by: can't allocate buffer of size: 34 No backtrace";
        let told = exhausted(message, &need(), 0, 4000 * MIB).expect("it is that");
        let told = told.to_string();
        assert!(
            told.ends_with("(can't allocate buffer of size: 34)"),
            "{told}"
        );
    }
}
