//! Converts planar YUV to interleaved RGB and back.
//!
//! A y4m header does not state the matrix. Unless an option sets it, players' usual rule applies: BT.709
//! for high definition (width >= 1280 or height > 576), otherwise BT.601. The range is limited (16..235)
//! unless the header has `XCOLORRANGE=FULL`.

/// The luma weights of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorMatrix {
    /// Standard definition.
    Bt601,
    /// High definition.
    Bt709,
}

impl ColorMatrix {
    /// The matrix players assume for an untagged stream of this size.
    #[must_use]
    pub fn for_size(width: u32, height: u32) -> Self {
        if width >= 1280 || height > 576 {
            Self::Bt709
        } else {
            Self::Bt601
        }
    }

    /// Weights of red and blue in luma.
    fn weights(self) -> (f32, f32) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
        }
    }
}

/// The range of byte values of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorRange {
    /// Luma 16..235, chroma 16..240: video.
    #[default]
    Limited,
    /// 0..255: JPEG.
    Full,
}

/// How the chroma planes are sampled, and the position of their samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sampling {
    /// No chroma.
    Mono,
    /// A sample for each pixel.
    S444,
    /// A sample for two columns, at the left one.
    S422,
    /// A sample for 2x2 pixels, at their centre (JPEG, MPEG-1).
    S420Center,
    /// A sample for 2x2 pixels, at the left column between the rows (MPEG-2 and later).
    S420Left,
    /// A sample for 2x2 pixels, at the upper left one (PAL DV).
    S420TopLeft,
}

impl Sampling {
    fn halves(self) -> (bool, bool) {
        match self {
            Self::Mono | Self::S444 => (false, false),
            Self::S422 => (true, false),
            _ => (true, true),
        }
    }

    /// Returns the size of a chroma plane; halves of odd sizes are rounded up.
    pub(crate) fn chroma_size(self, width: usize, height: usize) -> (usize, usize) {
        let (half_x, half_y) = self.halves();
        match self {
            Self::Mono => (0, 0),
            _ => (
                if half_x { width.div_ceil(2) } else { width },
                if half_y { height.div_ceil(2) } else { height },
            ),
        }
    }
}

/// Coefficients of one matrix and range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Converter {
    kr: f32,
    kb: f32,
    luma_base: f32,
    luma_span: f32,
    chroma_span: f32,
}

impl Converter {
    pub(crate) fn new(matrix: ColorMatrix, range: ColorRange) -> Self {
        let (kr, kb) = matrix.weights();
        let (luma_base, luma_span, chroma_span) = match range {
            ColorRange::Limited => (16.0, 219.0, 224.0),
            ColorRange::Full => (0.0, 255.0, 255.0),
        };
        Self {
            kr,
            kb,
            luma_base,
            luma_span,
            chroma_span,
        }
    }

    fn rgb(&self, y: f32, u: f32, v: f32) -> [u8; 3] {
        let y = (y - self.luma_base) / self.luma_span * 255.0;
        let u = (u - 128.0) / self.chroma_span * 255.0;
        let v = (v - 128.0) / self.chroma_span * 255.0;
        let (kr, kb) = (self.kr, self.kb);
        let red = y + 2.0 * (1.0 - kr) * v;
        let blue = y + 2.0 * (1.0 - kb) * u;
        let green = (y - kr * red - kb * blue) / (1.0 - kr - kb);
        // `as` saturates.
        [(red + 0.5) as u8, (green + 0.5) as u8, (blue + 0.5) as u8]
    }

    fn luma(&self, [red, green, blue]: [f32; 3]) -> f32 {
        self.kr * red + (1.0 - self.kr - self.kb) * green + self.kb * blue
    }

    fn luma_byte(&self, rgb: [f32; 3]) -> u8 {
        (self.luma_base + self.luma(rgb) / 255.0 * self.luma_span + 0.5) as u8
    }

