//! The planner against every permutation, on random rules.

use mirage_pass::{
    CLEANUP, PassInfo, PassSpec, Phase, PipelineSpec, Registry, plan, plan_in_order,
};
use proptest::{collection::vec, prelude::*, sample::subsequence};

use crate::common::{idle, info, names};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const TAGS: [&str; 2] = ["odd", "even"];
const PHASES: [Phase; 3] = [Phase::Simplify, Phase::Layout, Phase::Fuse];

fn leaked(names: Vec<&'static str>) -> &'static [&'static str] {
    Box::leak(names.into_boxed_slice())
}

/// Few rules, so that many sets are legal.
fn rules(most: usize) -> impl Strategy<Value = &'static [&'static str]> {
    let names: Vec<&'static str> = NAMES.into_iter().chain(TAGS).collect();
    prop_oneof![3 => Just(0), 1 => Just(most)]
        .prop_flat_map(move |n| subsequence(names.clone(), 0..=n))
        .prop_map(leaked)
}

fn pass(name: &'static str) -> impl Strategy<Value = PassInfo> {
    let tags = subsequence(TAGS.to_vec(), 0..=1).prop_map(leaked);
    let phase = prop_oneof![3 => Just(0usize), 1 => 0..PHASES.len()];
    (phase, tags, rules(2), rules(2), rules(1), rules(1)).prop_map(
        move |(phase, tags, after, before, requires, conflicts)| PassInfo {
            tags,
            after,
            before,
            requires,
            conflicts,
            ..info(name, PHASES[phase])
        },
    )
}

fn passes() -> impl Strategy<Value = Vec<PassInfo>> {
    Vec::from(NAMES.map(pass))
}

fn named(names: &[&'static str], other: &PassInfo, by: &PassInfo) -> bool {
    by.name != other.name && names.iter().any(|n| other.answers_to(n))
}

/// Whether a sequence keeps every rule; written from the definitions, not from the planner.
fn is_legal(sequence: &[&PassInfo]) -> bool {
    let must_precede = |x: &PassInfo, y: &PassInfo| {
        x.phase < y.phase
            || named(y.after, x, y)
            || named(y.requires, x, y)
            || named(x.before, y, x)
    };
    let ordered = sequence
        .iter()
        .enumerate()
        .all(|(i, x)| sequence[i + 1..].iter().all(|y| !must_precede(y, x)));
    let peaceful = sequence
        .iter()
        .all(|x| !sequence.iter().any(|y| named(x.conflicts, y, x)));
    let fed = sequence.iter().all(|x| {
        x.requires
            .iter()
            .all(|r| sequence.iter().any(|y| named(&[r], y, x)))
    });
    ordered && peaceful && fed
}

/// Permutations of `0..n` in lexicographic order.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let mut all: Vec<Vec<usize>> = permutations(n - 1)
        .into_iter()
        .flat_map(|p| {
            (0..n).map(move |at| {
                let mut p = p.clone();
                p.insert(at, n - 1);
                p
            })
        })
        .collect();
    all.sort();
    all
}

fn ask(names: &[&str]) -> PipelineSpec {
    names.iter().map(|n| PassSpec::new(*n)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// There is a plan if and only if some order is legal, and it is the legal order of the passes
    /// that changes the typed one least: in each phase, first typed, first run.
    #[test]
    fn the_plan_is_the_first_legal_order(
        passes in passes(),
        asked in subsequence(NAMES.to_vec(), 0..=5).prop_shuffle(),
    ) {
        let registry = Registry::new(passes.iter().cloned().map(idle)).expect("is right");
        let find = |name: &&str| passes.iter().find(|p| p.name == *name).expect("is there");
        let typed: Vec<&PassInfo> = asked.iter().map(find).collect();
        // In the order of phases, so that lexicographic means: within each phase.
        let mut by_phase = typed.clone();
        by_phase.sort_by_key(|p| p.phase);
        let legal = permutations(by_phase.len())
            .into_iter()
            .map(|order| order.iter().map(|&i| by_phase[i]).collect::<Vec<_>>())
            .find(|sequence| is_legal(sequence));

        let planned = plan(&registry, &ask(&asked));
        match (&planned, &legal) {
            (Ok(plan), Some(legal)) => {
                let legal: Vec<&str> = legal.iter().map(|p| p.name).collect();
                prop_assert_eq!(names(plan), legal);
            }
            (Err(_), None) => {}
            _ => prop_assert!(false, "planned {planned:?}, legal {legal:?}"),
        }
        let kept = plan_in_order(&registry, &ask(&asked));
        prop_assert_eq!(kept.is_ok(), is_legal(&typed), "{:?}", kept);
    }

    /// Cleanup passes among them: every plan replays with its order kept.
    #[test]
    fn every_plan_passes_its_own_check(
        mut passes in passes(),
        cleanup in vec(any::<bool>(), 5),
        asked in subsequence(NAMES.to_vec(), 0..=5).prop_shuffle(),
    ) {
        for (pass, cleanup) in passes.iter_mut().zip(cleanup) {
            if cleanup {
                pass.tags = &[CLEANUP];
                pass.always = true;
            }
        }
        let registry = Registry::new(passes.into_iter().map(idle)).expect("is right");
        if let Ok(planned) = plan(&registry, &ask(&asked)) {
            let replayed = plan_in_order(&registry, &planned.spec());
            prop_assert_eq!(replayed.map(|r| names(&r)), Ok(names(&planned)));
            prop_assert!(asked.iter().all(|a| names(&planned).contains(a)));
            prop_assert!(planned.steps.iter().all(|s| s.automatic != asked.contains(&s.info().name)));
        }
    }
}
