//! Counts against the baseline, and how they grow.

use std::fmt::Write;

use mirage_bench::stats::exponent;

use crate::baseline::{Baseline, Counts};

/// The largest exponent of growth with the number of nodes: an algorithm in n·log n has 1.14 between
/// 500 and 5000 nodes, one with a quadratic part of a tenth at 500 nodes 1.28.
const MAX_EXPONENT: f64 = 1.2;

/// Instructions by which a count may always differ: where code and data happen to lie moves calls and
/// allocations by a few hundred, which is many percent of a pass that only sets an attribute.
const GRAIN: u64 = 1000;

/// What was found.
pub(crate) struct Judged {
    /// Every case, a line each.
    pub(crate) table: String,
    /// What is wrong, a line each.
    pub(crate) faults: Vec<String>,
}

/// Compares counts with the baseline both ways, and their growth between two sizes with
/// [`MAX_EXPONENT`].
pub(crate) fn judge(baseline: &Baseline, counts: &Counts, [small, large]: [usize; 2]) -> Judged {
    let mut table = format!(
        "{:40} {:>14} {:>14} {:>8} {:>9}\n",
        "case", "baseline", "now", "change", "exponent"
    );
    let mut faults = Vec::new();
    for (name, &now) in counts {
        let before = baseline.counts.get(name).copied();
        let change = before.map(|b| 100.0 * (now as f64 / b.max(1) as f64 - 1.0));
        let growth = name.strip_suffix(&format!("/{large}")).and_then(|case| {
            let fewer = *counts.get(&format!("{case}/{small}"))?;
            Some(exponent(&[
                (small as f64, fewer.max(1) as f64),
                (large as f64, now.max(1) as f64),
            ]))
        });
        let shown = |x: Option<String>| x.unwrap_or_default();
        let _ = writeln!(
            table,
            "{name:40} {:>14} {now:>14} {:>8} {:>9}",
            shown(before.map(|b| b.to_string())),
            shown(change.map(|c| format!("{c:+.2}%"))),
            shown(growth.map(|g| format!("{g:.3}"))),
        );
        match change {
            None => faults.push(format!("{name} is not in the baseline")),
            Some(c)
                if c.abs() > baseline.tolerance_percent
                    && now.abs_diff(before.unwrap_or(0)) > GRAIN =>
            {
                faults.push(format!(
                    "{name} takes {} instructions, {c:+.1} %; the baseline allows ±{} %",
                    now, baseline.tolerance_percent
                ));
            }
            Some(_) => {}
        }
        if let Some(growth) = growth.filter(|&g| g > MAX_EXPONENT) {
            faults.push(format!(
                "{name}: instructions grow with the nodes to the power of {growth:.2}, and {MAX_EXPONENT} is the most: it is not linear"
            ));
        }
    }
    for name in baseline
        .counts
        .keys()
        .filter(|name| !counts.contains_key(*name))
    {
        faults.push(format!("{name} is in the baseline and was not counted"));
    }
    Judged { table, faults }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs
            .iter()
            .map(|&(name, n)| (name.to_owned(), n))
            .collect()
    }

    fn faults(baseline: &[(&str, u64)], now: &[(&str, u64)]) -> Vec<String> {
        let baseline = Baseline::of(counts(baseline), 3.0);
        judge(&baseline, &counts(now), [1000, 10_000]).faults
    }

    #[test]
    fn the_same_within_the_tolerance_is_no_fault() {
        let before = [("pass/a/1000", 100_000), ("pass/a/10000", 1_000_000)];
        assert!(faults(&before, &before).is_empty());
        let now = [("pass/a/1000", 102_900), ("pass/a/10000", 971_000)];
        assert!(faults(&before, &now).is_empty());
    }

    #[test]
    fn a_few_hundred_instructions_are_no_fault_whatever_their_share() {
        let before = [("pass/a/1000", 850)];
        assert!(faults(&before, &[("pass/a/1000", 1850)]).is_empty());
        assert_eq!(faults(&before, &[("pass/a/1000", 1851)]).len(), 1);
    }

    #[test]
    fn more_fewer_new_and_missing_are_faults() {
        let before = [("pass/a/1000", 100_000), ("pass/b/1000", 100_000)];
        let found = faults(&before, &[("pass/a/1000", 104_000), ("pass/c/1000", 5)]);
        assert_eq!(found.len(), 3);
        assert!(found[0].contains("pass/a/1000") && found[0].contains("+4.0 %"));
        assert!(found[1].contains("pass/c/1000") && found[1].contains("not in the baseline"));
        assert!(found[2].contains("pass/b/1000") && found[2].contains("not counted"));
        assert_eq!(faults(&before[..1], &[("pass/a/1000", 96_000)]).len(), 1);
    }

    #[test]
    fn a_quadratic_pass_is_a_fault_whatever_the_baseline_says() {
        let counts = [("pass/a/1000", 1000), ("pass/a/10000", 100_000)];
        let found = faults(&counts, &counts);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("2.00"), "{found:?}");
    }
}
