//! Small files of `/sys` and `/proc`.

use std::{fs, path::Path, str::FromStr};

/// Reads the trimmed text of a file; `None` if it cannot be read.
pub(crate) fn text(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// Reads a file that consists of a number.
pub(crate) fn number<T: FromStr>(path: &Path) -> Option<T> {
    text(path)?.parse().ok()
}

/// Parses a size as in `/sys`, such as `96K`, `32768K`, `1M`; returns bytes.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.char_indices().last()? {
        (at, 'K') => (&text[..at], 1 << 10),
        (at, 'M') => (&text[..at], 1 << 20),
        (at, 'G') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Returns the number of elements of a list as in `/sys`, such as `0-1,8`.
pub(crate) fn list_length(text: &str) -> Option<usize> {
    let mut count = 0;
    for part in text.split(',') {
        count += match part.split_once('-') {
            Some((first, last)) => {
                let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
                last.checked_sub(first)? + 1
            }
            None => part.parse::<usize>().map(|_| 1).ok()?,
        };
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_lists_are_read_and_nonsense_is_not() {
        assert_eq!(size("96K"), Some(96 << 10));
        assert_eq!(size("1M"), Some(1 << 20));
        assert_eq!(size("512"), Some(512));
        assert_eq!(size("K"), None);
        assert_eq!(size(""), None);
        assert_eq!(list_length("0-1"), Some(2));
        assert_eq!(list_length("0,4-7,9"), Some(6));
        assert_eq!(list_length("3-1"), None);
        assert_eq!(list_length("x"), None);
    }
}
