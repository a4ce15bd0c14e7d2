//! Error bounds, and the error of a set.

use std::{fmt, str::FromStr};

use mirage_bench::{frame_error::FrameError, ledger::Errors};

/// A bound on the error of a frame, and of the last frame of a closed loop, against f32 without passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// The minimum peak signal-to-noise ratio, dB.
    Psnr(f64),
    /// The maximum norm of the differences divided by that of the reference.
    RelativeL2(f64),
}

/// The error of a set's pictures, the worse of frame and closed loop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Peak signal-to-noise ratio, dB; infinite where all pictures are equal.
    pub psnr_db: f64,
    /// The norm of the differences divided by that of the reference.
    pub relative_l2: f64,
}

impl Quality {
    /// Returns the worse of frame and closed loop.
    pub fn of(errors: &Errors) -> Self {
        let all = [Some(&errors.frame), errors.closed_loop.as_ref()];
        let all = all.into_iter().flatten();
        let psnr = |e: &FrameError| e.psnr_db.unwrap_or(f64::INFINITY);
        let relative = |e: &FrameError| e.relative_l2.unwrap_or(f64::INFINITY);
        Quality {
            psnr_db: all.clone().map(psnr).fold(f64::INFINITY, f64::min),
            relative_l2: all.map(relative).fold(0.0, f64::max),
        }
    }
}

impl Bound {
    /// Returns whether this error is allowed.
    pub fn allows(&self, quality: &Quality) -> bool {
        match self {
            Bound::Psnr(least) => quality.psnr_db >= *least,
            Bound::RelativeL2(most) => quality.relative_l2 <= *most,
        }
    }

    /// Formats the error in the unit of the bound: `39.1 dB`.
    pub fn measure(&self, quality: &Quality) -> String {
        match self {
            Bound::Psnr(_) => format!("{:.1} dB", quality.psnr_db),
            Bound::RelativeL2(_) => format!("{:.2e}", quality.relative_l2),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Psnr(least) => write!(f, "psnr>={least}"),
            Bound::RelativeL2(most) => write!(f, "rel<={most:e}"),
        }
    }
}

impl FromStr for Bound {
    type Err = String;

    /// `psnr>=40`, `PSNR≥40 dB`, `rel<=1e-2`.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain: String = text
            .to_lowercase()
            .replace('≥', ">=")
            .replace('≤', "<=")
            .split_whitespace()
            .collect();
        let parsed = match plain.split_once('=') {
            Some(("psnr>", least)) => least.trim_end_matches("db").parse().ok().map(Bound::Psnr),
            Some(("rel<", most)) => most.parse().ok().map(Bound::RelativeL2),
            _ => None,
        };
        let is_right = |bound: &Bound| match bound {
            Bound::Psnr(least) => least.is_finite(),
            Bound::RelativeL2(most) => most.is_finite() && *most >= 0.0,
        };
        parsed.filter(is_right).ok_or_else(|| {
            "expected psnr>=40 (decibels) or rel<=1e-2 (relative L2), quoted for your shell"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_in_every_form_and_nonsense_is_not() {
        for text in ["psnr>=40", "PSNR≥40", "psnr >= 40.0 dB"] {
            assert_eq!(text.parse(), Ok(Bound::Psnr(40.0)), "{text}");
        }
        for text in ["rel<=1e-2", "rel≤0.01", "REL <= 1e-2"] {
            assert_eq!(text.parse(), Ok(Bound::RelativeL2(0.01)), "{text}");
        }
        for text in [
            "",
            "40",
            "psnr<=40",
            "rel>=1",
            "psnr>=",
            "psnr>=inf",
            "rel<=-1",
            "ssim>=1",
        ] {
            assert!(text.parse::<Bound>().is_err(), "{text}");
        }
        for bound in [Bound::Psnr(40.5), Bound::RelativeL2(0.003)] {
            assert_eq!(bound.to_string().parse(), Ok(bound));
        }
    }

    #[test]
    fn the_worse_of_frame_and_loop_counts() {
        let error = |psnr_db, relative_l2| FrameError {
            max_abs: 0.0,
            relative_l2: Some(relative_l2),
            psnr_db,
            ssim: None,
        };
        let equal = error(None, 0.0);
        let exact = Quality::of(&Errors {
            frame: equal,
            closed_loop: Some(equal),
        });
        assert!(Bound::Psnr(1000.0).allows(&exact) && Bound::RelativeL2(0.0).allows(&exact));
        let drifting = Quality::of(&Errors {
            frame: error(Some(60.0), 1e-4),
            closed_loop: Some(error(Some(39.0), 2e-2)),
        });
        assert!(!Bound::Psnr(40.0).allows(&drifting) && Bound::Psnr(38.0).allows(&drifting));
        assert!(!Bound::RelativeL2(1e-2).allows(&drifting));
    }
}
