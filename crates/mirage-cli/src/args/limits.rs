//! `--peak`: the peak performance of a device.

use std::str::FromStr;

use clap::Args;
use mirage_machine::{Processor, RateOptions, Roofline, measure_roofline};

/// The peak performance of the device.
#[derive(Args, Clone, Debug)]
pub(crate) struct LimitsArgs {
    /// Peak performance of the device for rooflines, in GFLOP/s and GB/s. The processor is measured by
    /// default; for a graphics card this option is required
    #[arg(
        long = "peak",
        alias = "reaches",
        value_name = "GFLOPS,GBYTES",
        help_heading = "Backend",
        allow_hyphen_values = true
    )]
    pub(crate) peak: Option<Peak>,
}

/// Two rates, as on the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peak(Roofline);

impl FromStr for Peak {
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
        Ok(Peak(Roofline {
            gflops: rate(gflops)?,
            gbytes: rate(gbytes)?,
        }))
    }
}

impl LimitsArgs {
    /// Returns where the numbers come from.
    pub(crate) fn origin(&self) -> &'static str {
        match self.peak {
            Some(_) => "from --peak",
            None => "measured",
        }
    }

    /// Returns the peak performance of the device: that of `--peak`, or measured if the device is this
    /// machine's processor, which takes a second.
    ///
    /// # Errors
    /// If the peak performance is unknown.
    pub(crate) fn roofline(&self, device: &str) -> Result<Roofline, String> {
        if let Some(Peak(roofline)) = self.peak {
            return Ok(roofline);
        }
        if device != Processor::here().name {
            return Err(format!(
                "peak performance of {device} is unknown; pass --peak GFLOPS,GBYTES"
            ));
        }
        measure_roofline(&RateOptions::default()).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Peak;

    #[test]
    fn two_positive_numbers_are_read() {
        let Peak(roofline) = "754e3, 3020.5".parse().expect("two numbers");
        assert_eq!((roofline.gflops, roofline.gbytes), (754_000.0, 3020.5));
        for wrong in ["", "1", "1,", "1,2,3", "0,1", "1,-1", "inf,1", "a,b"] {
            assert!(wrong.parse::<Peak>().is_err(), "{wrong}");
        }
    }
}
