//! Values that are written in a form of their own.

use std::str::FromStr;

use mirage_model::Size;
use mirage_video::Rational;

/// `WxH` in pixels. Which sizes a model can run at is the model's to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SizeArg(pub(crate) Size);

impl FromStr for SizeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sides = text.split_once(['x', 'X', '×']);
        let parsed =
            sides.and_then(|(w, h)| Some((w.trim().parse().ok()?, h.trim().parse().ok()?)));
        let (width, height) = parsed.ok_or("write it as WIDTHxHEIGHT, such as 64x64")?;
        if width == 0 || height == 0 {
            return Err("both sides must be above 0".to_owned());
        }
        Ok(SizeArg(Size { width, height }))
    }
}

/// A frame rate: `30`, `29.97`, `30000/1001`.
pub(crate) fn rate(text: &str) -> Result<Rational, String> {
    Rational::parse(text)
        .filter(|rate| rate.to_f64() <= 1000.0)
        .ok_or_else(|| {
            "a frame rate is a number above 0 and at most 1000, such as 24, 29.97 or 30000/1001"
                .to_owned()
        })
}
