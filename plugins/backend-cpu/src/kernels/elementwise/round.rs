//! Rounds f32 to half precision without branches, so that loops are vectorized.

/// Rounds to the nearest f16, ties to even, as f32: beyond 65504 and half a step, infinity; below 2⁻¹⁴ in
/// steps of 2⁻²⁴.
#[inline(always)]
pub(super) fn to_f16(x: f32) -> f32 {
    // A number whose f32 spacing equals the f16 spacing at x: adding it rounds to that
    // spacing.
    const EXPONENT: u32 = 0xff << 23;
    let exponent = (x.to_bits() & EXPONENT).clamp((127 - 14) << 23, (127 + 16) << 23);
    let magic = 1.5 * f32::from_bits(exponent + (13 << 23));
    let rounded = ((x + magic) - magic).abs();
    // NaN fails the comparison and is kept.
    let finite = if rounded > 65504.0 {
        f32::INFINITY
    } else {
        rounded
    };
    finite.copysign(x)
}

/// Rounds to the nearest bf16, ties to even, as f32.
#[inline(always)]
pub(super) fn to_bf16(x: f32) -> f32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) & 0xffff_0000;
    if x.is_nan() {
        x
    } else {
        f32::from_bits(rounded)
    }
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    fn check(x: f32) {
        let (a, b) = (f16::from_f32(x).to_f32(), bf16::from_f32(x).to_f32());
        assert!(
            a.to_bits() == to_f16(x).to_bits() || x.is_nan(),
            "{x:e} to f16"
        );
        assert!(
            b.to_bits() == to_bf16(x).to_bits() || x.is_nan(),
            "{x:e} to bf16"
        );
    }

    #[test]
    fn every_half_its_neighbours_and_the_ties_between_are_rounded() {
        for bits in 0..=u16::MAX {
            for half in [
                f16::from_bits(bits).to_f32(),
                bf16::from_bits(bits).to_f32(),
            ] {
                // In f32, also halfway to the next f16 and beside that.
                for offset in [0_u32, 1, 0xfff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001] {
                    check(f32::from_bits(half.to_bits().wrapping_add(offset)));
                    check(f32::from_bits(half.to_bits().wrapping_sub(offset)));
                }
            }
        }
        for x in [
            65504.0,
            65519.996,
            65520.0,
            16_777_216.0,
            f32::MAX,
            f32::MIN,
        ] {
            check(x);
        }
        assert_eq!(to_f16(16_777_217.0), f32::INFINITY);
    }

    #[test]
    fn what_is_no_number_stays() {
        assert!(to_f16(f32::NAN).is_nan() && to_bf16(f32::NAN).is_nan());
        let odd = f32::from_bits(0x7f80_0001);
        assert!(to_f16(odd).is_nan() && to_bf16(odd).is_nan());
        assert_eq!(to_f16(-0.0).to_bits(), (-0.0_f32).to_bits());
        assert_eq!(to_f16(f32::NEG_INFINITY), f32::NEG_INFINITY);
    }

    #[test]
    fn numbers_of_any_size_are_rounded() {
        let mut state = 1_u64;
        for _ in 0..1_000_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            check(f32::from_bits((state >> 32) as u32));
        }
    }
}
