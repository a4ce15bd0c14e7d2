//! Ledgers for people and their tools: rows of text, CSV, markdown, a page.

mod columns;
mod comparison;
mod html;
mod number;
mod table;
mod text;

pub use columns::{flat, shares, table};
pub use comparison::comparison;
pub use html::html;
pub use number::{factor, megabytes, short, with_interval};
pub use table::{Cells, Column, Table, build, number, words};
pub use text::{csv, markdown};
