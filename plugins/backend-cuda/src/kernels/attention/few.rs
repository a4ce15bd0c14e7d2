//! Attention over few keys, with a mask, a bias or causality: a plane for each query, in f32.

use cubecl::prelude::*;

use super::flash::Rows;
use crate::kernels::norm::rows::total;

/// Units of a plane.
const PLANE: usize = 32;
/// Queries of a cube, a plane each.
pub(crate) const QUERIES: usize = 4;
/// Units of a cube.
pub(crate) const UNITS: usize = QUERIES * PLANE;
/// The maximum number of keys, whose scores are in shared memory.
pub(crate) const KEYS: usize = 128;

/// The strides of a mask or a bias that broadcasts to `[B,H,M,N]`.
#[derive(CubeLaunch, CubeType)]
pub(crate) struct Places {
    pub(crate) batch: u32,
    pub(crate) head: u32,
    pub(crate) row: u32,
    pub(crate) key: u32,
}

#[cube]
fn place(places: &Places, query: u32, key: u32) -> usize {
    (CUBE_POS_Z * places.batch + CUBE_POS_Y * places.head + query * places.row + key * places.key)
        as usize
}

/// Cube (i, h, b) gives 4 queries of head h of batch b. A key is left out where the mask is not zero. A
/// query without keys gives 0. `dim` is in vectors.
#[cube(launch_unchecked)]
pub(crate) fn attend_few<F: Float, M: Numeric, N: Size>(
    q: &[Vector<F, N>],
    k: &[Vector<F, N>],
    v: &[F],
    mask: ComptimeOption<&[M]>,
    bias: ComptimeOption<&[F]>,
    out: &mut [F],
    q_rows: Rows,
    k_rows: Rows,
    v_rows: Rows,
    out_rows: Rows,
    mask_places: Places,
    bias_places: Places,
    queries: u32,
    keys: u32,
    dim: u32,
    value: u32,
    scale: f32,
    #[comptime] causal: bool,
    #[define(F, M)] _dtypes: [ElemType; 2],
) {
    let mut scores = Shared::<[f32]>::new_slice(comptime!(QUERIES * KEYS));
    let lane = UNIT_POS % comptime!(PLANE as u32);
    let plane = UNIT_POS / comptime!(PLANE as u32);
    let own = plane * comptime!(KEYS as u32);
    // Planes beyond the last query do its work again and write nothing, so that all meet at the barrier.
    let asked = CUBE_POS_X * comptime!(QUERIES as u32) + plane;
    let query = select(asked < queries, asked, queries - 1u32);
    let q_from = CUBE_POS_Z * q_rows.batch + CUBE_POS_Y * q_rows.head + query * q_rows.row;
    let k_from = CUBE_POS_Z * k_rows.batch + CUBE_POS_Y * k_rows.head;
    let v_from = CUBE_POS_Z * v_rows.batch + CUBE_POS_Y * v_rows.head;
    let out_from = CUBE_POS_Z * out_rows.batch + CUBE_POS_Y * out_rows.head + query * out_rows.row;

    let steps = keys.div_ceil(comptime!(PLANE as u32));
    let mut most = f32::new(f32::NEG_INFINITY);
    for step in 0..steps {
        let key = step * comptime!(PLANE as u32) + lane;
        if key < keys {
            let row = k_from + key * k_rows.row;
            let mut products = Vector::<f32, N>::new(0.0);
            for d in 0..dim {
                products += Vector::<f32, N>::cast_from(q[(q_from + d) as usize])
                    * Vector::<f32, N>::cast_from(k[(row + d) as usize]);
            }
            let mut score = total::<N>(products) * scale;
            #[comptime]
            match bias {
                ComptimeOption::Some(bias) => {
                    score += f32::cast_from(bias[place(&bias_places, query, key)]);
                }
                ComptimeOption::None => {}
            }
            #[comptime]
            match mask {
                ComptimeOption::Some(mask) => {
                    let left_out = u32::cast_from(mask[place(&mask_places, query, key)]) != 0u32;
                    score = select(left_out, f32::NEG_INFINITY, score);
                }
                ComptimeOption::None => {}
            }
            if comptime!(causal) {
                score = select(key + queries > query + keys, f32::NEG_INFINITY, score);
            }
            scores[(own + key) as usize] = score;
            most = select(score > most, score, most);
        }
    }
    let most = plane_max(most);
    let base = select(most > f32::NEG_INFINITY, most, 0.0);
    let mut sum = 0.0f32;
    for step in 0..steps {
        let key = step * comptime!(PLANE as u32) + lane;
        if key < keys {
            let weight = (scores[(own + key) as usize] - base).exp();
            scores[(own + key) as usize] = weight;
            sum += weight;
        }
    }
    let sum = plane_sum(sum);
    let share = select(sum > 0.0, 1.0 / sum, 0.0);
    sync_cube();

    for step in 0..value.div_ceil(comptime!(PLANE as u32)) {
        let d = step * comptime!(PLANE as u32) + lane;
        if d < value && asked < queries {
            let mut found = 0.0f32;
            for key in 0..keys {
                let x = f32::cast_from(v[(v_from + key * v_rows.row + d) as usize]);
                found += scores[(own + key) as usize] * x;
            }
            out[(out_from + d) as usize] = F::cast_from(found * share);
        }
    }
}
