//! Tables as CSV and as markdown.

use super::Table;

/// The table as CSV (RFC 4180, lines end with `\n`), under the columns' keys.
///
/// # Errors
/// None in practice: rows have one cell a column, and memory can be written.
pub fn csv(table: &Table) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(table.columns.iter().map(|c| c.key))?;
    for row in &table.rows {
        writer.write_record(row)?;
    }
    let bytes = writer.into_inner().map_err(|e| e.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The table as a table of GitHub-flavoured markdown.
pub fn markdown(table: &Table) -> String {
    let line = |cells: &mut dyn Iterator<Item = String>| {
        cells.fold("|".to_owned(), |line, cell| format!("{line} {cell} |")) + "\n"
    };
    let mut text = line(&mut table.columns.iter().map(|c| escape(c.title)));
    text += &line(&mut table.columns.iter().map(|c| match c.numeric {
        true => "---:".to_owned(),
        false => "---".to_owned(),
    }));
    for row in &table.rows {
        text += &line(&mut row.iter().map(|cell| escape(cell)));
    }
    text
}

/// A cell that shows as it is: no markup, no line ends.
fn escape(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len());
    for c in cell.chars() {
        match c {
            '\\' | '|' | '`' | '*' | '[' | ']' => text.extend(['\\', c]),
            '<' => text += "&lt;",
            '>' => text += "&gt;",
            '&' => text += "&amp;",
            '\n' | '\r' => text.push(' '),
            _ => text.push(c),
        }
    }
    text
}
