//! Sources with square pixels.

use super::Source;
use crate::{Filter, Rational, VideoInfo, resized_source};

/// Resizes frames of `inner` to square pixels: the longer side of a pixel is kept.
pub(super) fn wrap(inner: Box<dyn Source + Send>) -> Box<dyn Source + Send> {
    let info = inner.info();
    if info.is_square() {
        return inner;
    }
    let (width, height) = size(info);
    resized_source(inner, width, height, Filter::Lanczos3)
}

/// Returns the size at which the picture has square pixels and no less of them.
fn size(info: &VideoInfo) -> (u32, u32) {
    let aspect = info.pixel_aspect.to_f64();
    let (width, height) = (f64::from(info.width), f64::from(info.height));
    let even = |side: f64| ((side / 2.0).round() as u32).max(1) * 2;
    match info.pixel_aspect.num() > info.pixel_aspect.den() {
        true => (even(width * aspect), info.height),
        false => (info.width, even(height / aspect)),
    }
}

/// Returns the aspect of pixels when a picture is resized.
pub(crate) fn resized_aspect(info: &VideoInfo, width: u32, height: u32) -> Rational {
    let aspect = info.pixel_aspect;
    let num = u64::from(aspect.num()) * u64::from(info.width) * u64::from(height);
    let den = u64::from(aspect.den()) * u64::from(info.height) * u64::from(width);
    let found = Rational::new(num, den).unwrap_or(Rational::ONE);
    // A size is a whole number of pixels, and an even one.
    let rounding = 0.01_f64.max(1.0 / f64::from(width.min(height)));
    if (found.to_f64() - 1.0).abs() <= rounding {
        Rational::ONE
    } else {
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_become_as_wide_as_they_are_shown() {
        let mut info = VideoInfo::new("x", 720, 576, Rational::ONE);
        for (aspect, want) in [
            ((16, 15), (768, 576)),
            ((1, 2), (720, 1152)),
            ((1, 1), (720, 576)),
        ] {
            info.pixel_aspect = Rational::new(aspect.0, aspect.1).unwrap();
            let (width, height) = size(&info);
            assert_eq!((width, height), want);
            assert_eq!(resized_aspect(&info, width, height), Rational::ONE);
        }
    }
}
