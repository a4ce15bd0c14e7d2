//! How many threads engines on the processor compute with.

#![allow(
    unsafe_code,
    reason = "engines read the number from the environment, which no safe function changes"
)]

use std::num::NonZeroU16;

/// Where engines look for their number of threads: rayon (cpu) and OpenMP (libtorch, others).
const VARIABLES: [&str; 2] = ["RAYON_NUM_THREADS", "OMP_NUM_THREADS"];

/// Tells the engines of this process and of those that it starts. To be called before anything that
/// starts a thread or an engine.
pub(crate) fn use_threads(threads: NonZeroU16) {
    for variable in VARIABLES {
        // SAFETY: `main` calls this first of all, when no other thread runs that could read the
        // environment.
        unsafe { std::env::set_var(variable, threads.to_string()) };
    }
}
