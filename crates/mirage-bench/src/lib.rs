//! The ledger: what each pass buys, in time, memory and error.

pub mod compare;
pub mod frame_error;
pub mod ledger;
pub mod measure;
pub mod plan;
pub mod render;
pub mod stats;
