//! The built-in test video: a windmill on a hill, clouds, a balloon and a bouncing ball over a
//! tiled field, with smooth gradients, hard edges, fine texture, slow and fast motion.
//!
//! Every pixel is a function of (seed, size, index) by operations that do not depend on the platform: IEEE
//! `+ - * / sqrt floor`. The same options give the same bytes everywhere.

use super::{Source, SourceOptions};
use crate::{Error, Frame, Rational, Result, VideoInfo, frame::checked_len};

/// Height of the horizon as a fraction of the frame's height.
const HORIZON: f32 = 0.62;

/// The built-in scene as a source.
#[derive(Clone, Debug)]
pub struct Scene {
    info: VideoInfo,
    frames: Option<u64>,
    seed: u64,
    next: u64,
}

impl Scene {
    /// Returns the scene with the size, seed, rate and number of frames of `options`.
    ///
    /// # Errors
    /// [`Error::BadSize`] for an invalid size.
    pub fn new(options: &SourceOptions) -> Result<Self> {
        let (width, height) = options.scene_size;
        checked_len("scene", width.into(), height.into())?;
        let fps = options.fps.or(Rational::whole(24));
        let fps = fps.ok_or_else(|| Error::BadOption {
            what: "a frame rate of 0".into(),
        })?;
        let mut info = VideoInfo::new("scene", width, height, fps);
        info.frames = options.frames;
        Ok(Self {
            info,
            frames: options.frames,
            seed: options.seed,
            next: 0,
        })
    }

    /// Frame `index` of the scene, by itself.
    ///
    /// # Errors
    /// None for a size that [`Scene::new`] accepted.
    pub fn render(&self, index: u64) -> Result<Frame> {
        let mut frame =
            Frame::new(self.info.width, self.info.height, index)?.at_rate(self.info.fps);
        // Time in seconds; it wraps after 9 hours, before f32 would lose the motion.
        let wrapped = (index % (1 << 20)) as f64;
        let view = View {
            time: (wrapped / self.info.fps.to_f64()) as f32,
            pixel: 1.0 / self.info.height as f32,
            aspect: self.info.width as f32 / self.info.height as f32,
            seed: (self.seed ^ (self.seed >> 32)) as u32,
        };
        let width = self.info.width as usize;
        for (row, line) in frame.rgb_mut().chunks_exact_mut(3 * width).enumerate() {
            let y = (row as f32 + 0.5) * view.pixel;
            for (column, out) in line.chunks_exact_mut(3).enumerate() {
                let x = (column as f32 + 0.5) * view.pixel;
                let colour = view.colour(x, y);
                out.copy_from_slice(&colour.map(|value| (value * 255.0 + 0.5) as u8));
            }
        }
        Ok(frame)
    }
}

impl Source for Scene {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.frames.is_some_and(|frames| self.next >= frames) {
            return Ok(None);
        }
        let frame = self.render(self.next)?;
        self.next += 1;
        Ok(Some(frame))
    }
}

type Colour = [f32; 3];

/// One instant of the scene. Lengths are in frame heights, y downwards.
struct View {
    time: f32,
    pixel: f32,
    aspect: f32,
    seed: u32,
}

impl View {
    fn colour(&self, x: f32, y: f32) -> Colour {
        let mut colour = if y < HORIZON {
            self.sky(x, y)
        } else {
            self.field(x, y)
        };
        self.hills(x, y, &mut colour);
        self.windmill(x, y, &mut colour);
        self.balloon(x, y, &mut colour);
        self.ball(x, y, &mut colour);
        colour
    }

    /// A gradient from blue to peach, a sun with a glow, drifting clouds.
    fn sky(&self, x: f32, y: f32) -> Colour {
        let height = y / HORIZON;
        let mut colour = mix([0.16, 0.36, 0.72], [0.98, 0.80, 0.62], height * height);
        let sun = distance(x - 0.78 * self.aspect, y - 0.20);
        let glow = 0.006 / (sun * sun + 0.012);
        colour = mix(colour, [1.0, 0.93, 0.72], glow.min(0.75));
        blend(&mut colour, [1.0, 0.97, 0.86], self.inside(sun - 0.055));
        let drift = x + 0.04 * self.time;
        let cloud = self.noise(drift * 4.0, y * 9.0, 1) * 0.55
            + self.noise(drift * 9.0, y * 20.0, 2) * 0.30
            + self.noise(drift * 21.0 + 0.1 * self.time, y * 44.0, 3) * 0.15;
        let cover = smooth((cloud - 0.50) / 0.22) * (1.0 - height * height);
        mix(colour, [1.0, 0.98, 0.97], 0.85 * cover)
    }

