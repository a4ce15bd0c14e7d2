//! Checks for NaN and infinite values.

use crate::{Error, Result};

/// Checks that all values are finite.
///
/// # Errors
/// [`Error::NotFinite`] with the number of NaN and infinite values in frame `frame`.
pub fn check_finite(frame: u64, data: &[f32]) -> Result<()> {
    let count = data.iter().filter(|value| !value.is_finite()).count();
    match data.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(first) => Err(Error::NotFinite {
            frame,
            count,
            total: data.len(),
            first,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_not_finite_are_counted() {
        assert!(check_finite(3, &[0.0, -1.0, 2.0]).is_ok());
        let error = check_finite(3, &[0.0, f32::NAN, 1.0, f32::INFINITY]).unwrap_err();
        let expected = Error::NotFinite {
            frame: 3,
            count: 2,
            total: 4,
            first: 1,
        };
        assert_eq!(error.to_string(), expected.to_string());
    }
}
