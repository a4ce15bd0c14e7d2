//! The ledger: what each pass buys, in time, memory and error.

pub mod frame_error;
pub mod measure;
pub mod plan;
pub mod stats;
