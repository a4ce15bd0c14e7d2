//! Which rows a plan has, and that shares add up.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;
use std::collections::BTreeSet;

use mirage_bench::plan::{
    OwnSet, PassSet, Plan, PlanError, PlanOptions, RowKind, ShapleyPlan, plan,
};
use proptest::prelude::*;

const SHARES: PlanOptions = PlanOptions {
    shapley: true,
    control: false,
    planted: Vec::new(),
    own: Vec::new(),
};

/// What needs what: `(2, 0)` says that pass 2 needs pass 0.
fn needing(needs: &[(usize, usize)]) -> impl Fn(&[usize]) -> Result<(), String> {
    move |set| {
        let missing =
            |&&(pass, need): &&(usize, usize)| set.contains(&pass) && !set.contains(&need);
        match needs.iter().find(missing) {
            Some((pass, need)) => Err(format!("{pass} needs {need}")),
            None => Ok(()),
        }
    }
}

/// A row as text: its kind, its set, what it is compared with, what goes along.
fn rows(plan: &Plan) -> Vec<String> {
    let set = |subject: usize| format!("{:?}", plan.subjects[subject]);
    let row = |r: &mirage_bench::plan::RowPlan| {
        let against = r.against.map_or_else(|| "-".to_owned(), set);
        match &r.subject {
            Ok(subject) => format!("{:?} {} / {against} {:?}", r.kind, set(*subject), r.along),
            Err(reason) => format!("{:?}: {reason}", r.kind),
        }
    };
    plan.rows.iter().map(row).collect()
}

