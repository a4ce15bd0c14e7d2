//! The number of threads of libtorch.

use std::sync::Once;

/// The environment variables that set it.
const VARIABLE: &str = "OMP_NUM_THREADS";

/// Applies the number in the environment now. libtorch's OpenMP reads it when it is loaded, which is before
/// the program's command line is parsed if it is linked.
pub(crate) fn as_the_environment_says() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let said = std::env::var(VARIABLE).ok().and_then(|text| number(&text));
        if let Some(threads) = said.filter(|&n| n != tch::get_num_threads()) {
            tch::set_num_threads(threads);
        }
    });
}

/// Returns the first number of a list as in OpenMP; `None` if it is not a number.
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
