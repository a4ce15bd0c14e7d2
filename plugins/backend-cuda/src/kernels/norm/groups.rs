//! Group norm: a cube for each group.

use cubecl::prelude::*;
use mirage_ir::regions::Activation;

use super::rows::total;
use crate::kernels::product::finish::activate;

/// Units of a plane.
const PLANE: usize = 32;
/// Planes of a cube for a group of so many vectors: enough to have many loads under way, and no more to wait
/// for than there is to do.
pub(crate) fn planes(vectors: usize) -> usize {
    // Two vectors a unit.
    let wanted = vectors / (2 * PLANE);
    wanted.clamp(4, 32).next_power_of_two()
}

/// Units of a cube.
pub(crate) fn units(planes: usize) -> usize {
    planes * PLANE
}

/// The extents, in vectors: of a group's run of channels, and of all channels, at one place.
#[derive(CubeLaunch, CubeType)]
pub(crate) struct Extents {
    /// Groups of an image.
    pub(crate) groups: u32,
    /// Vectors of a group.
    pub(crate) len: u32,
    /// With channels innermost: vectors of a group, and of all groups, at one place.
    pub(crate) run: u32,
    pub(crate) pitch: u32,
    /// Otherwise: vectors of a channel, and channels of a group.
    pub(crate) channel: u32,
    pub(crate) channels: u32,
}

/// `activation((x - mean) / √(variance + eps) · gamma + beta)` over a group, in f32. Cube (g, n) is
/// group g of image n.
#[cube(launch_unchecked)]
pub(crate) fn normalize_groups<F: Float, P: Float, N: Size, M: Size>(
    x: &[Vector<F, N>],
    gamma: ComptimeOption<&[Vector<P, M>]>,
    beta: ComptimeOption<&[Vector<P, M>]>,
    out: &mut [Vector<F, N>],
    extents: Extents,
    eps: f32,
    #[comptime] last: bool,
    #[comptime] planes: usize,
    #[comptime] activation: Activation,
    #[define(F, P)] _dtypes: [ElemType; 2],
) {
    let mut shared = Shared::<[f32]>::new_slice(planes);
    let group = CUBE_POS_X;
    let image = CUBE_POS_Y;
    let line = N::value();
    let count = f32::cast_from(extents.len * comptime!(line as u32));
    let units = comptime!((planes * PLANE) as u32);

    // Distances from the group's first element, so that squares are of the size of the variance. All units
    // take as many steps, so that they meet again at the sum.
    let first = x[place(&extents, group, image, 0, last) as usize];
    let first = Vector::<f32, N>::new(f32::cast_from(first.extract(0usize)));
    let mut sums = Vector::<f32, N>::new(0.0);
    let mut squares = Vector::<f32, N>::new(0.0);
    for step in 0..extents.len.div_ceil(units) {
        let i = step * units + UNIT_POS;
        if i < extents.len {
            let at = place(&extents, group, image, i, last);
            let distance = Vector::<f32, N>::cast_from(x[at as usize]) - first;
            sums += distance;
            squares += distance * distance;
        }
    }
    let distance = cube_sum(total::<N>(sums), &mut shared, planes) / count;
    let square = cube_sum(total::<N>(squares), &mut shared, planes) / count;
    let variance = (square - distance * distance).max(0.0);
    let mean = first + Vector::<f32, N>::new(distance);
    let scale = Vector::<f32, N>::new(1.0 / (variance + eps).sqrt());

    for i in range_stepped(UNIT_POS, extents.len, units) {
        let at = place(&extents, group, image, i, last);
        let channel = if comptime!(last) {
            group * extents.run + i % extents.run
        } else {
            group * extents.channels + i / extents.channel
        };
        let mut y = (Vector::<f32, N>::cast_from(x[at as usize]) - mean) * scale;
        #[comptime]
        match gamma {
            ComptimeOption::Some(gamma) => y *= spread::<P, N, M>(gamma[channel as usize]),
            ComptimeOption::None => {}
        }
        #[comptime]
        match beta {
            ComptimeOption::Some(beta) => y += spread::<P, N, M>(beta[channel as usize]),
            ComptimeOption::None => {}
        }
        out[at as usize] = Vector::<F, N>::cast_from(activate::<N>(y, activation));
    }
}

/// Parameters of a vector of channels, or of one channel that a vector belongs to.
#[cube]
fn spread<P: Float, N: Size, M: Size>(parameters: Vector<P, M>) -> Vector<f32, N> {
    let mut values = Vector::<f32, N>::new(0.0);
    let there = M::value();
    #[unroll]
    for i in 0..N::value() {
        values.insert(i, f32::cast_from(parameters.extract(comptime!(i % there))));
    }
    values
}

/// Where vector `i` of a group lies.
#[cube]
fn place(extents: &Extents, group: u32, image: u32, i: u32, #[comptime] last: bool) -> u32 {
    if comptime!(last) {
        let places = extents.len / extents.run;
        (image * places + i / extents.run) * extents.pitch + group * extents.run + i % extents.run
    } else {
        (image * extents.groups + group) * extents.len + i
    }
}

/// The sum over all units of a cube.
#[cube]
fn cube_sum(value: f32, shared: &mut Shared<[f32]>, #[comptime] planes: usize) -> f32 {
    let sum = plane_sum(value);
    // What the sum before left there has been read by all.
    sync_cube();
    let lane = UNIT_POS % comptime!(PLANE as u32);
    if lane == 0 {
        shared[UNIT_POS as usize / PLANE] = sum;
    }
    sync_cube();
    let mut all = shared[0];
    #[unroll]
    for i in 1..planes {
        all += shared[i];
    }
    all
}
