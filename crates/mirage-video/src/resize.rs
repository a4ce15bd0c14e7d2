//! Resizing of frames.

use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions,
    images::{TypedImage, TypedImageRef},
    pixels::U8x3,
};

use crate::{Error, Frame, Result};

/// The filter of a resize.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// Sharpest; may overshoot a little at hard edges.
    #[default]
    Lanczos3,
    /// Softer and faster, no overshoot. Reducing averages over the area (no aliasing).
    Bilinear,
}

/// Resizes frames, keeping its buffers between calls.
#[derive(Debug, Default)]
pub struct Resizer {
    filter: Filter,
    inner: fast_image_resize::Resizer,
}

impl Resizer {
    /// Returns a resizer with this filter.
    #[must_use]
    pub fn new(filter: Filter) -> Self {
        Self {
            filter,
            inner: fast_image_resize::Resizer::new(),
        }
    }

    /// Resizes `frame` to `width` x `height`, with the same index and time; does not keep the aspect ratio. The same
    /// size is a copy.
    ///
    /// # Errors
    /// [`Error::BadSize`] if a side is zero or the target is too large.
    pub fn resize(&mut self, frame: &Frame, width: u32, height: u32) -> Result<Frame> {
        if (width, height) == (frame.width(), frame.height()) {
            return Ok(frame.clone());
        }
        let mut target = Frame::new(width, height, frame.index)?;
        self.resize_into(frame, &mut target)?;
        Ok(target)
    }

    /// Resizes `frame` to the size of `target`, which is overwritten, and copies the index and the time.
    ///
    /// # Errors
    /// [`Error::BadOption`] with the message of the resizing library.
    pub fn resize_into(&mut self, frame: &Frame, target: &mut Frame) -> Result<()> {
        (target.index, target.time) = (frame.index, frame.time);
        let (width, height) = (target.width(), target.height());
        if (width, height) == (frame.width(), frame.height()) {
            target.rgb_mut().copy_from_slice(frame.rgb());
            return Ok(());
        }
        let kernel = match self.filter {
            Filter::Lanczos3 => FilterType::Lanczos3,
            Filter::Bilinear => FilterType::Bilinear,
        };
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(kernel));
        let failed = |what: String| Error::BadOption {
            what: format!("resize: {what}"),
        };
        // Of one kind of pixel: code for every kind would take minutes to compile.
        let source = TypedImageRef::<U8x3>::from_buffer(frame.width(), frame.height(), frame.rgb())
            .map_err(|error| failed(error.to_string()))?;
        let mut target = TypedImage::<U8x3>::from_buffer(width, height, target.rgb_mut())
            .map_err(|error| failed(error.to_string()))?;
        self.inner
            .resize_typed(&source, &mut target, &options)
            .map_err(|error| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psnr;

    /// A smooth picture: what a resize there and back must keep.
    fn smooth(width: u32, height: u32) -> Frame {
        let mut frame = Frame::new(width, height, 5).unwrap();
        for (at, pixel) in frame.rgb_mut().chunks_exact_mut(3).enumerate() {
            let (x, y) = (at as u32 % width, at as u32 / width);
            let wave = (x as f32 / width as f32 * 6.0).sin() * 60.0;
            pixel[0] = (x * 255 / width) as u8;
            pixel[1] = (y * 255 / height) as u8;
            pixel[2] = (128.0 + wave) as u8;
        }
        frame
    }

    #[test]
    fn up_and_down_again_keeps_a_smooth_picture() {
        for filter in [Filter::Lanczos3, Filter::Bilinear] {
            let mut resizer = Resizer::new(filter);
            let frame = smooth(97, 61);
            let up = resizer.resize(&frame, 256, 160).unwrap();
            assert_eq!((up.width(), up.height(), up.index), (256, 160, 5));
            let back = resizer.resize(&up, 97, 61).unwrap();
            let db = psnr(&back, &frame).unwrap();
            assert!(db > 40.0, "{filter:?}: {db} dB");
        }
    }

    #[test]
    fn extreme_sizes_and_flat_colours() {
        let mut resizer = Resizer::default();
        for (from, to) in [((1, 1), (97, 61)), ((97, 61), (1, 1)), ((1, 300), (300, 1))] {
            let flat = vec![77; 3 * from.0 as usize * from.1 as usize];
            let frame = Frame::from_rgb(from.0, from.1, 0, flat).unwrap();
            let out = resizer.resize(&frame, to.0, to.1).unwrap();
            assert!(out.rgb().iter().all(|&v| v == 77), "{from:?} to {to:?}");
        }
        assert!(resizer.resize(&smooth(2, 2), 0, 4).is_err());
    }
}
