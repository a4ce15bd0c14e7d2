//! Micro-benchmarks stand in `benches/`; `docs/expert/measuring-parts.md` tells how to run them.
