//! The GIF reader on any bytes: an error, or frames of the canvas's size.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use mirage_fuzz::with_file;
use mirage_video::{SourceOptions, open_source};

/// The longest side of a canvas here. A few bytes may state a canvas of the largest size, and be
/// right; larger ones would only make runs slow.
const MAX_SIDE: u16 = 256;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    if let Some(&[w0, w1, h0, h1]) = bytes.get(6..10)
        && (u16::from_le_bytes([w0, w1]) > MAX_SIDE || u16::from_le_bytes([h0, h1]) > MAX_SIDE)
    {
        return Corpus::Reject;
    }
    with_file(bytes, ".gif", |path| {
        let name = path.to_str().expect("a temporary file's name is text");
        let Ok(mut source) = open_source(name, &SourceOptions::default()) else {
            return;
        };
        let (width, height) = (source.info().width, source.info().height);
        let stated = source.info().frames;
        let mut count = 0;
        let end = loop {
            match source.next_frame() {
                Ok(Some(frame)) => {
                    assert_eq!((frame.width(), frame.height()), (width, height));
                    assert_eq!(frame.index, count);
                    count += 1;
                }
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        if let (true, Some(stated)) = (end, stated) {
            assert_eq!(count, stated, "the count of frames is wrong");
        }
        assert!(
            matches!(source.next_frame(), Ok(None)),
            "after its end a source stays there"
        );
    });
    Corpus::Keep
});
