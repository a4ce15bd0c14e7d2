//! A profile for people: rows for a terminal, a page, its charts alone.

mod columns;
mod lines;
mod memory;
mod page;
mod roofline;

pub use columns::profile_table;
pub use page::profile_html;

use super::page::chart_file;
use crate::profile::Profile;

/// The roofline plot as a file of SVG; `None` where the roofline was not measured or no node can be
/// drawn.
pub fn roofline_svg(profile: &Profile) -> Option<String> {
    Some(chart_file(&roofline::chart(profile)?))
}

/// The memory timeline as a file of SVG.
pub fn memory_svg(profile: &Profile) -> String {
    chart_file(&memory::chart(&profile.memory))
}
