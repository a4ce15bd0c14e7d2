//! Formats numbers with units.

use std::time::Duration;

/// Bytes: `512 B`, `1.5 kB`, `23 MB`; powers of 1000.
pub(crate) fn bytes(n: u64) -> String {
    scaled(n as f64, &["B", "kB", "MB", "GB", "TB"])
}

/// A change in bytes with its sign; `·` for none.
pub(crate) fn bytes_change(n: i64) -> String {
    match n {
        0 => "·".to_owned(),
        _ => format!(
            "{}{}",
            if n < 0 { '−' } else { '+' },
            bytes(n.unsigned_abs())
        ),
    }
}

/// A count: `970`, `1.2 M`.
pub(crate) fn count(n: u64) -> String {
    scaled(n as f64, &["", "k", "M", "G", "T"])
        .trim_end()
        .to_owned()
}

/// Floating-point operations: `1.2 GFLOP`.
pub(crate) fn flops(n: u64) -> String {
    scaled(n as f64, &["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"])
}

/// Milliseconds with three significant digits: `0.42 ms`, `8.31 ms`, `120 ms`, `2.4 s`.
pub(crate) fn milliseconds(ms: f64) -> String {
    match ms {
        _ if ms >= 9999.5 => format!("{:.1} s", ms / 1e3),
        _ if ms >= 99.95 => format!("{ms:.0} ms"),
        _ if ms >= 9.995 => format!("{ms:.1} ms"),
        _ => format!("{ms:.2} ms"),
    }
}

/// As [`milliseconds`].
pub(crate) fn duration(time: Duration) -> String {
    milliseconds(time.as_secs_f64() * 1e3)
}

/// `1 frame`, `2 frames`.
pub(crate) fn plural(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn scaled(mut n: f64, units: &[&str]) -> String {
    let mut at = 0;
    while n >= 999.5 && at + 1 < units.len() {
        n /= 1000.0;
        at += 1;
    }
    match n {
        _ if at == 0 => format!("{n} {}", units[at]),
        _ if n < 9.95 => format!("{n:.1} {}", units[at]),
        _ => format!("{n:.0} {}", units[at]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_first_digits() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500), "1.5 kB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(23_400_000), "23 MB");
        assert_eq!(bytes_change(-1_500), "−1.5 kB");
        assert_eq!(bytes_change(0), "·");
        assert_eq!(count(12), "12");
        assert_eq!(count(1_234_567), "1.2 M");
        assert_eq!(milliseconds(0.4249), "0.42 ms");
        assert_eq!(milliseconds(99.96), "100 ms");
        assert_eq!(milliseconds(12_345.0), "12.3 s");
        assert_eq!(plural(1, "frame"), "1 frame");
    }
}
