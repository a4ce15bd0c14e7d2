//! Errors of frames against scikit-image.
#![allow(clippy::unwrap_used, reason = "tests")]

use mirage_bench::frame_error::{FrameError, FrameErrorFault};

const SHAPE: [usize; 4] = [1, 3, 24, 17];

/// A pattern in -1 to 1 and the same with a ripple. In numpy:
/// `i = arange(3 * 24 * 17)`,
/// `x = (sin(i * .37) + cos(i * i * .0011) * .5).astype(f32).reshape(3, 24, 17) / f32(1.5)`,
/// `y = x + f32(.1) * sin(i * 1.7).astype(f32).reshape(3, 24, 17)`.
fn frames() -> (Vec<f32>, Vec<f32>) {
    let places = || (0..3 * 24 * 17).map(f64::from);
    let x = places().map(|i| ((i * 0.37).sin() + (i * i * 0.0011).cos() * 0.5) as f32 / 1.5);
    let x: Vec<f32> = x.collect();
    let ripple = places().map(|i| 0.1 * (i * 1.7).sin() as f32);
    let y = x.iter().zip(ripple).map(|(x, r)| x + r).collect();
    (x, y)
}

/// scikit-image 0.26.0, numpy 2.4.6, on `x` and `y` in f64:
/// `abs(y - x).max()`, `linalg.norm(y - x) / linalg.norm(x)`,
/// `peak_signal_noise_ratio(x, y, data_range=2)`,
/// `structural_similarity(x, y, channel_axis=0, data_range=2, gaussian_weights=True, sigma=1.5,
/// use_sample_covariance=False, K1=.01, K2=.03)`.
#[test]
fn numbers_are_scikit_images() {
    let (x, y) = frames();
    let found = FrameError::of(&y, &x, SHAPE, 2.0).unwrap();
    let close = |found: f64, expected: f64| {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    };
    close(found.max_abs, 0.099_999_696_016_311_65);
    close(found.relative_l2.unwrap(), 0.135_886_777_073_947_78);
    close(found.psnr_db.unwrap(), 29.033_422_534_556_71);
    close(found.ssim.unwrap(), 0.977_995_000_342_580_9);
    let black = FrameError::of(&vec![0.0; x.len()], &x, SHAPE, 2.0).unwrap();
    close(black.max_abs, 0.999_482_631_683_349_6);
    close(black.relative_l2.unwrap(), 1.0);
    close(black.psnr_db.unwrap(), 11.696_966_500_227_377);
    close(black.ssim.unwrap(), 0.000_869_820_307_651_889_4);
}

#[test]
fn equal_frames_have_no_error() {
    let (x, _) = frames();
    let found = FrameError::of(&x, &x, SHAPE, 2.0).unwrap();
    assert_eq!(
        (found.max_abs, found.relative_l2, found.psnr_db),
        (0.0, Some(0.0), None)
    );
    assert!((found.ssim.unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn what_has_no_number_has_none() {
    let small = FrameError::of(&[0.5; 100], &[0.0; 100], [1, 1, 10, 10], 1.0).unwrap();
    assert_eq!((small.ssim, small.relative_l2), (None, None));
    assert!((small.psnr_db.unwrap() - 6.020_599_913).abs() < 1e-6);
}

#[test]
fn frames_that_cannot_be_compared_are_refused() {
    let (x, mut y) = frames();
    let short = FrameError::of(&y[1..], &x, SHAPE, 2.0).unwrap_err();
    assert!(
        short.to_string().contains("the frame has 1223 values"),
        "{short}"
    );
    y[7] = f32::NAN;
    y[9] = f32::INFINITY;
    let wrong = FrameError::of(&y, &x, SHAPE, 2.0).unwrap_err();
    assert!(
        matches!(
            wrong,
            FrameErrorFault::NotFinite {
                count: 2,
                first: 7,
                ..
            }
        ),
        "{wrong}"
    );
    assert!(FrameError::of(&x, &x, SHAPE, 0.0).is_err());
}