    fn chroma_bytes(&self, rgb: [f32; 3]) -> [u8; 2] {
        let y = self.luma(rgb);
        let scale = self.chroma_span / 255.0;
        let u = (rgb[2] - y) / (2.0 * (1.0 - self.kb));
        let v = (rgb[0] - y) / (2.0 * (1.0 - self.kr));
        [(u * scale + 128.5) as u8, (v * scale + 128.5) as u8]
    }

    /// Converts planes of a frame of this width to interleaved `rgb`; chroma is interpolated linearly from
    /// the positions of its samples.
    pub(crate) fn planes_to_rgb(
        &self,
        planes: [&[u8]; 3],
        sampling: Sampling,
        width: usize,
        rgb: &mut [u8],
    ) {
        let height = rgb.len() / (3 * width);
        let mut chroma = [vec![128.0; width], vec![128.0; width]];
        for (row, out) in rgb.chunks_exact_mut(3 * width).enumerate() {
            if sampling != Sampling::Mono {
                for (line, plane) in chroma.iter_mut().zip(&planes[1..]) {
                    upsample_row(plane, sampling, (width, height), row, line);
                }
            }
            let luma = &planes[0][row * width..][..width];
            let [u_line, v_line] = &chroma;
            let samples = luma.iter().zip(u_line.iter().zip(v_line));
            for (pixel, (&y, (&u, &v))) in out.chunks_exact_mut(3).zip(samples) {
                pixel.copy_from_slice(&self.rgb(f32::from(y), u, v));
            }
        }
    }

    /// Converts interleaved RGB to 4:2:0 (chroma at the centre of 2x2 pixels, as in JPEG) or 4:4:4 planes.
    pub(crate) fn rgb_to_planes(
        &self,
        rgb: &[u8],
        width: usize,
        subsample: bool,
        planes: &mut [Vec<u8>; 3],
    ) {
        let height = rgb.len() / (3 * width);
        let pixel = |x: usize, y: usize| {
            let at = 3 * (y * width + x);
            [rgb[at], rgb[at + 1], rgb[at + 2]].map(f32::from)
        };
        for plane in planes.iter_mut() {
            plane.clear();
        }
        for source in rgb.chunks_exact(3) {
            let colour = [source[0], source[1], source[2]].map(f32::from);
            planes[0].push(self.luma_byte(colour));
        }
        let step = if subsample { 2 } else { 1 };
        for top in (0..height).step_by(step) {
            for left in (0..width).step_by(step) {
                let mut sum = [0.0; 3];
                let mut count = 0.0;
                for y in top..(top + step).min(height) {
                    for x in left..(left + step).min(width) {
                        let colour = pixel(x, y);
                        sum = [sum[0] + colour[0], sum[1] + colour[1], sum[2] + colour[2]];
                        count += 1.0;
                    }
                }
                let [u, v] = self.chroma_bytes(sum.map(|value| value / count));
                planes[1].push(u);
                planes[2].push(v);
            }
        }
    }
}

/// Computes the chroma of a row at full width.
fn upsample_row(
    plane: &[u8],
    sampling: Sampling,
    (width, height): (usize, usize),
    row: usize,
    line: &mut [f32],
) {
    let (half_x, half_y) = sampling.halves();
    let (columns, rows) = sampling.chroma_size(width, height);
    let vertical_middle = matches!(sampling, Sampling::S420Center | Sampling::S420Left);
    let (upper, lower, down) = taps(row, rows, half_y, vertical_middle);
    let upper = &plane[upper * columns..][..columns];
    let lower = &plane[lower * columns..][..columns];
    let mix = |x: usize| f32::from(upper[x]) * (1.0 - down) + f32::from(lower[x]) * down;
    for (x, out) in line.iter_mut().enumerate() {
        let (left, right, along) = taps(x, columns, half_x, sampling == Sampling::S420Center);
        *out = mix(left) * (1.0 - along) + mix(right) * along;
    }
}

