//! What a backend's device can do at most, which times are held against.

use std::str::FromStr;

use clap::Args;
use mirage_machine::{Processor, RateOptions, Roofline, measure_roofline};

/// What the device reaches.
#[derive(Args, Clone, Debug)]
pub(crate) struct LimitsArgs {
    /// What the device reaches, in 10⁹ floating-point operations and 10⁹ bytes of memory traffic a
    /// second, instead of measuring it: only the processor is measured, so a graphics card needs this
    #[arg(
        long,
        value_name = "GFLOPS,GBYTES",
        help_heading = "Backend",
        allow_hyphen_values = true
    )]
    pub(crate) reaches: Option<Reaches>,
}

/// Two rates, as they are typed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reaches(Roofline);

impl FromStr for Reaches {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("`{text}` is not GFLOPS,GBYTES, two positive numbers such as 750000,3000");
        let rate = |text: &str| {
            let rate: f64 = text.trim().parse().map_err(|_| wrong())?;
            match rate.is_finite() && rate > 0.0 {
                true => Ok(rate),
                false => Err(wrong()),
            }
        };
        let (gflops, gbytes) = text.split_once(',').ok_or_else(wrong)?;
        Ok(Reaches(Roofline {
            gflops: rate(gflops)?,
            gbytes: rate(gbytes)?,
        }))
    }
}

impl LimitsArgs {
    /// Where the numbers come from, in a word or two.
    pub(crate) fn origin(&self) -> &'static str {
        match self.reaches {
            Some(_) => "as --reaches says",
            None => "measured",
        }
    }

    /// What this device reaches: as it was said, or, of this machine's processor, measured, which takes a
    /// second. Otherwise why that is not known.
    pub(crate) fn roofline(&self, device: &str) -> Result<Roofline, String> {
        if let Some(Reaches(roofline)) = self.reaches {
            return Ok(roofline);
        }
        if device != Processor::here().name {
            return Err(format!(
                "what {device} reaches is not known: --reaches GFLOPS,GBYTES says it"
            ));
        }
        measure_roofline(&RateOptions::default()).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Reaches;

    #[test]
    fn two_positive_numbers_are_read() {
        let Reaches(roofline) = "754e3, 3020.5".parse().expect("two numbers");
        assert_eq!((roofline.gflops, roofline.gbytes), (754_000.0, 3020.5));
        for wrong in ["", "1", "1,", "1,2,3", "0,1", "1,-1", "inf,1", "a,b"] {
            assert!(wrong.parse::<Reaches>().is_err(), "{wrong}");
        }
    }
}
