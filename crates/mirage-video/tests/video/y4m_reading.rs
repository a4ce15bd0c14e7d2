//! y4m files of others: every layout, written by hand, with known pixels.

use mirage_video::{ColorMatrix, SourceOptions, open_source};
use tempfile::tempdir;

use crate::support::{read_all, read_file};

/// A 3x2 file with flat planes: luma 81, chroma 90 and 240 (red, in limited BT.601).
fn flat(header: &str, chroma: usize, bytes: [u8; 3]) -> Vec<u8> {
    let mut file = format!("YUV4MPEG2 {header}\n").into_bytes();
    for _ in 0..2 {
        file.extend(b"FRAME\n");
        file.extend([bytes[0]; 6]);
        file.extend(vec![bytes[1]; chroma]);
        file.extend(vec![bytes[2]; chroma]);
    }
    file
}

#[test]
fn every_layout_gives_red() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("in.y4m");
    for (space, chroma) in [
        ("", 2),
        (" C420", 2),
        (" C420jpeg", 2),
        (" C420mpeg2", 2),
        (" C420paldv", 2),
        (" C422", 4),
        (" C444", 6),
    ] {
        let header = format!("W3 H2 F30000:1001 Ip A1:1{space}");
        std::fs::write(&path, flat(&header, chroma, [81, 90, 240])).unwrap();
        let (info, frames) = read_file(&path).unwrap();
        assert_eq!((info.fps.num(), info.fps.den()), (30000, 1001));
        assert_eq!((info.frames, frames.len()), (Some(2), 2));
        for pixel in frames[1].rgb().chunks(3) {
            let [red, green, blue] = [pixel[0], pixel[1], pixel[2]];
            assert!(red >= 253 && green <= 2 && blue <= 2, "{space}: {pixel:?}");
        }
    }
}

#[test]
fn mono_is_grey() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("in.y4m");
    std::fs::write(&path, flat("W3 H2 F25:1 Cmono", 0, [126, 0, 0])).unwrap();
    let grey = read_file(&path).unwrap().1[0].pixel(1, 1).unwrap();
    assert_eq!(grey, [126; 3]);
}

#[test]
fn range_and_matrix_are_honoured() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("in.y4m");
    std::fs::write(
        &path,
        flat("W3 H2 F25:1 C444 XCOLORRANGE=FULL", 6, [16, 128, 128]),
    )
    .unwrap();
    assert_eq!(
        read_file(&path).unwrap().1[0].pixel(0, 0),
        Some([16; 3]),
        "full range"
    );
    std::fs::write(&path, flat("W3 H2 F25:1 C444", 6, [16, 128, 128])).unwrap();
    assert_eq!(
        read_file(&path).unwrap().1[0].pixel(0, 0),
        Some([0; 3]),
        "limited range"
    );

    // Green of BT.709 limited.
    std::fs::write(&path, flat("W3 H2 F25:1 C444", 6, [173, 42, 26])).unwrap();
    let options = SourceOptions {
        matrix: Some(ColorMatrix::Bt709),
        ..Default::default()
    };
    let mut source = open_source(path.to_str().unwrap(), &options).unwrap();
    let [red, green, blue] = read_all(source.as_mut()).unwrap()[0].pixel(2, 1).unwrap();
    assert!(
        red <= 2 && green >= 253 && blue <= 2,
        "{red} {green} {blue}"
    );
}

#[test]
fn an_unknown_rate_is_25_or_the_option() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("in.y4m");
    std::fs::write(&path, flat("W3 H2 F0:0 C444", 6, [0; 3])).unwrap();
    assert_eq!(read_file(&path).unwrap().0.fps.to_f64(), 25.0);
    let fps = mirage_video::Rational::whole(12);
    let options = SourceOptions {
        fps,
        ..Default::default()
    };
    let source = open_source(path.to_str().unwrap(), &options).unwrap();
    assert_eq!(Some(source.info().fps), fps);
}

#[test]
fn the_shape_of_pixels_and_luma_alone() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("in.y4m");
    std::fs::write(&path, flat("W3 H2 F25:1 A16:11 C444", 6, [81, 90, 240])).unwrap();
    assert_eq!(
        read_file(&path).unwrap().0.pixel_aspect.to_string(),
        "16/11"
    );
    let square = SourceOptions {
        square_pixels: true,
        ..Default::default()
    };
    let source = open_source(path.to_str().unwrap(), &square).unwrap();
    assert_eq!((source.info().width, source.info().height), (4, 2));
    assert!(source.info().is_square());
    // As ffmpeg and OpenCV read it: luma without a tag is that of a picture.
    let mut mono = b"YUV4MPEG2 W3 H2 F25:1 Cmono\nFRAME\n".to_vec();
    mono.extend([16; 6]);
    std::fs::write(&path, mono).unwrap();
    assert_eq!(read_file(&path).unwrap().1[0].pixel(0, 0), Some([16; 3]));
}

/// BT.601 at every size, as ffmpeg and OpenCV read a file without a tag.
#[test]
fn large_files_have_the_matrix_of_small_ones() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("in.y4m");
    let mut bytes = b"YUV4MPEG2 W1280 H720 F25:1 C444\nFRAME\n".to_vec();
    for value in [81, 90, 240] {
        bytes.resize(bytes.len() + 1280 * 720, value);
    }
    std::fs::write(&path, bytes).unwrap();
    let [red, green, blue] = read_file(&path).unwrap().1[0].pixel(5, 5).unwrap();
    assert!(
        red >= 253 && green <= 2 && blue <= 2,
        "{red} {green} {blue}"
    );
}
