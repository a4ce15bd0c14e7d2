//! mirage
fn main() {}
