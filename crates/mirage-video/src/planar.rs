//! Frames to and from the networks' layout: planar `[3, height, width]` f32 in `[-1, 1]`.

use crate::{Error, Frame, Result};

impl Frame {
    /// Writes the frame as planar RGB: `out[c * H * W + y * W + x] = value / 127.5 - 1`.
    ///
    /// # Errors
    /// [`Error::BufferLength`] where `out` is not `3 * H * W` long.
    pub fn to_planar(&self, out: &mut [f32]) -> Result<()> {
        check_len(self.width(), self.height(), out.len())?;
        let plane = out.len() / 3;
        for (channel, out) in out.chunks_exact_mut(plane).enumerate() {
            for (value, pixel) in out.iter_mut().zip(self.rgb().chunks_exact(3)) {
                *value = f32::from(pixel[channel]) / 127.5 - 1.0;
            }
        }
        Ok(())
    }

    /// A frame of planar RGB in `[-1, 1]`, rounded to nearest. Values outside saturate; infinities
    /// too; NaN becomes black (0). Those are faults of a computation, not of a picture:
    /// [`check_finite`] finds them first.
    ///
    /// # Errors
    /// [`Error::BadSize`], or [`Error::BufferLength`] where `data` is not `3 * H * W` long.
    pub fn from_planar(width: u32, height: u32, index: u64, data: &[f32]) -> Result<Self> {
        let mut frame = Frame::new(width, height, index)?;
        check_len(width, height, data.len())?;
        let plane = data.len() / 3;
        for (channel, data) in data.chunks_exact(plane).enumerate() {
            for (pixel, value) in frame.rgb_mut().chunks_exact_mut(3).zip(data) {
                // `as` saturates and takes NaN to 0.
                pixel[channel] = ((value + 1.0) * 127.5).round() as u8;
            }
        }
        Ok(frame)
    }
}

/// Refuses values that no picture has.
///
/// # Errors
/// [`Error::NotFinite`] with the count of NaN and infinite values in frame `frame`.
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

fn check_len(width: u32, height: u32, got: usize) -> Result<()> {
    let want = 3 * width as usize * height as usize;
    if got != want {
        return Err(Error::BufferLength {
            width,
            height,
            got,
            want,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_round_trip() {
        let data: Vec<u8> = (0..=255).flat_map(|v| [v, 255 - v, v / 2]).collect();
        let frame = Frame::from_rgb(16, 16, 3, data).unwrap();
        let mut planar = vec![0.0; 3 * 256];
        frame.to_planar(&mut planar).unwrap();
        assert_eq!(planar[0], -1.0);
        assert_eq!(planar[255], 1.0);
        assert_eq!(planar[256], 1.0, "green plane follows red");
        assert_eq!(Frame::from_planar(16, 16, 3, &planar).unwrap(), frame);
    }

    #[test]
    fn values_outside_saturate_and_nan_is_counted() {
        let planar = [7.0, f32::INFINITY, -7.0, f32::NEG_INFINITY, f32::NAN, 0.0];
        let frame = Frame::from_planar(2, 1, 0, &planar).unwrap();
        assert_eq!(frame.rgb(), [255, 0, 0, 255, 0, 128]);
        let Err(Error::NotFinite {
            count: 3,
            total: 6,
            first: 1,
            ..
        }) = check_finite(0, &planar)
        else {
            panic!("three values are not finite");
        };
        assert!(check_finite(0, &[0.5, -2.0]).is_ok());
    }

    #[test]
    fn a_wrong_length_is_refused() {
        let frame = Frame::new(3, 2, 0).unwrap();
        assert!(frame.to_planar(&mut [0.0; 17]).is_err());
        assert!(Frame::from_planar(3, 2, 0, &[0.0; 19]).is_err());
    }
}
