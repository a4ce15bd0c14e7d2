//! The number of threads of engines on the processor.

#![allow(
    unsafe_code,
    reason = "engines read the number from the environment, which no safe function changes"
)]

use std::num::NonZeroU16;

/// The variables that engines read their number of threads from: rayon (cpu) and OpenMP (libtorch, others).
const VARIABLES: [&str; 2] = ["RAYON_NUM_THREADS", "OMP_NUM_THREADS"];

/// Sets the number of threads for engines of this process and its children. Must be called before
/// anything starts a thread or an engine.
pub(crate) fn use_threads(threads: NonZeroU16) {
    for variable in VARIABLES {
        // SAFETY: `main` calls this first of all, when no other thread runs that could read the
        // environment.
        unsafe { std::env::set_var(variable, threads.to_string()) };
    }
}
