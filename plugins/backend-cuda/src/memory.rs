//! Whether a graph fits on a device, said in figures.

use burn_cubecl::CubeDevice;
use cubecl::MemoryScope;
use mirage_backend::BackendError;
use mirage_ir::{
    DType, Graph,
    cost::graph_cost,
    ops::{Attention, Matmul, Softmax},
};

use crate::backend::failed;

/// What a graph needs at least, in bytes, and what would make it less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Need {
    weights: u64,
    states: u64,
    /// The most activations at once.
    activations: u64,
    /// Whether its elements are f32, so that half precision takes about half.
    halves: bool,
    /// Whether it has attention written out, whose matrix of scores is held whole.
    scores: bool,
}

impl Need {
    fn of(graph: &Graph) -> Self {
        let bytes = |values: &mut dyn Iterator<Item = mirage_ir::ValueId>| {
            values.map(|v| graph.ty(v).bytes() as u64).sum::<u64>()
        };
        let node = |is: &dyn Fn(&mirage_ir::Op) -> bool| graph.nodes().iter().any(|n| is(&n.op));
        let cost = graph_cost(graph);
        let mut params = graph.params().iter();
        let single = params.any(|p| graph.ty(p.value).dtype == DType::F32);
        Need {
            weights: cost.weight_bytes,
            states: bytes(&mut graph.states().iter().map(|s| s.input)),
            activations: cost.peak_activation_bytes,
            halves: single && !casts_weights(graph),
            scores: node(&|op| op.is::<Softmax>())
                && node(&|op| op.is::<Matmul>())
                && !node(&|op| op.is::<Attention>()),
        }
    }

    fn total(&self) -> u64 {
        self.weights
            .saturating_add(self.states)
            .saturating_add(self.activations)
    }

    fn told(&self) -> String {
        format!(
            "{} MiB ({} of weights, {} of states, {} of activations)",
            mib(self.total()),
            mib(self.weights),
            mib(self.states),
            mib(self.activations)
        )
    }

    /// What would make it fit into so many bytes.
    fn advice(&self, there: u64) -> String {
        let half = self.total() / 2;
        let mut found = Vec::new();
        if self.halves && half <= there {
            found.push(format!(
                "with the passes `fp16,sdpa` or `bf16,sdpa` it needs about {} MiB, which fits",
                mib(half)
            ));
        } else if self.halves {
            found.push(format!(
                "half precision (about {} MiB) does not fit either",
                mib(half)
            ));
        }
        if self.scores {
            found.push("the pass `sdpa` leaves out the attention's matrices of scores".to_owned());
        }
        found.push("a smaller size or model takes less".to_owned());
        found.join("; ")
    }
}

/// Whether the weights are brought to half precision in the graph itself.
fn casts_weights(graph: &Graph) -> bool {
    let low = |dtype| dtype == DType::F16 || dtype == DType::BF16;
    graph.values().iter().any(|v| low(v.ty.dtype))
}

fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

/// Why a graph cannot fit into so many bytes, if it cannot.
fn refusal(need: &Need, there: u64) -> Option<String> {
    (need.total() > there).then(|| {
        format!(
            "not enough memory: the graph needs at least {}, the device has {} MiB: {}",
            need.told(),
            mib(there),
            need.advice(there)
        )
    })
}

/// What to say of an engine's error, if it is that memory ended; `held` is what this program holds.
fn exhausted(message: &str, need: &Need, held: u64, there: u64) -> Option<String> {
    let lower = message.to_lowercase();
    let words = ["out of memory", "out_of_memory", "can't allocate buffer"];
    let is_it = words.iter().any(|words| lower.contains(words));
    is_it.then(|| {
        format!(
            "out of memory: the graph needs at least {}, the device has {} MiB, of which this \
             program holds {} MiB: {} ({})",
            need.told(),
            mib(there),
            mib(held),
            need.advice(there),
            cause(message)
        )
    })
}

/// The words of an engine's message that say what failed; what failed because of it is told first.
fn cause(message: &str) -> &str {
    let from = message.find("can't allocate").unwrap_or(0);
    let told = message[from..].lines().next().unwrap_or_default();
    told.split(" No backtrace")
        .next()
        .unwrap_or_default()
        .trim()
}

/// # Errors
/// The device has less memory than the graph needs at least.
pub(crate) fn check(device: &CubeDevice, graph: &Graph) -> Result<(), BackendError> {
    let Some(there) = device.client().properties().memory.max_memory() else {
        return Ok(());
    };
    refusal(&Need::of(graph), there).map_or(Ok(()), |why| Err(failed(why)))
}

/// An error of the engine, with what was needed and held where memory was what it lacked.
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
    exhausted(message, &Need::of(graph), held, there).map_or(error, failed)
}

#[cfg(test)]
mod tests {
    use mirage_ir::text;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn need() -> Need {
        Need {
            weights: 3000 * MIB,
            states: MIB,
            activations: 999 * MIB,
            halves: true,
            scores: false,
        }
    }

    #[test]
    fn what_fits_is_not_refused() {
        assert_eq!(refusal(&need(), 4000 * MIB), None);
    }

    #[test]
    fn a_refusal_has_the_figures_and_what_would_fit() {
        assert_eq!(
            refusal(&need(), 2500 * MIB).as_deref(),
            Some(
                "not enough memory: the graph needs at least 4000 MiB (3000 of weights, 1 of states, \
                 999 of activations), the device has 2500 MiB: with the passes `fp16,sdpa` or \
                 `bf16,sdpa` it needs about 2000 MiB, which fits; a smaller size or model takes less"
            )
        );
        let none = refusal(&need(), 100 * MIB).expect("it does not fit");
        assert!(
            none.contains("half precision (about 2000 MiB) does not fit either"),
            "{none}"
        );
    }

    #[test]
    fn memory_that_ends_is_told_from_other_errors() {
        assert_eq!(exhausted("an illegal address", &need(), 0, 0), None);
        let message = "CUDA_ERROR_OUT_OF_MEMORY: no\nbacktrace";
        let told = exhausted(message, &need(), 500 * MIB, 4000 * MIB).expect("it is that");
        assert!(
            told.starts_with("out of memory: the graph needs at least 4000 MiB"),
            "{told}"
        );
        assert!(told.contains("this program holds 500 MiB"), "{told}");
        assert!(told.contains("about 2000 MiB, which fits"), "{told}");
        assert!(told.ends_with("(CUDA_ERROR_OUT_OF_MEMORY: no)"), "{told}");
        assert!(!told.contains('\n'));
        let message = "skipped `Run` Caused by: can't allocate buffer of size: 34 No backtrace";
        let told = exhausted(message, &need(), 0, 4000 * MIB).expect("it is that");
        assert!(
            told.ends_with("(can't allocate buffer of size: 34)"),
            "{told}"
        );
    }

    #[test]
    fn attention_written_out_is_advised() {
        let graph = text::parse(
            r#"graph "g" {
              input %0 "q": f16[1,64,8]
              input %1 "k": f16[1,8,64]
              %2: f16[1,64,64] = matmul(%0, %1)
              %3: f16[1,64,64] = softmax(%2) {dim = 2}
              %4: f16[1,64,8] = matmul(%3, %0)
              output "y" = %4
            }"#,
        )
        .expect("the graph parses");
        let need = Need::of(&graph);
        assert!(need.scores && !need.halves);
        let told = refusal(&need, 100).expect("it does not fit");
        assert!(told.contains("the pass `sdpa` leaves out"), "{told}");
        assert!(!told.contains("half precision"), "{told}");
    }
}
