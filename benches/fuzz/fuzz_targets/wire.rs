//! The wire form: decoding any bytes, encoding and decoding back, and the text form of what came out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mirage_fuzz::equivalent;
use mirage_ir::{text, wire};

fuzz_target!(|bytes: &[u8]| {
    let Ok(graph) = wire::decode(bytes) else {
        return;
    };
    let encoded = wire::encode(&graph);
    let again = wire::decode(&encoded).expect("what was encoded can be decoded");
    assert!(equivalent(&graph, &again), "the wire form loses something");
    assert!(
        wire::encode(&again) == encoded,
        "encoding is not deterministic"
    );

    let parsed = text::parse(&text::print(&graph)).expect("what was printed can be read");
    assert!(equivalent(&graph, &parsed), "the text form loses something");
});