/// The two samples around position `at` on one axis, and the weight of the second.
fn taps(at: usize, count: usize, halved: bool, middle: bool) -> (usize, usize, f32) {
    let (near, odd) = (at / 2, at % 2 == 1);
    let next = (near + 1).min(count.saturating_sub(1));
    match (halved, middle, odd) {
        (false, ..) => (at, at, 0.0),
        (true, true, true) => (near, next, 0.25),
        (true, true, false) => (near, near.saturating_sub(1), 0.25),
        (true, false, true) => (near, next, 0.5),
        (true, false, false) => (near, near, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(rgb: [u8; 3], converter: Converter, subsample: bool) -> Vec<u8> {
        let (width, height) = (5, 3);
        let picture = rgb.repeat(width * height);
        let mut planes = [vec![], vec![], vec![]];
        converter.rgb_to_planes(&picture, width, subsample, &mut planes);
        let sampling = if subsample {
            Sampling::S420Center
        } else {
            Sampling::S444
        };
        let mut back = vec![0; picture.len()];
        let planes = [&planes[0][..], &planes[1][..], &planes[2][..]];
        converter.planes_to_rgb(planes, sampling, width, &mut back);
        back
    }

    #[test]
    fn published_values() {
        // BT.601 and BT.709 limited-range bytes of the primary colours (ITU-R colour bars, 100 %).
        let bars: [(_, [u8; 3], [u8; 3]); 7] = [
            (ColorMatrix::Bt601, [255, 255, 255], [235, 128, 128]),
            (ColorMatrix::Bt601, [255, 0, 0], [81, 90, 240]),
            (ColorMatrix::Bt601, [0, 255, 0], [145, 54, 34]),
            (ColorMatrix::Bt601, [0, 0, 255], [41, 240, 110]),
            (ColorMatrix::Bt709, [255, 0, 0], [63, 102, 240]),
            (ColorMatrix::Bt709, [0, 255, 0], [173, 42, 26]),
            (ColorMatrix::Bt709, [0, 0, 255], [32, 240, 118]),
        ];
        for (matrix, rgb, [y, u, v]) in bars {
            let converter = Converter::new(matrix, ColorRange::Limited);
            let colour = rgb.map(f32::from);
            assert_eq!(converter.luma_byte(colour), y, "{matrix:?} {rgb:?}");
            assert_eq!(converter.chroma_bytes(colour), [u, v], "{matrix:?} {rgb:?}");
        }
    }

    #[test]
    fn flat_colours_survive_within_rounding() {
        for matrix in [ColorMatrix::Bt601, ColorMatrix::Bt709] {
            for range in [ColorRange::Limited, ColorRange::Full] {
                for rgb in [[0, 0, 0], [255, 255, 255], [200, 30, 90], [3, 250, 128]] {
                    for subsample in [true, false] {
                        let back = round_trip(rgb, Converter::new(matrix, range), subsample);
                        for (got, want) in back.iter().zip(rgb.iter().cycle()) {
                            assert!(got.abs_diff(*want) <= 2, "{matrix:?} {range:?} {rgb:?}");
                        }
                    }
                }
            }
        }
    }

    /// A chroma ramp that is linear in the picture comes back linear where the siting is right,
    /// and shifted where it is not.
    #[test]
    fn siting_is_honoured() {
        let ramp = |first: f32| -> Vec<u8> {
            (0..8)
                .map(|sample| (100.0 + 8.0 * (2.0 * sample as f32 + first)) as u8)
                .collect()
        };
        for (sampling, first) in [(Sampling::S420Center, 0.5), (Sampling::S420Left, 0.0)] {
            let mut line = vec![0.0; 16];
            upsample_row(&ramp(first), sampling, (16, 1), 0, &mut line);
            for (x, value) in line.iter().enumerate().take(15).skip(1) {
                assert_eq!(*value, 100.0 + 8.0 * x as f32, "{sampling:?} column {x}");
            }
        }
    }
}
