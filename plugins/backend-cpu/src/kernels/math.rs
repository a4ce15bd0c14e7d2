//! Functions of an f32 without branches, so that loops are vectorized.

/// eˣ, relative error below 2·10⁻⁷; subnormal results and infinities included.
///
/// Cody and Waite's reduction x = n·ln 2 + r and the polynomial of Cephes' `expf` (S. Moshier) for
/// eʳ; 2ⁿ in two factors, so that it neither overflows nor underflows too early.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³: adding it leaves the nearest integer in the low bits
    // NaN fails both comparisons and is kept.
    let x = if x > 89.5 { 89.5 } else { x };
    let x = if x < -104.5 { -104.5 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4;
    let r = r - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * (r * r) + r + 1.0;
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    p * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// Returns 2ⁿ for an n whose result is a normal number.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// eˣ for x ≤ 0, for softmax: below −87 it is 1e-38 instead of 0. Half the operations of [`exp`] with fused
/// multiply-add, which every processor with the vector extensions of these kernels has.
#[inline(always)]
pub(crate) fn exp_of_negative(x: f32) -> f32 {
    // NaN fails the comparison and is kept.
    exp_of_tame(if x < -87.0 { -87.0 } else { x })
}

/// eˣ for −87 ≤ x ≤ 87 and NaN, on the same condition.
#[inline(always)]
pub(crate) fn exp_of_tame(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = 1.987_569_1e-4_f32;
    let p = p.mul_add(r, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 0.5);
    let p = p.mul_add(r * r, r + 1.0);
    // The low bits of `shifted` are n; the bits above them are shifted out.
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

/// 1/(1 + e⁻ˣ)
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// x/(1 + e⁻ˣ)
#[inline(always)]
pub(crate) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// tanh x, relative error below 3·10⁻⁷: Cephes' `tanhf`.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let s = x * x;
    let p = -5.704_988_7e-3 * s + 2.063_908_8e-2;
    let p = p * s - 5.373_971_6e-2;
    let p = p * s + 1.333_144_2e-1;
    let p = p * s - 3.333_328_3e-1;
    let small = p * s * x + x;
    let large = (1.0 - 2.0 / (exp(2.0 * a) + 1.0)).copysign(x);
    if a < 0.625 { small } else { large }
}

/// erf x, relative error below 3·10⁻⁷: N. Juffa's polynomials for single precision, one in x near 0
/// and one for the logarithm of 1 − erf x beyond.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let t = x.abs();
    let s = x * x;
    let r = -1.728_534_7e-5 * t + 3.831_971_3e-4;
    let u = -3.883_964_4e-3 * t + 2.425_462_2e-2;
    let r = r * s + u;
    let r = r * t - 1.067_778_8e-1;
    let r = r * t - 6.348_467e-1;
    let r = r * t - 1.287_175_1e-1;
    let r = r * t - t;
    // The polynomial is not valid beyond 9.2, where erf is 1 already.
    let r = if t > 9.0 { -104.0 } else { r };
    let large = (1.0 - exp(r)).copysign(x);
    let p = -5.967_617e-4;
    let p = p * s + 4.991_194_2e-3;
    let p = p * s - 2.676_813_5e-2;
    let p = p * s + 1.128_199_25e-1;
    let p = p * s - 3.761_253_4e-1;
    let p = p * s + 1.283_791_7e-1;
    let small = p * x + x;
    // NaN takes the branch of small numbers and is kept.
    if t > 0.927_734_4 { large } else { small }
}

/// x·(1 + erf(x/√2))/2
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2
#[inline(always)]
pub(crate) fn gelu_tanh(x: f32) -> f32 {
    let inner = 0.797_884_6 * (x + 0.044_715 * x * x * x);
    0.5 * x * (1.0 + tanh(inner))
}

/// max(x, 0); NaN stays NaN.
#[inline(always)]
pub(crate) fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error of `f` against `exact` over the range: relative to the exact value plus
    /// `absolute`.
    fn worst(
        f: fn(f32) -> f32,
        exact: fn(f64) -> f64,
        range: std::ops::Range<f32>,
        floor: f64,
    ) -> f64 {
        let steps = 400_000;
        let step = (range.end - range.start) / steps as f32;
        (0..steps)
            .map(|i| range.start + i as f32 * step)
            .map(|x| {
                let want = exact(f64::from(x));
                (f64::from(f(x)) - want).abs() / want.abs().max(floor)
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn exponentials_are_good_to_two_ten_millionths() {
        assert!(worst(exp, f64::exp, -87.0..88.7, 0.0) < 2e-7);
        assert!(worst(exp, f64::exp, -103.0..-87.0, 1e-37) < 2e-7);
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp(89.0), f32::INFINITY);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn exponentials_for_softmax_are_as_good() {
        assert!(worst(exp_of_negative, f64::exp, -86.9..0.0, 0.0) < 2e-7);
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert_eq!(exp_of_negative(-0.0), 1.0);
        let least = exp_of_negative(f32::NEG_INFINITY);
        assert!((0.0..2e-38).contains(&least), "{least}");
        assert!(exp_of_negative(f32::NAN).is_nan());
        assert!(worst(exp_of_tame, f64::exp, -87.0..87.0, 0.0) < 2e-7);
    }

    #[test]
    fn what_is_made_of_exponentials() {
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        assert!(worst(sigmoid, logistic, -80.0..80.0, 0.0) < 4e-7);
        assert!(worst(silu, |x| x / (1.0 + (-x).exp()), -80.0..80.0, 0.0) < 4e-7);
        assert!(worst(tanh, f64::tanh, -20.0..20.0, 0.0) < 3e-7);
        assert!(worst(erf, libm_erf, -10.0..10.0, 0.0) < 3e-7);
        for f in [tanh, erf] {
            assert_eq!(f(1e30), 1.0);
            assert_eq!(f(f32::NEG_INFINITY), -1.0);
        }
        for f in [sigmoid, silu, tanh, erf, gelu, gelu_tanh, relu] {
            assert!(f(f32::NAN).is_nan());
        }
    }

    #[test]
    fn gelu_is_good_to_the_rounding_of_one() {
        let exact = |x: f64| 0.5 * x * (1.0 + libm_erf(x * std::f64::consts::FRAC_1_SQRT_2));
        assert!(worst(gelu, exact, -10.0..10.0, 1.0) < 4e-7);
        let exact = |x: f64| {
            0.5 * x * (1.0 + (0.797_884_560_802_865_4 * (x + 0.044715 * x * x * x)).tanh())
        };
        assert!(worst(gelu_tanh, exact, -10.0..10.0, 1.0) < 4e-7);
    }

    /// erf by its series near 0 and by the continued fraction of erfc beyond, to 1e-12.
    fn libm_erf(x: f64) -> f64 {
        let a = x.abs();
        if a < 2.5 {
            let (mut term, mut sum) = (x, x);
            for n in 1..80 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            return sum * std::f64::consts::FRAC_2_SQRT_PI;
        }
        let fraction = (1..200).rev().fold(a, |f, n| a + f64::from(n) / 2.0 / f);
        let erfc = (-a * a).exp() / (fraction * std::f64::consts::PI.sqrt());
        (1.0 - erfc).copysign(x)
    }
}
