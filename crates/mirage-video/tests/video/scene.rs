//! The built-in test video.

use mirage_video::{Rational, Scene, SourceOptions, open_source, psnr};

use crate::support::{read_all, scene};

#[test]
fn the_same_options_give_the_same_bytes_everywhere() {
    // FNV-1a of frame 7: changes only with the scene itself.
    let frames = scene(97, 61, 8);
    let hash = frames[7]
        .rgb()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
    assert_eq!(hash, 0x2cfb_3fe9_7b0a_cb1e, "{hash:#x}");
    assert_eq!(scene(97, 61, 8), frames);
}

#[test]
fn it_moves_is_seeded_and_has_detail() {
    let frames = scene(160, 96, 3);
    let step = psnr(&frames[0], &frames[1]).unwrap();
    assert!((15.0..45.0).contains(&step), "motion of {step} dB a frame");
    let other = SourceOptions {
        seed: 1,
        scene_size: (160, 96),
        ..Default::default()
    };
    let other = Scene::new(&other).unwrap().render(0).unwrap();
    assert!(psnr(&frames[0], &other).unwrap() < 30.0);
    let mut colours: Vec<_> = frames[0].rgb().chunks(3).collect();
    colours.sort_unstable();
    colours.dedup();
    assert!(colours.len() > 3000, "{} colours", colours.len());
}

#[test]
fn any_size_and_any_length() {
    for (width, height) in [(1, 1), (1, 500), (500, 1), (3, 2)] {
        assert_eq!(scene(width, height, 2).len(), 2);
    }
    let mut endless = open_source("scene", &SourceOptions::default()).unwrap();
    assert_eq!(endless.info().frames, None);
    for index in 0..5 {
        assert_eq!(endless.next_frame().unwrap().unwrap().index, index);
    }
    let far = Scene::new(&SourceOptions {
        scene_size: (8, 8),
        ..Default::default()
    })
    .unwrap();
    assert_eq!(far.render(u64::MAX).unwrap().index, u64::MAX);
}

#[test]
fn bad_options_are_refused() {
    let open = |options: &SourceOptions| open_source("scene", options).map(|_| ());
    assert!(
        open(&SourceOptions {
            scene_size: (0, 4),
            ..Default::default()
        })
        .is_err()
    );
    assert!(
        open(&SourceOptions {
            scene_size: (1 << 20, 4),
            ..Default::default()
        })
        .is_err()
    );
    assert!(
        open(&SourceOptions {
            frames: Some(0),
            ..Default::default()
        })
        .is_err()
    );
}

#[test]
fn real_time_takes_its_time() {
    let options = SourceOptions {
        frames: Some(6),
        fps: Rational::whole(50),
        scene_size: (8, 8),
        realtime: true,
        ..Default::default()
    };
    let mut source = open_source("scene", &options).unwrap();
    let began = std::time::Instant::now();
    assert_eq!(read_all(source.as_mut()).unwrap().len(), 6);
    assert!(began.elapsed().as_millis() >= 100, "5 intervals of 20 ms");
}