    /// A tiled field that moves towards the eye, with grass, fading into haze.
    fn field(&self, x: f32, y: f32) -> Colour {
        let depth = 0.12 / (y - HORIZON + 0.012);
        let across = (x - 0.5 * self.aspect) * depth * 5.0;
        let along = depth * 6.0 + self.time * 0.9;
        let tile = ((across.floor() + along.floor()) * 0.5).fract().abs() > 0.25;
        let base = if tile {
            [0.33, 0.55, 0.22]
        } else {
            [0.47, 0.66, 0.28]
        };
        let grass = self.noise(across * 14.0, along * 14.0, 4) - 0.5;
        let near = smooth((y - HORIZON) * 6.0);
        let colour = base.map(|value| (value + 0.30 * grass * near).clamp(0.0, 1.0));
        mix([0.62, 0.70, 0.50], colour, smooth((y - HORIZON) * 9.0))
    }

    /// Two ranges of hills, the nearer one moving faster and covered with fine texture.
    fn hills(&self, x: f32, y: f32, colour: &mut Colour) {
        if y > HORIZON + 0.02 {
            return;
        }
        let far = x + 0.012 * self.time;
        let ridge = 0.52 - 0.05 * wave(far * 0.55) - 0.025 * wave(far * 1.7 + 0.3);
        blend(colour, [0.50, 0.56, 0.70], self.inside(ridge - y));
        let near = x + 0.03 * self.time;
        let ridge = 0.575 - 0.04 * wave(near * 0.8 + 0.6) - 0.012 * wave(near * 2.9);
        let trees = 0.012 * self.noise(near * 60.0, 0.0, 5);
        let shade = 0.85 + 0.35 * self.noise(near * 90.0, y * 90.0, 6);
        let green = [0.20, 0.36, 0.25].map(|value| value * shade);
        blend(colour, green, self.inside(ridge - trees - y));
    }

    /// A tower with four turning lattice sails: thin lines in motion.
    fn windmill(&self, x: f32, y: f32, colour: &mut Colour) {
        let (x, y) = (x - 0.30 * self.aspect, y - 0.34);
        if x * x + y * y > 0.16 {
            return;
        }
        let half = 0.022 + 0.055 * y;
        if (0.0..0.30).contains(&y) {
            let brick = if ((y * 70.0).floor() * 0.5).fract() > 0.25 {
                0.08
            } else {
                0.0
            };
            let side = 0.9 - 0.35 * (x / half + 1.0) * 0.5;
            let stone = [
                0.93 * side - brick,
                0.88 * side - brick,
                0.80 * side - brick,
            ];
            blend(colour, stone, self.inside(x.abs() - half));
        }
        let turn = self.time * 0.13 + (self.seed % 16) as f32 / 16.0;
        let (sine, cosine) = (wave(turn), wave(turn + 0.25));
        for (a, b) in [
            (cosine, sine),
            (-sine, cosine),
            (-cosine, -sine),
            (sine, -cosine),
        ] {
            let along = x * a + y * b;
            let aside = y * a - x * b;
            if !(0.0..0.24).contains(&along) {
                continue;
            }
            let spar = aside.abs() - 0.0045;
            let sail = (aside - 0.022).abs() - 0.018;
            let lattice = ((along * 60.0).fract() - 0.5).abs() > 0.22;
            if along > 0.05 {
                let cloth = if lattice {
                    [0.92, 0.30, 0.22]
                } else {
                    [0.97, 0.95, 0.90]
                };
                blend(colour, cloth, self.inside(sail));
            }
            blend(colour, [0.30, 0.20, 0.14], self.inside(spar));
        }
        blend(
            colour,
            [0.22, 0.15, 0.12],
            self.inside(distance(x, y) - 0.014),
        );
    }

    /// A striped balloon that drifts across the sky.
    fn balloon(&self, x: f32, y: f32, colour: &mut Colour) {
        let span = self.aspect + 0.4;
        let shift = (self.seed % 7) as f32 / 7.0;
        let at = ((self.time * 0.05 + 1.05 + shift) / span).fract() * span - 0.2;
        let (x, y) = (x - at, y - 0.24 - 0.02 * wave(self.time * 0.11));
        let basket = (x.abs() - 0.014).max((y - 0.145).abs() - 0.012);
        let rope =
            ((x.abs() - 0.05 + 0.36 * (y - 0.03)).abs() - 0.0025).max((y - 0.09).abs() - 0.05);
        blend(colour, [0.35, 0.24, 0.15], self.inside(rope));
        blend(colour, [0.52, 0.34, 0.18], self.inside(basket));
        let radius = distance(x, if y > 0.0 { y * 0.85 } else { y });
        if radius < 0.1 {
            // Stripes follow the sphere, so they crowd at the edge.
            let bulge = x / (0.0105 - y * y).max(0.0004).sqrt();
            let stripe = (bulge * 2.5 + 8.25).floor() as i32 % 3;
            let dye = [[0.89, 0.22, 0.21], [0.98, 0.83, 0.28], [0.16, 0.45, 0.75]];
            let lit = distance(x + 0.03, y + 0.04);
            let light = 1.0 - 2.2 * lit * lit / 0.02 * 0.15;
            let cloth = dye[stripe.unsigned_abs() as usize % 3].map(|v| v * light.clamp(0.55, 1.0));
            blend(colour, cloth, self.inside(radius - 0.085));
        }
    }

