//! Ledgers and profiles for people and their tools: rows of text, CSV, markdown, pages.

mod columns;
mod comparison;
mod html;
mod number;
mod page;
mod profile;
mod table;
mod text;
mod timeline;

pub use columns::{flat, shares, table};
pub use comparison::{comparison, none_moved};
pub use html::{history_page, html};
pub use number::{factor, megabytes, short, with_interval};
pub use profile::{memory_svg, profile_html, profile_table, roofline_svg};
pub use table::{Cells, Column, Table, build, number, words};
pub use text::{csv, markdown};
pub use timeline::{table as history_table, title as history_title};
