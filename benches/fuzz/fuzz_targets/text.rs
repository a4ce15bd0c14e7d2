//! The text form: reading any bytes, the verifier on whatever could be read, printing and reading
//! back, and the interpreter on what the verifier accepts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mirage_fuzz::{equivalent, evaluate, is_small};
use mirage_ir::{text, verify, wire};

fuzz_target!(|text: &str| {
    let Ok(graph) = text::parse_unverified(text) else {
        return;
    };
    let printed = text::print(&graph);
    let again = text::parse_unverified(&printed).expect("what was printed can be read");
    assert_eq!(text::print(&again), printed);
    assert!(equivalent(&graph, &again), "printing loses something");

    if verify(&graph).is_err() {
        return;
    }
    verify(&again).expect("the same graph is as sound");
    let decoded = wire::decode(&wire::encode(&again)).expect("what was encoded can be decoded");
    assert_eq!(text::print(&decoded), printed);
    if is_small(&graph) {
        // Either result will do; a panic would not.
        drop(evaluate(&graph));
    }
});
