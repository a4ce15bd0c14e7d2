//! Benchmarks of parts of models.
//!
//! [`ops`] measures each distinct operation of a graph, [`attention`] compares fused attention with separate
//! operations over lengths and head dimensions, and [`resolution`] measures how the cost of a frame grows
//! with its size. Programs are compiled by a
//! [`Backend`](mirage_backend::Backend) and timed by [`mirage_bench::measure`]; docs/expert/measuring-parts.md
//! tells the methods and the fields of the reports.

pub mod attention;
mod data;
pub mod memory;
pub mod ops;
mod program;
mod report;
pub mod resolution;
mod sides;
mod work;

pub use data::Values;
pub use program::{Program, ProgramError, Rotation};
pub use report::{Outcome, Setting, Times};
pub use sides::Sides;
pub use work::{Operand, Work, distinct};
