//! The order of rows.

use std::cmp::Ordering;

use super::Row;

/// What rows are sorted by. What a row does not have goes last; equal rows keep their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The slowest first.
    #[default]
    Time,
    /// The most operations first.
    Flops,
    /// The most bytes first.
    Bytes,
    /// The farthest from the roofline first.
    Percent,
    /// The most time above what the roofline allows first: what there is to win.
    Gap,
    /// The most memory alive first.
    Memory,
    /// By name; numbers in names count as numbers, so that layer 10 comes after layer 9.
    Name,
}

impl Sort {
    /// Sorts rows.
    pub fn sort(self, rows: &mut [Row]) {
        rows.sort_by(|a, b| self.compare(a, b));
    }

    pub(super) fn compare(self, a: &Row, b: &Row) -> Ordering {
        match self {
            Sort::Time => b.ms.total_cmp(&a.ms),
            Sort::Flops => b.flops.cmp(&a.flops),
            Sort::Bytes => b.bytes.cmp(&a.bytes),
            Sort::Percent => {
                let percent = |r: &Row| r.roofline_percent.unwrap_or(f64::INFINITY);
                percent(a).total_cmp(&percent(b))
            }
            Sort::Gap => {
                // What has nothing to compute or to move is all gap.
                let gap = |r: &Row| r.ms * (1.0 - r.roofline_percent.unwrap_or(0.0) / 100.0);
                gap(b).total_cmp(&gap(a))
            }
            Sort::Memory => b.memory_bytes.cmp(&a.memory_bytes),
            Sort::Name => by_name(&a.name, &b.name),
        }
    }
}

/// Compares names piece by piece: runs of digits as numbers, the rest as text.
fn by_name(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let ((x, rest_a), (y, rest_b)) = (piece(a), piece(b));
        let order = match (x.parse::<u64>(), y.parse::<u64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y),
            _ => x.cmp(y),
        };
        if order.is_ne() || (x.is_empty() && y.is_empty()) {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

/// The first run of digits or of anything else, and what follows.
fn piece(text: &str) -> (&str, &str) {
    let digit = |c: char| c.is_ascii_digit();
    let first = text.starts_with(digit);
    let end = text.find(|c| digit(c) != first).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count() {
        let mut names = ["down.10", "down.9.b", "down.9", "10", "9", "up", ""];
        names.sort_by(|a, b| by_name(a, b));
        assert_eq!(
            names,
            ["", "9", "10", "down.9", "down.9.b", "down.10", "up"]
        );
    }
}