    /// A shaded ball that bounces on the field, with its shadow.
    fn ball(&self, x: f32, y: f32, colour: &mut Colour) {
        let beat = (self.time * 0.85).fract();
        let up = 4.0 * beat * (1.0 - beat);
        let centre = self.aspect * (0.62 + 0.22 * wave(self.time * 0.06 + 0.1));
        let (dx, dy) = (x - centre, y - (0.84 - 0.30 * up));
        let shadow = distance(dx * (0.8 + 0.5 * up), (y - 0.93) * 4.5);
        let dark = smooth((0.10 - shadow) / 0.06) * (0.55 - 0.3 * up);
        *colour = colour.map(|value| value * (1.0 - dark));
        let radius = distance(dx, dy);
        if radius > 0.095 {
            return;
        }
        let normal_z = (0.0082 - radius * radius).max(0.0).sqrt() / 0.09;
        let light = (0.35 * normal_z - 4.6 * dx - 6.2 * dy).clamp(0.0, 1.0);
        let band = (dy * wave(self.time * 0.3 + 0.25) + dx * wave(self.time * 0.3)).abs() < 0.02;
        let paint = if band {
            [0.98, 0.96, 0.92]
        } else {
            [0.86, 0.16, 0.20]
        };
        let shine = smooth((0.024 - distance(dx + 0.03, dy + 0.038)) / 0.02) * 0.8;
        let lit = paint.map(|value| (value * (0.42 + 0.62 * light)).min(1.0));
        blend(
            colour,
            mix(lit, [1.0; 3], shine),
            self.inside(radius - 0.09),
        );
    }

    /// Coverage of a pixel at this signed distance outside an edge.
    fn inside(&self, outside: f32) -> f32 {
        (0.5 - outside / self.pixel).clamp(0.0, 1.0)
    }

    /// Value noise in 0..1, one cell a unit.
    fn noise(&self, x: f32, y: f32, layer: u32) -> f32 {
        let (column, row) = (x.floor(), y.floor());
        let (u, v) = (smooth(x - column), smooth(y - row));
        let (column, row) = (column as i32, row as i32);
        let corner = |dx, dy| hash(column + dx, row + dy, layer ^ self.seed.rotate_left(8));
        let upper = corner(0, 0) + (corner(1, 0) - corner(0, 0)) * u;
        let lower = corner(0, 1) + (corner(1, 1) - corner(0, 1)) * u;
        upper + (lower - upper) * v
    }
}

/// A well-mixed number in 0..1 for a cell.
fn hash(x: i32, y: i32, layer: u32) -> f32 {
    let mut bits = (x as u32).wrapping_mul(0x9E37_79B1)
        ^ (y as u32).wrapping_mul(0x85EB_CA77)
        ^ layer.wrapping_mul(0xC2B2_AE3D);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x2C1B_3C6D);
    bits = (bits ^ (bits >> 12)).wrapping_mul(0x297A_2D39);
    ((bits ^ (bits >> 15)) >> 8) as f32 / 16_777_216.0
}

/// A sine-like wave with period 1: parabolas, corrected (error below 0.001).
fn wave(turn: f32) -> f32 {
    let phase = turn - turn.floor();
    let half = if phase < 0.5 { phase } else { phase - 0.5 };
    let arch = 16.0 * half * (0.5 - half);
    let arch = 0.775 * arch + 0.225 * arch * arch;
    if phase < 0.5 { arch } else { -arch }
}

fn smooth(value: f32) -> f32 {
    let value = value.clamp(0.0, 1.0);
    value * value * (3.0 - 2.0 * value)
}

fn distance(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

fn mix(from: Colour, to: Colour, part: f32) -> Colour {
    [0, 1, 2].map(|c| from[c] + (to[c] - from[c]) * part)
}

fn blend(colour: &mut Colour, over: Colour, coverage: f32) {
    if coverage > 0.0 {
        *colour = mix(*colour, over, coverage);
    }
}
