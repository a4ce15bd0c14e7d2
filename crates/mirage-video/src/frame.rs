//! Frames, and information about streams.

use std::{fmt, time::Duration};

use crate::{Error, Result, Sound};

/// Longest side of a frame, in pixels.
pub const MAX_SIDE: u32 = 32_768;
/// Largest area of a frame, in pixels (400 MB of RGB), so that a damaged header cannot exhaust memory.
pub const MAX_PIXELS: u64 = 1 << 27;

/// A frame: 8-bit RGB, interleaved, rows from the top, no padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    width: u32,
    height: u32,
    /// Presentation index: 0 for the first frame of the source, gaps where frames were skipped.
    pub index: u64,
    /// When the frame is shown, from the beginning of the stream. It is shown until the next frame's time.
    pub time: Duration,
    data: Vec<u8>,
}

impl Frame {
    /// Returns a black frame.
    ///
    /// # Errors
    /// [`Error::BadSize`] if a side is zero or the frame is too large.
    pub fn new(width: u32, height: u32, index: u64) -> Result<Self> {
        let len = checked_len("frame", width.into(), height.into())?;
        Ok(Self {
            width,
            height,
            index,
            time: Duration::ZERO,
            data: vec![0; len],
        })
    }

    /// Returns a frame of `data`: `3 * width * height` bytes, interleaved RGB.
    ///
    /// # Errors
    /// [`Error::BadSize`], or [`Error::BufferLength`] if the length of `data` differs.
    pub fn from_rgb(width: u32, height: u32, index: u64, data: Vec<u8>) -> Result<Self> {
        let want = checked_len("frame", width.into(), height.into())?;
        if data.len() != want {
            return Err(Error::BufferLength {
                width,
                height,
                got: data.len(),
                want,
            });
        }
        Ok(Self {
            width,
            height,
            index,
            time: Duration::ZERO,
            data,
        })
    }

    /// Returns the frame with the time of its index at a constant rate.
    #[must_use]
    pub(crate) fn at_rate(mut self, rate: Rational) -> Self {
        self.time = rate.time(self.index);
        self
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Interleaved RGB, `3 * width * height` bytes.
    #[must_use]
    pub fn rgb(&self) -> &[u8] {
        &self.data
    }

    /// Interleaved RGB to write to.
    pub fn rgb_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The bytes, without copying.
    #[must_use]
    pub fn into_rgb(self) -> Vec<u8> {
        self.data
    }

    /// Returns the colour at column `x`, row `y`; `None` outside of the frame.
    #[must_use]
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        if x >= self.width || y >= self.height {
            return None;
        }
        let at = 3 * (y as usize * self.width as usize + x as usize);
        Some([self.data[at], self.data[at + 1], self.data[at + 2]])
    }

    /// `WxH`, for messages.
    pub(crate) fn size(&self) -> String {
        format!("{}x{}", self.width, self.height)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Frame({}x{}, index {})",
            self.width, self.height, self.index
        )
    }
}

/// Bytes of an RGB frame, or [`Error::BadSize`] naming `name`.
pub(crate) fn checked_len(name: &str, width: u64, height: u64) -> Result<usize> {
    let side = 1..=u64::from(MAX_SIDE);
    if !side.contains(&width) || !side.contains(&height) || width * height > MAX_PIXELS {
        return Err(Error::BadSize {
            name: name.to_owned(),
            width,
            height,
        });
    }
    Ok(3 * (width * height) as usize)
}

/// A positive ratio of two integers, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rational {
    num: u32,
    den: u32,
}

impl Rational {
    /// 1.
    pub const ONE: Rational = Rational { num: 1, den: 1 };

    /// `num / den` in lowest terms; `None` where either is zero or the reduced ratio does not fit.
    #[must_use]
    pub fn new(num: u64, den: u64) -> Option<Self> {
        if num == 0 || den == 0 {
            return None;
        }
        let divisor = gcd(num, den);
        let num = u32::try_from(num / divisor).ok()?;
        let den = u32::try_from(den / divisor).ok()?;
        Some(Self { num, den })
    }

    /// Frames per second as a whole number.
    ///
    /// `None` for zero.
    #[must_use]
    pub fn whole(num: u32) -> Option<Self> {
        Self::new(num.into(), 1)
    }

