//! Attributes in text form: TOML inline tables on one line.

use std::fmt::Write;

use toml::Value;

use super::{MAX_DEPTH, cursor::Cursor};
use crate::{Attrs, GraphError};

/// Appends a table, its names in alphabetical order.
pub(super) fn write_table(out: &mut String, table: &Attrs) {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| *name);
    out.push('{');
    for (i, (name, value)) in entries.into_iter().enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        if !name.is_empty() && name.chars().all(is_key) {
            out.push_str(name);
        } else {
            write_string(out, name);
        }
        out.push_str(" = ");
        write_value(out, value);
    }
    out.push('}');
}

fn write_value(out: &mut String, value: &Value) {
    // Writing to a string cannot fail.
    let _ = match value {
        Value::String(s) => return write_string(out, s),
        Value::Table(t) => return write_table(out, t),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_value(out, item);
            }
            write!(out, "]")
        }
        Value::Float(x) if x.is_nan() => write!(out, "nan"),
        Value::Float(x) => write!(out, "{x:?}"),
        Value::Integer(i) => write!(out, "{i}"),
        Value::Boolean(b) => write!(out, "{b}"),
        Value::Datetime(d) => return write_string(out, &d.to_string()),
    };
}

/// Appends a string in quotes, on one line.
pub(super) fn write_string(out: &mut String, string: &str) {
    out.push('"');
    for c in string.chars() {
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            c if c.is_control() => write!(out, "\\u{:04x}", u32::from(c)),
            c => write!(out, "{c}"),
        };
    }
    out.push('"');
}

fn is_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// Whether a table with at least one entry is next; an empty one does not count.
pub(super) fn is_table_next(cursor: &mut Cursor<'_>) -> bool {
    let place = cursor.place();
    let found = cursor.eat("{")
        && (matches!(cursor.peek(), Some('"' | '\'')) || {
            cursor.run(is_key);
            cursor.eat("=")
        });
    cursor.back_to(place);
    found
}

/// Takes a table.
pub(super) fn table(cursor: &mut Cursor<'_>) -> Result<Attrs, GraphError> {
    table_at(cursor, 0)
}

fn table_at(cursor: &mut Cursor<'_>, depth: usize) -> Result<Attrs, GraphError> {
    cursor.expect("{")?;
    let mut table = Attrs::new();
    while !cursor.eat("}") {
        let place = cursor.place();
        let name = match cursor.peek() {
            Some('"' | '\'') => cursor.string("an attribute's name")?,
            _ => cursor.run(is_key).to_owned(),
        };
        if name.is_empty() && cursor.place() == place {
            return Err(cursor.expected("an attribute's name or `}`"));
        }
        cursor.expect("=")?;
        let value = value(cursor, depth + 1)?;
        if table.contains_key(&name) {
            return Err(cursor.error_at(place, format!("attribute `{name}` is given twice")));
        }
        table.insert(name, value);
        if !cursor.eat(",") && cursor.peek() != Some('}') {
            return Err(cursor.expected("`,` or `}`"));
        }
    }
    Ok(table)
}

fn value(cursor: &mut Cursor<'_>, depth: usize) -> Result<Value, GraphError> {
    let place = cursor.place();
    if depth > MAX_DEPTH {
        let message = format!("attributes nest deeper than {MAX_DEPTH} levels");
        return Err(cursor.error_at(place, message));
    }
    match cursor.peek() {
        Some('{') => table_at(cursor, depth).map(Value::Table),
        Some('"' | '\'') => cursor.string("a string").map(Value::String),
        Some('[') => {
            cursor.expect("[")?;
            let mut items = Vec::new();
            while !cursor.eat("]") {
                items.push(value(cursor, depth + 1)?);
                if !cursor.eat(",") && cursor.peek() != Some(']') {
                    return Err(cursor.expected("`,` or `]`"));
                }
            }
            Ok(Value::Array(items))
        }
        _ => {
            let word = cursor.run(|c| is_key(c) || matches!(c, '.' | '+'));
            literal(word).ok_or_else(|| {
                cursor.back_to(place);
                cursor.expected(
                    "a value: a 64-bit number, true, false, a string, an array or a table",
                )
            })
        }
    }
}

/// A bool, a 64-bit integer or a float as TOML writes them in decimal.
fn literal(word: &str) -> Option<Value> {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    match unsigned {
        "true" | "false" => return word.parse().ok().map(Value::Boolean),
        "inf" | "nan" => return word.parse().ok().map(Value::Float),
        _ if !unsigned.starts_with(|c: char| c.is_ascii_digit()) => return None,
        _ => {}
    }
    let digits: String = word.chars().filter(|&c| c != '_').collect();
    if digits.contains(['.', 'e', 'E']) {
        // A finite literal that rounds to infinity is an error.
        return digits
            .parse()
            .ok()
            .filter(|x: &f64| x.is_finite())
            .map(Value::Float);
    }
    digits.parse().ok().map(Value::Integer)
}
