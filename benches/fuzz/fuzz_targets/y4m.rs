//! The y4m reader on any bytes: an error or frames of the stated size, in memory in proportion to
//! them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mirage_fuzz::with_file;
use mirage_video::{SourceOptions, open_source};

fuzz_target!(|bytes: &[u8]| {
    with_file(bytes, ".y4m", |path| {
        let name = path.to_str().expect("a temporary file's name is text");
        let Ok(mut source) = open_source(name, &SourceOptions::default()) else {
            return;
        };
        let (width, height) = (source.info().width, source.info().height);
        let mut index = 0;
        while let Ok(Some(frame)) = source.next_frame() {
            assert_eq!((frame.width(), frame.height()), (width, height));
            assert_eq!(frame.index, index);
            index += 1;
            // A frame takes a byte for each pixel, and its marker.
            let pixels = u64::from(width) * u64::from(height);
            assert!(index * pixels < bytes.len() as u64, "frames from nowhere");
        }
        assert!(
            matches!(source.next_frame(), Ok(None)),
            "after its end a source stays there"
        );
    });
});
