//! Parser of the text form.

use std::collections::BTreeMap;

use super::{PassSpec, PipelineSpec, Place};

/// A syntax error in the text form of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column} of the pipeline: expected {expected}, found {found}")]
pub struct GrammarError {
    /// The column of the error, in characters from 1.
    pub column: usize,
    /// What was expected.
    pub expected: &'static str,
    /// What was found instead.
    pub found: String,
}

/// Whether a character may be part of a value without quotes.
pub(super) fn is_bare(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !matches!(c, ',' | '=' | '{' | '}' | '"')
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// Whether a text is a name in this grammar.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_name_part)
}

pub(super) fn pipeline(text: &str) -> Result<PipelineSpec, GrammarError> {
    let mut reader = Reader {
        chars: text.chars().collect(),
        at: 0,
    };
    let mut passes = Vec::new();
    reader.skip_blanks();
    if reader.peek().is_some() {
        passes.push(reader.pass()?);
    }
    while reader.peek().is_some() {
        reader.expect(',', "`,` or the end")?;
        passes.push(reader.pass()?);
    }
    Ok(PipelineSpec { passes })
}

/// Reads left to right. Every method that reads a part also skips the blanks after it.
struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn take_while(&mut self, accept: fn(char) -> bool) -> String {
        let from = self.at;
        while self.peek().is_some_and(accept) {
            self.at += 1;
        }
        self.chars[from..self.at].iter().collect()
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += 1;
            self.skip_blanks();
        }
        found
    }

    fn expect(&mut self, c: char, expected: &'static str) -> Result<(), GrammarError> {
        if self.take(c) {
            Ok(())
        } else {
            Err(self.error(expected))
        }
    }

    fn error(&self, expected: &'static str) -> GrammarError {
        let found = match self.peek() {
            Some(c) => format!("`{}`", c.escape_debug()),
            None => "the end".to_owned(),
        };
        GrammarError {
            column: self.at + 1,
            expected,
            found,
        }
    }

    fn name(&mut self, expected: &'static str) -> Result<(String, Place), GrammarError> {
        let place = Place::Column(self.at + 1);
        let name = self.take_while(is_name_part);
        if name.is_empty() {
            return Err(self.error(expected));
        }
        self.skip_blanks();
        Ok((name, place))
    }

    fn pass(&mut self) -> Result<PassSpec, GrammarError> {
        let (name, place) = self.name("the name of a pass")?;
        let mut options = BTreeMap::new();
        if self.take('{') && !self.take('}') {
            loop {
                self.option(&mut options)?;
                if self.take('}') {
                    break;
                }
                self.expect(',', "`,` or `}`")?;
            }
        }
        Ok(PassSpec {
            name,
            options,
            place,
        })
    }

    fn option(
        &mut self,
        options: &mut BTreeMap<String, (String, Place)>,
    ) -> Result<(), GrammarError> {
        let start = self.at;
        let (name, place) = self.name("the name of an option")?;
        if options.contains_key(&name) || name == "name" {
            let found = if name == "name" {
                "`name`".into()
            } else {
                format!("`{name}` again")
            };
            return Err(GrammarError {
                column: start + 1,
                expected: "another option",
                found,
            });
        }
        let value = if self.take('=') {
            self.value()?
        } else {
            "true".to_owned()
        };
        options.insert(name, (value, place));
        Ok(())
    }

    fn value(&mut self) -> Result<String, GrammarError> {
        let value = if self.peek() == Some('"') {
            self.quoted()?
        } else {
            self.take_while(is_bare)
        };
        self.skip_blanks();
        Ok(value)
    }

    fn quoted(&mut self) -> Result<String, GrammarError> {
        let mut value = String::new();
        self.at += 1;
        loop {
            match self.peek() {
                Some('"') => break,
                Some('\\') => {
                    self.at += 1;
                    value.push(match self.peek() {
                        Some('n') => '\n',
                        Some(c @ ('"' | '\\')) => c,
                        _ => return Err(self.error(r#"`"`, `\` or `n` after `\`"#)),
                    });
                }
                Some(c) => value.push(c),
                None => return Err(self.error("`\"` at the end of the value")),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(value)
    }
}