    /// Reads `30`, `29.97`, `30000/1001` or `30000:1001`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((num, den)) = text.split_once(['/', ':']) {
            return Self::new(num.trim().parse().ok()?, den.trim().parse().ok()?);
        }
        let value: f64 = text.trim().parse().ok()?;
        if !(value.is_finite() && value > 0.0 && value < 1e6) {
            return None;
        }
        Self::new((value * 1000.0).round() as u64, 1000)
    }

    /// Numerator.
    #[must_use]
    pub fn num(self) -> u32 {
        self.num
    }

    /// Denominator.
    #[must_use]
    pub fn den(self) -> u32 {
        self.den
    }

    /// Returns the time of frame `index` at this rate.
    #[must_use]
    pub fn time(self, index: u64) -> Duration {
        let nanoseconds = u128::from(index) * u128::from(self.den) * 1_000_000_000;
        let rounded = (nanoseconds + u128::from(self.num) / 2) / u128::from(self.num);
        Duration::from_nanos(u64::try_from(rounded).unwrap_or(u64::MAX))
    }

    /// Returns the index of the frame that is nearest to `time` at this rate.
    #[must_use]
    pub fn index(self, time: Duration) -> u64 {
        let unit = u128::from(self.den) * 1_000_000_000;
        let index = (time.as_nanos() * u128::from(self.num) + unit / 2) / unit;
        u64::try_from(index).unwrap_or(u64::MAX)
    }

    /// As a floating-point number.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }
}

impl fmt::Display for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.den {
            1 => write!(f, "{}", self.num),
            den => write!(f, "{}/{den}", self.num),
        }
    }
}

pub(crate) fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Information about a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoInfo {
    /// Width of every frame, in pixels.
    pub width: u32,
    /// Height of every frame, in pixels.
    pub height: u32,
    /// Frames per second; the mean of a variable rate.
    pub fps: Rational,
    /// Whether frames have times of their own instead of a constant rate.
    pub variable: bool,
    /// The constant rate at which outputs without times repeat the frames of a variable rate; otherwise `fps`.
    pub grid: Rational,
    /// Width of a pixel divided by its height; 1 for square pixels.
    pub pixel_aspect: Rational,
    /// Number of frames if the format states it: an estimate for progress bars.
    pub frames: Option<u64>,
    /// The stream's name in messages.
    pub name: String,
    /// The sound beside the frames, which outputs that can hold sound copy.
    pub sound: Option<Sound>,
    /// What the user should know about how this stream is read, in full sentences.
    pub notes: Vec<String>,
}

impl VideoInfo {
    /// Returns the information of a stream of constant rate with square pixels and without sound.
    #[must_use]
    pub fn new(name: impl Into<String>, width: u32, height: u32, fps: Rational) -> Self {
        Self {
            width,
            height,
            fps,
            variable: false,
            grid: fps,
            pixel_aspect: Rational::ONE,
            frames: None,
            name: name.into(),
            sound: None,
            notes: Vec::new(),
        }
    }

    /// Returns whether pixels are square.
    #[must_use]
    pub fn is_square(&self) -> bool {
        self.pixel_aspect == Rational::ONE
    }

    /// Returns the information after checking the size.
    ///
    /// # Errors
    /// [`Error::BadSize`] for an invalid size.
    pub fn check(&self) -> Result<()> {
        checked_len(&self.name, self.width.into(), self.height.into()).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rationals_are_reduced_and_parsed() {
        let ntsc = Rational::parse("30000/1001").unwrap();
        assert_eq!((ntsc.num(), ntsc.den()), (30000, 1001));
        assert_eq!(Rational::parse("29.97"), Rational::new(2997, 100));
        assert_eq!(Rational::parse("50:2"), Rational::whole(25));
        for bad in ["0", "0/1", "1/0", "-3", "nan", "inf", "", "x", "1e9"] {
            assert_eq!(Rational::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_and_indices_are_inverse() {
        for rate in ["30000/1001", "25", "1000", "1/3"].map(|r| Rational::parse(r).unwrap()) {
            for index in [0, 1, 29, 30, 107_892, 10_000_000] {
                assert_eq!(rate.index(rate.time(index)), index, "{rate} {index}");
            }
        }
        let ntsc = Rational::parse("30000/1001").unwrap();
        assert_eq!(ntsc.time(30_000), Duration::from_secs(1001));
    }

    #[test]
    fn sizes_are_bounded() {
        assert!(Frame::new(0, 3, 0).is_err());
        assert!(Frame::new(MAX_SIDE + 1, 1, 0).is_err());
        assert!(checked_len("x", u64::from(MAX_SIDE), u64::from(MAX_SIDE)).is_err());
        assert!(Frame::from_rgb(2, 2, 0, vec![0; 11]).is_err());
        assert_eq!(Frame::new(2, 3, 0).unwrap().rgb().len(), 18);
    }
}
