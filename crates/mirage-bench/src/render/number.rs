//! Numbers as people read them.

use crate::stats::Interval;

/// Three significant digits, without an exponent from 0.001 to 100 000.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(1e-3..1e5).contains(&size) {
        return format!("{value:.2e}");
    }
    let digits = (2 - size.log10().floor() as i32).clamp(0, 5);
    format!("{value:.*}", digits as usize)
}

/// As [`short`], but values below 0.0005 are shown as `<0.001` and small ones with three decimals.
pub(super) fn brief(value: f64) -> String {
    match value.abs() {
        0.0 => short(value),
        size if size < 5e-4 => "<0.001".to_owned(),
        size if size < 0.01 => format!("{value:.3}"),
        _ => short(value),
    }
}

/// Megabytes, 10⁶ bytes.
pub fn megabytes(bytes: u64) -> String {
    short(bytes as f64 / 1e6)
}

/// A factor with its interval: `1.42× [1.38, 1.47]`.
pub fn factor(ratio: f64, interval: Option<&Interval>) -> String {
    match interval {
        Some(i) => format!("{ratio:.3}× [{:.3}, {:.3}]", i.low, i.high),
        None => format!("{ratio:.3}×"),
    }
}

/// A number with its interval: `3.10 [2.90, 3.30]`.
pub fn with_interval(i: &Interval) -> String {
    format!(
        "{} [{}, {}]",
        short(i.estimate),
        short(i.low),
        short(i.high)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits() {
        let cases = [
            (0.0, "0"),
            (1234.5, "1234"),
            (123.45, "123"),
            (12.345, "12.3"),
            (-1.2345, "-1.23"),
            (0.012_345, "0.0123"),
            (1.5e-7, "1.50e-7"),
            (2.5e9, "2.50e9"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
        let brief = [0.0, 1e-4, 0.003_4, 0.012_345].map(brief);
        assert_eq!(brief, ["0", "<0.001", "0.003", "0.0123"]);
    }
}
