//! The nearest known name to an unknown one, for error messages.
//!
//! ```
//! use mirage_suggest::{advice, nearest};
//!
//! let passes = ["channels_last", "fp16", "sdpa"];
//! assert_eq!(nearest("chanels-last", passes), Some("channels_last"));
//! assert_eq!(advice("fp61", passes), "did you mean `fp16`?");
//! assert_eq!(advice("quantize", passes), "expected one of channels_last, fp16, sdpa");
//! ```

/// The candidate that `name` is most likely a misspelling of, if one is near enough: at most a third of the
/// letters differ. Of names with dots the parts after the last dot may be near alone.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let distance = |candidate| {
        let whole = near(&name, candidate);
        let last = near(leaf(&name), leaf(candidate)).map(|d| d + 1);
        if name.contains('.') || candidate.contains('.') {
            whole.into_iter().chain(last).min()
        } else {
            whole
        }
    };
    candidates
        .into_iter()
        .filter_map(|c| Some((distance(c)?, c)))
        .min()
        .map(|(_, c)| c)
}

/// What to do about an unknown name, as the end of a sentence: the nearest known name, or all of them.
pub fn advice<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match nearest(name, candidates.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if candidates.is_empty() => "none is known".to_owned(),
        None => format!("expected one of {}", candidates.join(", ")),
    }
}

/// The number of edits between two names, if they are near.
fn near(name: &str, candidate: &str) -> Option<usize> {
    let distance = strsim::damerau_levenshtein(name, candidate);
    let length = candidate.len().max(name.len());
    (distance <= length.div_ceil(3) && distance < length).then_some(distance)
}

fn leaf(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_near() {
        let names = ["channels_last", "fp16", "bf16", "sdpa", "fuse"];
        assert_eq!(nearest("chanels-last", names), Some("channels_last"));
        assert_eq!(nearest("SDPA", names), Some("sdpa"));
        assert_eq!(nearest("fp61", names), Some("fp16"));
        assert_eq!(nearest("quantize", names), None);
    }

    #[test]
    fn the_last_part_of_a_dotted_name_may_be_near_alone() {
        let keys = ["network.memory.slots", "network.levels", "size.width"];
        assert_eq!(nearest("slot", keys), Some("network.memory.slots"));
        assert_eq!(nearest("network.slots", keys), Some("network.memory.slots"));
        assert_eq!(nearest("size.widht", keys), Some("size.width"));
        assert_eq!(nearest("height", keys), None);
    }

    #[test]
    fn no_candidates_are_said() {
        assert_eq!(advice("x", []), "none is known");
    }
}
