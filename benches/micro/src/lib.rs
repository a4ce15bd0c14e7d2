//! Micro-benchmarks stand in `benches/`; `docs/benchmarks.md` tells how to run them.
