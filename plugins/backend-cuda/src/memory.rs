//! Whether a graph fits on a device, said in figures.

use burn_cubecl::CubeDevice;
use cubecl::MemoryScope;
use mirage_backend::BackendError;
use mirage_ir::{Graph, cost::graph_cost};

use crate::backend::failed;

/// What a graph needs at least, in bytes: its weights, its states, the most activations at once.
fn need(graph: &Graph) -> [u64; 3] {
    let bytes = |values: &mut dyn Iterator<Item = mirage_ir::ValueId>| {
        values.map(|v| graph.ty(v).bytes() as u64).sum::<u64>()
    };
    let weights = bytes(&mut graph.params().iter().map(|p| p.value));
    let states = bytes(&mut graph.states().iter().map(|s| s.input));
    [weights, states, graph_cost(graph).peak_activation_bytes]
}

fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

/// # Errors
/// The device has less memory than the graph needs at least.
pub(crate) fn check(device: &CubeDevice, graph: &Graph) -> Result<(), BackendError> {
    let Some(there) = device.client().properties().memory.max_memory() else {
        return Ok(());
    };
    let [weights, states, activations] = need(graph);
    if weights + states + activations <= there {
        return Ok(());
    }
    Err(failed(format!(
        "the device has {} MiB, the graph needs {} MiB of weights, {} MiB of states and {} MiB of \
         activations: passes that halve the elements or a smaller model may fit",
        mib(there),
        mib(weights),
        mib(states),
        mib(activations)
    )))
}

/// An error of the engine, with what was needed and held where memory was what it lacked.
pub(crate) fn explain(error: BackendError, device: &CubeDevice, graph: &Graph) -> BackendError {
    let BackendError::Engine { message, .. } = &error else {
        return error;
    };
    let lower = message.to_lowercase();
    if !["out of memory", "outofmemory", "out_of_memory"]
        .iter()
        .any(|words| lower.contains(words))
    {
        return error;
    }
    let client = device.client();
    let usage = client.memory_report(MemoryScope::Device).usage();
    let there = client.properties().memory.max_memory().unwrap_or(0);
    let [weights, states, activations] = need(graph);
    failed(format!(
        "out of memory: the device has {} MiB, {} MiB are held by this program; the graph needs {} MiB \
         of weights, {} MiB of states and {} MiB of activations at least. Passes that halve the \
         elements, a smaller size or fewer sets at a time may fit ({message})",
        mib(there),
        mib(usage.bytes_reserved),
        mib(weights),
        mib(states),
        mib(activations)
    ))
}
