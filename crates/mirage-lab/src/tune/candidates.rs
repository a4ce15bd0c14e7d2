//! The sets to try next: those one change away from the best so far.

use mirage_ir::target::{Capabilities, Support};
use mirage_pass::{PassInfo, PassSpec, PipelineSpec, Registry};

/// Returns the sets with one pass added, removed, replaced by a conflicting one, or with one option changed
/// to a value that its pass declares worth trying. They may be illegal. Passes with fast paths on the backend
/// come first.
pub(super) fn neighbours(
    registry: &Registry,
    capabilities: &Capabilities,
    spec: &PipelineSpec,
) -> Vec<PipelineSpec> {
    let mut found: Vec<(bool, PipelineSpec)> = Vec::new();
    for info in registry.infos().filter(|info| !info.always) {
        let slow = !has_fast_path(info, capabilities);
        let place = spec.passes.iter().position(|p| is(p, info));
        let Some(place) = place else {
            found.push((slow, with(registry, spec, info)));
            continue;
        };
        let mut without = spec.clone();
        without.passes.remove(place);
        found.push((false, without));
        for (option, value) in info.worth_trying {
            let mut other = spec.clone();
            let changed = other.passes[place].clone().with(*option, *value);
            if changed != other.passes[place] {
                other.passes[place] = changed;
                found.push((slow, other));
            }
        }
    }
    found.sort_by_key(|(slow, _)| *slow);
    found.into_iter().map(|(_, spec)| spec).collect()
}

/// Returns the set with a pass added, and passes that conflict with it removed.
fn with(registry: &Registry, spec: &PipelineSpec, info: &PassInfo) -> PipelineSpec {
    let conflicts = |other: &PassSpec| {
        let Some(other) = registry.get(other.name()).map(|pass| pass.info()) else {
            return false;
        };
        let names = |a: &PassInfo, b: &PassInfo| a.conflicts.iter().any(|c| b.answers_to(c));
        names(info, other) || names(other, info)
    };
    let kept = spec.passes.iter().filter(|p| !conflicts(p)).cloned();
    kept.chain([PassSpec::new(info.name)]).collect()
}

fn is(spec: &PassSpec, info: &PassInfo) -> bool {
    spec.name().replace('-', "_") == info.name
}

/// Returns whether the backend has a fast path for a capability that the pass uses, or the pass uses none.
fn has_fast_path(info: &PassInfo, capabilities: &Capabilities) -> bool {
    let is_fast = |need: &mirage_pass::Need| need.support(capabilities) == Some(Support::Fast);
    info.needs.is_empty() || info.needs.iter().any(is_fast)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(spec: &str) -> Vec<String> {
        mirage_passes::link();
        let registry = Registry::linked().unwrap();
        let spec = spec.parse().unwrap();
        let found = neighbours(&registry, &Capabilities::default(), &spec);
        found.iter().map(PipelineSpec::to_string).collect()
    }

    #[test]
    fn one_change_leads_to_each() {
        let found = around("fuse,fp16");
        for expected in [
            "fuse",
            "fp16",
            "fuse,fp16,sdpa",
            "fuse,bf16",
            "fuse{max_body=8},fp16",
            "fuse,fp16{inputs=true}",
        ] {
            assert!(
                found.iter().any(|f| f == expected),
                "{expected} in {found:?}"
            );
        }
        assert!(!found.iter().any(|f| f.contains("canonicalize")));
    }

    #[test]
    fn what_the_backend_has_no_path_for_comes_last() {
        let found = around("");
        let place = |name: &str| found.iter().position(|f| f == name).unwrap();
        assert!(place("channels_last") < place("fp16"));
    }
}
