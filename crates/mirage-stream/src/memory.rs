//! Which passes would make a program fit into memory.

use mirage_backend::{Backend, memory::mib};
use mirage_ir::{Graph, target::Capabilities};
use mirage_pass::{Manager, PassSpec, Plan, Registry, plan};

/// A pass is named if it lowers the need by more than this share of it.
const WORTH_NAMING: f64 = 0.05;

/// What to do about a program that needs more than the `available` bytes: the registered passes that lower
/// its need, each added to the plan alone, and whether it fits then.
pub(crate) fn advice(
    graph: &Graph,
    made_by: &Plan,
    backend: &dyn Backend,
    device: usize,
    available: u64,
) -> String {
    let Ok(registry) = Registry::linked() else {
        return OTHERWISE.to_owned();
    };
    let capabilities = backend.capabilities(device);
    let needs = |further: Option<PassSpec>| {
        let need = planned(graph, made_by, further, &registry, &capabilities)?;
        Some(backend.memory_need(&need).bytes())
    };
    let Some(now) = needs(None) else {
        return OTHERWISE.to_owned();
    };
    let mut helpful: Vec<(u64, &str)> = registry
        .names()
        .filter(|name| made_by.steps.iter().all(|s| s.info().name != *name))
        .filter_map(|name| Some((needs(Some(PassSpec::new(name)))?, name)))
        .filter(|&(need, _)| (need as f64) < now as f64 * (1.0 - WORTH_NAMING))
        .collect();
    helpful.sort_unstable();
    let fitting: Vec<String> = helpful
        .iter()
        .filter(|(need, _)| *need <= available)
        .map(|(need, name)| {
            format!(
                "with `{name}` it needs at least {} MiB, which fits",
                mib(*need)
            )
        })
        .collect();
    match (fitting.is_empty(), helpful.first()) {
        (false, _) => fitting.join("; "),
        (true, Some((need, name))) => {
            format!(
                "with `{name}` it needs at least {} MiB, which does not fit either; {OTHERWISE}",
                mib(*need)
            )
        }
        (true, None) => OTHERWISE.to_owned(),
    }
}

const OTHERWISE: &str = "use a smaller size or model";

/// The graph after the plan's passes and a further one; `None` if they cannot be planned together or fail.
fn planned(
    graph: &Graph,
    made_by: &Plan,
    further: Option<PassSpec>,
    registry: &Registry,
    capabilities: &Capabilities,
) -> Option<Graph> {
    let mut spec = made_by.spec();
    spec.passes.extend(further);
    let plan = plan(registry, &spec).ok()?;
    let (graph, _) = Manager::new().run(&plan, graph, capabilities).ok()?;
    Some(graph)
}
