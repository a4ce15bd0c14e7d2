//! Lists of sizes on the command line.

use std::{collections::BTreeSet, str::FromStr};

/// Sizes in ascending order: `64..1024` doubles from the first to the last, `64,96,128` is a list, and both
/// can be combined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ladder(pub(super) Vec<usize>);

/// The maximum number of sizes.
const MAX_SIZES: usize = 100;

/// The largest size; its square must fit into memory.
const MAX_SIZE: usize = 1 << 20;

impl FromStr for Ladder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut sizes = BTreeSet::new();
        for item in text.split(',') {
            match item.split_once("..") {
                Some((first, last)) => sizes.extend(doubling(size(first)?, size(last)?)?),
                None => {
                    sizes.insert(size(item)?);
                }
            }
        }
        match sizes.len() {
            n if n > MAX_SIZES => Err(format!(
                "{n} sizes are too many; at most {MAX_SIZES} are allowed"
            )),
            _ => Ok(Ladder(sizes.into_iter().collect())),
        }
    }
}

fn size(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(n) if (1..=MAX_SIZE).contains(&n) => Ok(n),
        _ => Err(format!(
            "invalid size `{}`: expected whole numbers from 1 to {MAX_SIZE}, such as 64,96 or 64..1024",
            text.trim()
        )),
    }
}

fn doubling(first: usize, last: usize) -> Result<impl Iterator<Item = usize>, String> {
    if first > last {
        return Err(format!(
            "{first}..{last} is empty: the first size must not be above the last"
        ));
    }
    Ok(std::iter::successors(Some(first), move |n| {
        Some(2 * n).filter(|&next| next <= last)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_lists_and_doublings() {
        let sizes = |text: &str| text.parse::<Ladder>().map(|l| l.0);
        assert_eq!(sizes("64..256"), Ok(vec![64, 128, 256]));
        assert_eq!(sizes("48..100, 64,48"), Ok(vec![48, 64, 96]));
        assert_eq!(sizes("7"), Ok(vec![7]));
        for wrong in [
            "", "0", "-4", "64..", "..64", "128..64", "a", "1,,2", "2097152",
        ] {
            assert!(sizes(wrong).is_err(), "{wrong}");
        }
    }
}
