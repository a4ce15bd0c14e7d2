//! Tensors of `mirage infer` in safetensors files: reading any bytes, and writing and reading back
//! what could be read. Weights of models take the same crate through burn, which is not built here.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mirage_fuzz::with_file;

#[path = "../../../crates/mirage-lab/src/tensors.rs"]
mod tensors;

fuzz_target!(|bytes: &[u8]| {
    let read = match with_file(bytes, ".safetensors", tensors::read) {
        Ok(read) => read,
        Err(error) => {
            let message = error.to_string();
            assert!(!message.contains('\n'), "{message}");
            return;
        }
    };
    for (name, data) in &read {
        let len = data.numel() * data.dtype.size();
        assert_eq!(data.bytes().len(), len, "{name}");
    }
    let written = tensors::write(&read, "fuzz").expect("what was read can be written");
    let again = with_file(&written, ".safetensors", tensors::read);
    assert_eq!(again.expect("what was written can be read"), read);
});
