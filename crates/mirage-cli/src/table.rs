//! Tables: rows under a ruled header, and lists of facts.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, Table,
    TableStyle, Width, presets,
};

use crate::output::Stream;

/// A rule below the header and nothing else.
const RULED: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// The width if the terminal's is unknown.
const DEFAULT_WIDTH: u16 = 100;
/// The maximum width, for readability.
const MAX_WIDTH: u16 = 140;
/// The minimum width of a table.
const MIN_WIDTH: u16 = 60;

/// Longer words may be broken.
const LONG_WORD: usize = 16;
/// Blanks between columns.
const PADDING: u16 = 2;

/// Alignment of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table of rows under a header.
pub(crate) struct Rows(Table);

impl Rows {
    /// Returns a table with these columns.
    pub(crate) fn new(stream: Stream, columns: &[(&str, Align)]) -> Self {
        let mut table = table(stream, RULED);
        table.set_header(
            columns
                .iter()
                .map(|(name, _)| Cell::new(name).add_attribute(Attribute::Dim)),
        );
        for (column, (_, align)) in table.column_iter_mut().zip(columns) {
            column.set_padding((0, PADDING));
            column.set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        Rows(table)
    }

    /// Never wraps these columns.
    pub(crate) fn keep_whole(mut self, columns: std::ops::Range<usize>) -> Self {
        for index in columns {
            if let Some(column) = self.0.column_mut(index) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        self
    }

    /// Gives a column room for at least this many characters.
    fn at_least(mut self, column: usize, characters: usize) -> Self {
        if let Some(column) = self.0.column_mut(column) {
            let width = u16::try_from(characters).unwrap_or(MAX_WIDTH) + PADDING;
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
        }
        self
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.0.add_row(cells.into_iter().collect::<Vec<_>>());
    }
}

impl std::fmt::Display for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        trimmed(f, &self.0)
    }
}

/// Lays out a table of a ledger or profile for a terminal. Numbers and the first column are never wrapped;
/// other texts are wrapped between words.
pub(crate) fn ruled(stream: Stream, table: &mirage_bench::render::Table) -> String {
    let align = |numeric| if numeric { Align::Right } else { Align::Left };
    let whole = match table.columns.get(1) {
        Some(second) if second.key == "brief" => 2,
        _ => 1,
    };
    let columns = table.columns.iter().map(|c| (c.title, align(c.numeric)));
    let mut rows = Rows::new(stream, &columns.collect::<Vec<_>>()).keep_whole(0..whole);
    for (place, column) in table.columns.iter().enumerate().skip(whole) {
        let longest = |text: &str, numeric: bool| match numeric {
            true => text.chars().count(),
            false => longest_word(text).min(LONG_WORD),
        };
        let cells = table
            .rows
            .iter()
            .map(|row| longest(&row[place], column.numeric));
        let title = longest(column.title, false);
        rows = rows.at_least(place, cells.fold(title, usize::max));
    }
    for row in &table.rows {
        rows.row(row.iter().map(text));
    }
    rows.to_string()
}

fn longest_word(text: &str) -> usize {
    let words = text.split_whitespace().map(|word| word.chars().count());
    words.max().unwrap_or(0)
}

/// A list of names and texts.
pub(crate) struct Facts {
    table: Table,
    names: u16,
}

impl Facts {
    /// Returns an empty list.
    pub(crate) fn new(stream: Stream) -> Self {
        Facts {
            table: table(stream, presets::NOTHING),
            names: 10,
        }
    }

    /// Sets the minimum width of the names, to align with other tables.
    pub(crate) fn names(mut self, width: u16) -> Self {
        self.names = width;
        self
    }

    /// Adds a fact.
    pub(crate) fn fact(&mut self, name: &str, text: impl ToString) {
        self.styled(name, Cell::new(text));
    }

    /// Adds a fact whose text has a style.
    pub(crate) fn styled(&mut self, name: &str, text: Cell) {
        self.table
            .add_row(vec![Cell::new(name).add_attribute(Attribute::Dim), text]);
    }
}

impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut table = self.table.clone();
        let longest = table
            .column_max_content_widths()
            .first()
            .copied()
            .unwrap_or(0);
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, PADDING));
            if index == 0 {
                column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(
                    longest.max(self.names) + PADDING,
                )));
            }
        }
        trimmed(f, &table)
    }
}

/// Writes the lines without trailing spaces.
fn trimmed(f: &mut std::fmt::Formatter<'_>, table: &Table) -> std::fmt::Result {
    table
        .lines()
        .try_for_each(|line| writeln!(f, "{}", line.trim_end()))
}

/// A plain cell.
pub(crate) fn text(content: impl ToString) -> Cell {
    Cell::new(content)
}

/// A bold cell.
pub(crate) fn bold(content: impl ToString) -> Cell {
    Cell::new(content).add_attribute(Attribute::Bold)
}

/// A dimmed cell.
pub(crate) fn dim(content: impl ToString) -> Cell {
    Cell::new(content).add_attribute(Attribute::Dim)
}

/// A cell in the colour of success.
pub(crate) fn good(content: impl ToString) -> Cell {
    Cell::new(content).fg(Color::DarkGreen)
}

/// A cell in the colour of warnings.
pub(crate) fn bad(content: impl ToString) -> Cell {
    Cell::new(content).fg(Color::DarkYellow)
}

fn table(stream: Stream, style: TableStyle) -> Table {
    let mut table = Table::new();
    table.load_style(style);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if stream == Stream::Stderr {
        table.use_stderr();
    }
    let wanted = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let terminal = if stream.is_terminal() {
        table.width()
    } else {
        None
    };
    let width = wanted.or(terminal).unwrap_or(DEFAULT_WIDTH);
    table.set_width(width.clamp(MIN_WIDTH, MAX_WIDTH));
    // `output` removes the colours where they are disabled.
    table.enforce_styling();
    table.style_text_only();
    table
}
