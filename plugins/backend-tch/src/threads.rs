//! How many threads libtorch computes with.

use std::sync::Once;

/// Where a user says so.
const VARIABLE: &str = "OMP_NUM_THREADS";

/// Takes the number that the environment says now. libtorch's OpenMP read it when it was loaded, which,
/// linked in, is before the program's command line was.
pub(crate) fn as_the_environment_says() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let said = std::env::var(VARIABLE).ok().and_then(|text| number(&text));
        if let Some(threads) = said.filter(|&n| n != tch::get_num_threads()) {
            tch::set_num_threads(threads);
        }
    });
}

/// The number for the outermost level of a list such as OpenMP takes; `None` of what is no number.
fn number(text: &str) -> Option<i32> {
    let first = text.split(',').next()?.trim();
    first.parse().ok().filter(|&n| n > 0)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn the_first_level_counts() {
        assert_eq!(number("4"), Some(4));
        assert_eq!(number(" 3,2"), Some(3));
        assert_eq!(number("0"), None);
        assert_eq!(number("many"), None);
    }
}
