//! Parsers of argument values.

use std::{str::FromStr, time::Duration};

use mirage_model::Size;
use mirage_video::Rational;

/// `WxH` in pixels. The model decides which sizes it accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SizeArg(pub(crate) Size);

impl FromStr for SizeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sides = text.split_once(['x', 'X', '×']);
        let parsed =
            sides.and_then(|(w, h)| Some((w.trim().parse().ok()?, h.trim().parse().ok()?)));
        let (width, height) = parsed.ok_or("expected WIDTHxHEIGHT, such as 64x64")?;
        if width == 0 || height == 0 {
            return Err("width and height must be above 0".to_owned());
        }
        Ok(SizeArg(Size { width, height }))
    }
}

/// Parses a frame rate: `30`, `29.97`, `30000/1001`.
pub(crate) fn rate(text: &str) -> Result<Rational, String> {
    Rational::parse(text)
        .filter(|rate| rate.to_f64() <= 1000.0)
        .ok_or_else(|| {
            "expected a frame rate above 0 and at most 1000, such as 24, 29.97 or 30000/1001"
                .to_owned()
        })
}

/// Parses a time: seconds, or with units as in `60s`, `2m`, `1m 30s`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let parsed = match text.trim().parse() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    parsed
        .filter(|time| !time.is_zero() && *time <= LONGEST)
        .ok_or_else(|| {
            "expected a time above 0 and at most one day, such as 60, 60s or 2m".to_owned()
        })
}

/// The longest accepted time.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Parses a percentage, with or without its sign: `5`, `5%`, `0.5 %`.
pub(crate) fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    number
        .parse()
        .ok()
        .filter(|share| (0.0..=1000.0).contains(share))
        .ok_or_else(|| "expected a percentage from 0 to 1000, such as 5 or 5%".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{percent, time};

    #[test]
    fn times_have_units_or_are_seconds() {
        let seconds = |text| time(text).unwrap().as_secs_f64();
        assert_eq!(
            ["60", "60s", "1.5", "2m", "1m 30s", "500ms"].map(seconds),
            [60.0, 60.0, 1.5, 120.0, 90.0, 0.5]
        );
        for wrong in [
            "", "0", "-5", "0s", "soon", "inf", "NaN", "2d", "s", "60 60",
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn percents_may_have_their_sign() {
        assert_eq!(
            ["5", "5%", " 0.5 % "].map(|t| percent(t).unwrap()),
            [5.0, 5.0, 0.5]
        );
        for wrong in ["", "%", "-1", "five", "NaN", "inf%"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
