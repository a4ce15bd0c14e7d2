//! Rows of text under named columns, whoever shows them.

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name for tools, in snake case, with its unit.
    pub key: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Whether its cells are numbers, to be set right.
    pub numeric: bool,
}

/// A table. A cell that has nothing to tell is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, with one cell a column.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// The table with these columns alone, in this order.
    #[must_use]
    pub fn only(self, keys: &[&str]) -> Self {
        let place = |key: &&str| self.columns.iter().position(|c| c.key == *key);
        let keep: Vec<usize> = keys.iter().filter_map(place).collect();
        let rows = self
            .rows
            .iter()
            .map(|row| keep.iter().map(|&c| row[c].clone()).collect());
        Table {
            columns: keep.iter().map(|&c| self.columns[c]).collect(),
            rows: rows.collect(),
        }
    }

    /// The table without columns whose cells are all empty.
    #[must_use]
    pub fn without_empty_columns(self) -> Self {
        let used = |c: usize| self.rows.iter().any(|row| !row[c].is_empty());
        let keep: Vec<usize> = (0..self.columns.len()).filter(|&c| used(c)).collect();
        let rows = self
            .rows
            .iter()
            .map(|row| keep.iter().map(|&c| row[c].clone()).collect());
        Table {
            columns: keep.iter().map(|&c| self.columns[c]).collect(),
            rows: rows.collect(),
        }
    }
}

/// How a column's cells come from rows of `R`.
pub type Cells<R> = (Column, fn(&R) -> Option<String>);

/// A table of these columns.
pub fn build<'a, R: 'a>(columns: &[Cells<R>], rows: impl IntoIterator<Item = &'a R>) -> Table {
    let cells = |row: &R| {
        let cell = |(_, text): &Cells<R>| text(row).unwrap_or_default();
        columns.iter().map(cell).collect()
    };
    Table {
        columns: columns.iter().map(|(column, _)| *column).collect(),
        rows: rows.into_iter().map(cells).collect(),
    }
}

/// A column of numbers.
pub const fn number(key: &'static str, title: &'static str) -> Column {
    Column {
        key,
        title,
        numeric: true,
    }
}

/// A column of words.
pub const fn words(key: &'static str, title: &'static str) -> Column {
    Column {
        key,
        title,
        numeric: false,
    }
}
