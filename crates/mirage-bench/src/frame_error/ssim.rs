//! Structural similarity: Wang, Bovik, Sheikh and Simoncelli, IEEE Transactions on Image Processing
//! 13(4), 2004, with the paper's window and constants, and scikit-image's
//! `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)`.

/// Half a window's side, without the middle.
const RADIUS: usize = 5;
/// A window's side.
const WINDOW: usize = 2 * RADIUS + 1;
const SIGMA: f64 = 1.5;
const K1: f64 = 0.01;
const K2: f64 = 0.03;

/// The mean over planes of the mean over all windows that lie within a plane; `None` if none does.
pub(super) fn mean(a: &[f32], b: &[f32], shape: [usize; 4], range: f64) -> Option<f64> {
    let [batch, channels, height, width] = shape;
    let planes = batch * channels;
    if planes == 0 || height < WINDOW || width < WINDOW {
        return None;
    }
    let size = height * width;
    let planes_of = |values: &[f32]| -> Vec<Vec<f64>> {
        let plane = |p: &[f32]| p.iter().map(|&v| f64::from(v)).collect();
        values.chunks_exact(size).map(plane).collect()
    };
    let similarities = planes_of(a)
        .into_iter()
        .zip(planes_of(b))
        .map(|(a, b)| of_planes(&a, &b, width, range));
    Some(similarities.sum::<f64>() / planes as f64)
}

fn of_planes(a: &[f64], b: &[f64], width: usize, range: f64) -> f64 {
    let product =
        |x: &[f64], y: &[f64]| -> Vec<f64> { x.iter().zip(y).map(|(x, y)| x * y).collect() };
    let blurred = |plane: &[f64]| blur(plane, width);
    let (mean_a, mean_b) = (blurred(a), blurred(b));
    let (aa, bb, ab) = (
        blurred(&product(a, a)),
        blurred(&product(b, b)),
        blurred(&product(a, b)),
    );
    let (c1, c2) = ((K1 * range).powi(2), (K2 * range).powi(2));
    let similarity = |i: usize| {
        let (ma, mb) = (mean_a[i], mean_b[i]);
        let (variance_a, variance_b) = (aa[i] - ma * ma, bb[i] - mb * mb);
        let covariance = ab[i] - ma * mb;
        let above = (2.0 * ma * mb + c1) * (2.0 * covariance + c2);
        above / ((ma * ma + mb * mb + c1) * (variance_a + variance_b + c2))
    };
    let windows = mean_a.len();
    (0..windows).map(similarity).sum::<f64>() / windows as f64
}

/// The Gaussian mean of every window that lies within the plane, first along rows, then columns.
fn blur(plane: &[f64], width: usize) -> Vec<f64> {
    let weights = weights();
    let height = plane.len() / width;
    let (narrow, low) = (width - 2 * RADIUS, height - 2 * RADIUS);
    let mut rows = Vec::with_capacity(height * narrow);
    for row in plane.chunks_exact(width) {
        let windows = row.windows(WINDOW);
        rows.extend(windows.map(|w| w.iter().zip(&weights).map(|(v, g)| v * g).sum::<f64>()));
    }
    let mut found = vec![0.0; low * narrow];
    for (y, line) in found.chunks_exact_mut(narrow).enumerate() {
        for (row, weight) in rows[y * narrow..].chunks_exact(narrow).zip(&weights) {
            for (sum, value) in line.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
    }
    found
}

/// The window along one axis; it sums to 1.
fn weights() -> [f64; WINDOW] {
    let gauss = |i: usize| (-0.5 * ((i as f64 - RADIUS as f64) / SIGMA).powi(2)).exp();
    let weights: [f64; WINDOW] = std::array::from_fn(gauss);
    let sum: f64 = weights.iter().sum();
    weights.map(|w| w / sum)
}
