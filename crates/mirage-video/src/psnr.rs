//! Peak signal-to-noise ratio between frames.

use crate::{Error, Frame, Result};

/// Returns the PSNR of two 8-bit frames in dB over all three channels; infinite if they are equal.
///
/// # Errors
/// [`Error::Mismatch`] if the sizes differ.
pub fn psnr(left: &Frame, right: &Frame) -> Result<f64> {
    Ok(to_db(mean_squared_error(left, right)?))
}

/// PSNR over a whole video: from the mean of the frames' squared errors (as ffmpeg's `average`),
/// so one frame that happens to be equal does not make the mean infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PsnrMean {
    sum: f64,
    worst: f64,
    frames: u64,
}

impl PsnrMean {
    /// Adds one pair of frames and returns its own PSNR in dB.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the sizes differ; nothing is added then.
    pub fn add(&mut self, left: &Frame, right: &Frame) -> Result<f64> {
        let error = mean_squared_error(left, right)?;
        self.sum += error;
        self.worst = self.worst.max(error);
        self.frames += 1;
        Ok(to_db(error))
    }

    /// PSNR of the mean squared error in dB; `None` before the first pair, infinite where all
    /// pairs are equal.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.frames > 0).then(|| to_db(self.sum / self.frames as f64))
    }

    /// PSNR of the worst pair in dB; `None` before the first pair.
    #[must_use]
    pub fn worst(&self) -> Option<f64> {
        (self.frames > 0).then(|| to_db(self.worst))
    }

    /// Pairs added.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }
}

fn mean_squared_error(left: &Frame, right: &Frame) -> Result<f64> {
    if (left.width(), left.height()) != (right.width(), right.height()) {
        return Err(Error::Mismatch {
            left: left.size(),
            right: right.size(),
        });
    }
    let pairs = left.rgb().iter().zip(right.rgb());
    let sum: u64 = pairs.map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum();
    Ok(sum as f64 / left.rgb().len() as f64)
}

fn to_db(mean_squared_error: f64) -> f64 {
    10.0 * (255.0 * 255.0 / mean_squared_error).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(value: u8) -> Frame {
        Frame::from_rgb(4, 3, 0, vec![value; 36]).unwrap()
    }

    #[test]
    fn known_values() {
        assert_eq!(psnr(&flat(9), &flat(9)).unwrap(), f64::INFINITY);
        // An error of 255 everywhere is 0 dB, of 1 everywhere 20 log10(255).
        assert_eq!(psnr(&flat(0), &flat(255)).unwrap(), 0.0);
        assert!((psnr(&flat(7), &flat(8)).unwrap() - 48.130_803_608_679_1).abs() < 1e-9);
        assert!(psnr(&flat(0), &Frame::new(3, 4, 0).unwrap()).is_err());
    }

    #[test]
    fn the_mean_is_of_errors_not_of_decibels() {
        let mut mean = PsnrMean::default();
        assert_eq!(mean.mean(), None);
        mean.add(&flat(7), &flat(7)).unwrap();
        assert_eq!(mean.mean(), Some(f64::INFINITY));
        mean.add(&flat(7), &flat(9)).unwrap();
        // Mean squared error (0 + 4) / 2.
        assert!((mean.mean().unwrap() - 10.0 * (65025.0_f64 / 2.0).log10()).abs() < 1e-12);
        assert!((mean.worst().unwrap() - 10.0 * (65025.0_f64 / 4.0).log10()).abs() < 1e-12);
        assert_eq!(mean.frames(), 2);
    }
}
