//! Each pass's share of the whole gain.
//!
//! The Shapley value for games under precedence constraints (Faigle and Kern, International Journal
//! of Game Theory 21, 1992): what a pass adds when it comes, averaged over all orders in which every
//! beginning is a legal set. Where every set is legal these are all orders, and it is the Shapley
//! value itself. Each order's additions sum to the whole gain, so the shares do.

use std::collections::BTreeMap;

use super::{PassSet, Rules, Subjects};

/// The most passes that shares are computed for: up to 64 sets to measure.
pub const MAX_SHAPLEY: usize = 6;

/// What makes shares of the subjects' values.
#[derive(Clone, Debug, PartialEq)]
pub struct ShapleyPlan {
    passes: usize,
    /// The places of the subjects that it needs.
    subjects: Vec<usize>,
    terms: Vec<Term>,
}

/// A pass's coming to a set: the share of the orders in which it comes just there.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Term {
    pass: usize,
    without: usize,
    with: usize,
    weight: f64,
}

impl ShapleyPlan {
    /// The places in [`Plan::subjects`](super::Plan::subjects) of the sets whose values it needs,
    /// ascending.
    pub fn subjects(&self) -> &[usize] {
        &self.subjects
    }

    /// Each pass's share of the last set's value less the empty set's, in pipeline order. `value`
    /// gives the value of a subject by its place.
    pub fn shares(&self, value: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut shares = vec![0.0; self.passes];
        for term in &self.terms {
            shares[term.pass] += term.weight * (value(term.with) - value(term.without));
        }
        shares
    }
}

pub(super) fn plan(
    all: PassSet,
    rules: &mut Rules<impl Fn(&[usize]) -> Result<(), String>>,
    subjects: &mut Subjects,
) -> Result<ShapleyPlan, String> {
    if all.len() > MAX_SHAPLEY {
        return Err(format!(
            "Shapley shares are computed for at most {MAX_SHAPLEY} passes, got {}",
            all.len()
        ));
    }
    let legal: Vec<PassSet> = all
        .subsets(1 << MAX_SHAPLEY)
        .filter(|&set| rules.allows(set))
        .collect();
    let before = orders(&legal, PassSet::NONE, legal.iter());
    let after = orders(&legal, all, legal.iter().rev());
    let total = before.get(&all).copied().unwrap_or(0);
    if total == 0 {
        return Err(
            "the passes cannot be added one at a time, because some require each other".to_owned(),
        );
    }
    let mut terms = Vec::new();
    for (&set, &up) in &before {
        for pass in all.minus(set).indices() {
            let Some(&down) = after.get(&set.with(pass)).filter(|&&down| down > 0) else {
                continue;
            };
            terms.push(Term {
                pass,
                without: subjects.place(set),
                with: subjects.place(set.with(pass)),
                weight: (up * down) as f64 / total as f64,
            });
        }
    }
    let mut used: Vec<usize> = terms.iter().flat_map(|t| [t.without, t.with]).collect();
    used.push(subjects.place(all));
    used.sort_unstable();
    used.dedup();
    Ok(ShapleyPlan {
        passes: all.len(),
        subjects: used,
        terms,
    })
}

/// For each set that it can: in how many orders one comes from `start` to it, a pass at a time,
/// through legal sets. `sets` must have every set after all those on the way to it.
fn orders<'a>(
    legal: &[PassSet],
    start: PassSet,
    sets: impl Iterator<Item = &'a PassSet>,
) -> BTreeMap<PassSet, u64> {
    let neighbours = |a: PassSet, b: PassSet| {
        a.len().abs_diff(b.len()) == 1 && (a.is_subset(b) || b.is_subset(a))
    };
    let mut found = BTreeMap::from([(start, 1)]);
    for &set in sets.filter(|&&set| set != start) {
        let ways: u64 = legal
            .iter()
            .filter(|&&from| neighbours(from, set))
            .filter_map(|from| found.get(from))
            .sum();
        if ways > 0 {
            found.insert(set, ways);
        }
    }
    found
}