#[test]
fn three_free_passes() {
    let plan = plan(3, PlanOptions::default(), |_| Ok(())).unwrap();
    insta::assert_snapshot!(rows(&plan).join("\n"), @r"
    None {} / - {}
    Alone(0) {0} / {} {}
    Alone(1) {1} / {} {}
    Alone(2) {2} / {} {}
    UpTo(0) {0} / {} {}
    UpTo(1) {0, 1} / {0} {}
    UpTo(2) {0, 1, 2} / {0, 1} {}
    Without(0) {1, 2} / {0, 1, 2} {}
    Without(1) {0, 2} / {0, 1, 2} {}
    Without(2) {0, 1} / {0, 1, 2} {}
    All {0, 1, 2} / {0, 1} {}
    ");
    assert_eq!(plan.subjects.len(), 8);
    assert!(plan.shapley.is_none());
}

#[test]
fn sets_of_the_users_own_and_planted_rows_are_measured_by_themselves() {
    let own = |label: &str, passes: &[usize]| OwnSet {
        label: label.to_owned(),
        passes: PassSet::of(passes),
    };
    let options = PlanOptions {
        control: true,
        planted: vec![10.0],
        own: vec![own("a", &[0]), own("b", &[1]), own("c", &[0])],
        ..PlanOptions::default()
    };
    let plan = plan(1, options, needing(&[(1, 0)])).unwrap();
    insta::assert_snapshot!(rows(&plan).join("\n"), @r"
    None {} / - {}
    Control {} / {} {}
    Planted(0) {} / {} {}
    Alone(0) {0} / {} {}
    UpTo(0) {0} / {} {}
    Without(0) {} / {0} {}
    All {0} / {} {}
    Own(0) {0} / {0} {}
    Own(1): 1 needs 0
    Own(2) {0} / {0} {}
    ");
    // none, again, planted, {0}, and two that are {0} again.
    assert_eq!(plan.subjects.len(), 6);
    assert_eq!(plan.planted[0].subject, 2);
    assert_eq!(plan.rows[9].subject, Ok(5));
    assert_eq!(plan.rows[9].against, Some(4));
}

#[test]
fn own_sets_alone_make_a_plan() {
    let options = PlanOptions {
        own: vec![OwnSet {
            label: "a".to_owned(),
            passes: PassSet::of(&[0]),
        }],
        ..PlanOptions::default()
    };
    let plan = plan(0, options, |_| Ok(())).unwrap();
    assert_eq!(rows(&plan), ["None {} / - {}", "Own(0) {0} / {} {}"]);
}

/// Pass 2 needs 0, and 1 needs 2, which comes later in the pipeline.
#[test]
fn a_pass_that_needs_another_is_measured_on_top_of_it() {
    let plan = plan(3, PlanOptions::default(), needing(&[(2, 0), (1, 2)])).unwrap();
    insta::assert_snapshot!(rows(&plan).join("\n"), @r"
    None {} / - {}
    Alone(0) {0} / {} {}
    Alone(1) {0, 1, 2} / {0, 2} {0, 2}
    Alone(2) {0, 2} / {0} {0}
    UpTo(0) {0} / {} {}
    UpTo(1): 1 needs 2
    UpTo(2) {0, 1, 2} / {0} {}
    Without(0) {} / {0, 1, 2} {1, 2}
    Without(1) {0, 2} / {0, 1, 2} {}
    Without(2) {0} / {0, 1, 2} {1}
    All {0, 1, 2} / {0} {}
    ");
}

#[test]
fn the_control_is_measured_by_itself() {
    let options = PlanOptions {
        control: true,
        ..PlanOptions::default()
    };
    let plan = plan(1, options, |_| Ok(())).unwrap();
    assert_eq!(plan.rows[1].kind, RowKind::Control);
    assert_ne!(plan.rows[0].subject, plan.rows[1].subject);
    assert_eq!(plan.subjects.iter().filter(|s| s.is_empty()).count(), 2);
}

#[test]
fn what_cannot_run_together_is_no_plan() {
    let never = |set: &[usize]| match set.len() {
        3 => Err("bf16 conflicts with fp16".to_owned()),
        _ => Ok(()),
    };
    let error = plan(3, PlanOptions::default(), never).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the passes cannot run together: bf16 conflicts with fp16"
    );
    let many = plan(65, PlanOptions::default(), |_| Ok(())).unwrap_err();
    assert_eq!(many, PlanError::TooManyPasses { found: 65 });
}

#[test]
fn many_passes_ask_few_questions() {
    let asked = RefCell::new(0);
    let plan = plan(40, SHARES, |_| {
        *asked.borrow_mut() += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(plan.rows.len(), 3 * 40 + 2);
    assert!(*asked.borrow() < 200, "{asked:?}");
    let refused = plan.shapley.unwrap().unwrap_err();
    assert!(
        refused.contains("got 40") && refused.contains("at most 6"),
        "{refused}"
    );
}

fn shares(plan: &Plan) -> &ShapleyPlan {
    plan.shapley.as_ref().unwrap().as_ref().unwrap()
}

/// The glove game (Shapley's, in any textbook): a left glove and two right ones; a pair is worth 1.
/// The left glove gets 2/3, each right one 1/6.
#[test]
fn shares_of_the_glove_game() {
    let plan = plan(3, SHARES, |_| Ok(())).unwrap();
    let pair = |s: usize| {
        let set = plan.subjects[s];
        f64::from(u8::from(
            set.contains(0) && (set.contains(1) || set.contains(2)),
        ))
    };
    let found = shares(&plan).shares(pair);
    for (found, expected) in found.iter().zip([2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0]) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
}

#[test]
fn passes_that_need_each_other_have_no_shares() {
    let plan = plan(3, SHARES, needing(&[(0, 1), (1, 0)])).unwrap();
    let reason = plan.shapley.unwrap().unwrap_err();
    assert!(reason.contains("require each other"), "{reason}");
}

/// The definition, taken at its word: all orders, those with an illegal beginning left out.
fn shares_by_orders(
    passes: usize,
    legal: &impl Fn(&[usize]) -> Result<(), String>,
    value: &impl Fn(&[usize]) -> f64,
) -> Vec<f64> {
    let (mut sums, mut orders) = (vec![0.0; passes], 0.0);
    for order in permutations((0..passes).collect()) {
        let beginning = |n: usize| order[..n].iter().copied().collect::<BTreeSet<_>>();
        let sets: Vec<Vec<usize>> = (0..=passes)
            .map(|n| beginning(n).into_iter().collect())
            .collect();
        if sets.iter().any(|set| legal(set).is_err()) {
            continue;
        }
        orders += 1.0;
        for (place, pass) in order.iter().enumerate() {
            sums[*pass] += value(&sets[place + 1]) - value(&sets[place]);
        }
    }
    sums.iter().map(|s| s / orders).collect()
}

fn permutations(of: Vec<usize>) -> Vec<Vec<usize>> {
    if of.is_empty() {
        return vec![vec![]];
    }
    let with_first = |i: usize| {
        let mut rest = of.clone();
        let first = rest.remove(i);
        permutations(rest).into_iter().map(move |mut tail| {
            tail.insert(0, first);
            tail
        })
    };
    (0..of.len()).flat_map(with_first).collect()
}

/// Passes, what needs what (never in a circle), and a value for each of 64 sets.
fn games() -> impl Strategy<Value = (usize, Vec<(usize, usize)>, Vec<f64>)> {
    let needs = prop::collection::vec((0..6_usize, 0..6_usize), 0..5);
    let values = prop::collection::vec(-10.0..100.0_f64, 64);
    (1..=6_usize, needs, values, any::<bool>()).prop_map(|(passes, needs, values, reversed)| {
        let ordered = needs.into_iter().filter_map(|(a, b)| {
            let (low, high) = (a.min(b), a.max(b));
            let fits = low != high && high < passes;
            fits.then_some(if reversed { (low, high) } else { (high, low) })
        });
        (passes, ordered.collect(), values)
    })
}

proptest! {
    #[test]
    fn shares_are_those_of_the_orders_and_sum_to_the_gain((passes, needs, values) in games()) {
        let legal = needing(&needs);
        let plan = plan(passes, SHARES, &legal).unwrap();
        let value = |set: &[usize]| values[set.iter().map(|p| 1 << p).sum::<usize>()];
        let shapley = shares(&plan);
        let found = shapley.shares(|s| value(&plan.subjects[s].indices()));
        let expected = shares_by_orders(passes, &legal, &value);
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
        let all: Vec<usize> = (0..passes).collect();
        let gain = value(&all) - value(&[]);
        prop_assert!((found.iter().sum::<f64>() - gain).abs() < 1e-9);
    }

    #[test]
    fn rows_name_legal_sets_and_sets_are_measured_once((passes, needs, _) in games()) {
        let legal = needing(&needs);
        let plan = plan(passes, SHARES, &legal).unwrap();
        for set in &plan.subjects {
            prop_assert!(legal(&set.indices()).is_ok(), "{set:?}");
        }
        let unique: BTreeSet<_> = plan.subjects.iter().collect();
        prop_assert_eq!(unique.len(), plan.subjects.len());
        for row in &plan.rows {
            let Ok(subject) = row.subject else { continue };
            let set = plan.subjects[subject];
            match row.kind {
                RowKind::Alone(pass) => {
                    let base = plan.subjects[row.against.unwrap()];
                    prop_assert_eq!(base.with(pass), set);
                    prop_assert!(!base.contains(pass));
                }
                RowKind::Without(pass) => prop_assert!(!set.contains(pass)),
                _ => {}
            }
        }
    }
}
