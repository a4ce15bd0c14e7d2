//! Scanning of the text form: white space, words, strings, punctuation, and where an error is.

use crate::{GraphError, TensorType};

/// A place in a text. Every method that reads skips white space and comments first.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Cursor { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    /// The place of the next token, for [`Self::error_at`] and [`Self::back_to`].
    pub(super) fn place(&mut self) -> usize {
        self.skip();
        self.at
    }

    /// Goes back to a place.
    pub(super) fn back_to(&mut self, place: usize) {
        self.at = place;
    }

    /// An error in the line of `place`.
    pub(super) fn error_at(&self, place: usize, message: impl Into<String>) -> GraphError {
        let line = 1 + self.text[..place].bytes().filter(|&b| b == b'\n').count();
        GraphError::Parse {
            line,
            message: message.into(),
        }
    }

    /// An error that says what was expected here, and what is here instead.
    pub(super) fn expected(&mut self, what: &str) -> GraphError {
        let place = self.place();
        let rest = self.rest();
        let word = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        let len = if word > 0 {
            word
        } else {
            rest.chars().next().map_or(0, char::len_utf8)
        };
        let found = match &rest[..len] {
            "" => "the end of the text".to_owned(),
            token if token.len() <= 40 => format!("`{}`", token.escape_debug()),
            token => format!("`{}…`", token.chars().take(40).collect::<String>()),
        };
        self.error_at(place, format!("expected {what}, found {found}"))
    }

    /// The next character, not taken.
    pub(super) fn peek(&mut self) -> Option<char> {
        self.skip();
        self.rest().chars().next()
    }

    /// Takes this punctuation if it is next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        self.skip();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes this punctuation, which must be next.
    pub(super) fn expect(&mut self, token: &str) -> Result<(), GraphError> {
        if self.eat(token) {
            Ok(())
        } else {
            Err(self.expected(&format!("`{token}`")))
        }
    }

    /// Takes the longest run of characters that `belongs` holds for; may be empty.
    pub(super) fn run(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        self.skip();
        let rest = self.rest();
        let run = &rest[..rest.find(|c| !belongs(c)).unwrap_or(rest.len())];
        self.at += run.len();
        run
    }

    /// Takes this word if it is next.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let place = self.place();
        let found = self.run(is_name) == word;
        if !found {
            self.at = place;
        }
        found
    }

    /// Takes a value's number: `%7`.
    pub(super) fn value_number(&mut self) -> Result<u32, GraphError> {
        let place = self.place();
        if !self.eat("%") {
            return Err(self.expected("a value such as `%0`"));
        }
        let digits = self.rest();
        let digits = &digits[..digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len())];
        self.at += digits.len();
        let message = "expected a value's number after `%`, at most 4294967295";
        digits.parse().map_err(|_| self.error_at(place, message))
    }

    /// Takes a tensor type: `f32[1,3]` or `f32[1,3]@[1,0]`.
    pub(super) fn tensor_type(&mut self) -> Result<TensorType, GraphError> {
        let start = self.place();
        let is_list = |c: char| c.is_ascii_digit() || matches!(c, ',' | ' ');
        let dtype = self.run(|c| c.is_ascii_alphanumeric());
        if dtype.is_empty() {
            return Err(self.expected("a type such as f32[1,3,64,64]"));
        }
        self.expect("[")?;
        self.run(is_list);
        self.expect("]")?;
        if self.rest().starts_with("@[") {
            self.at += 2;
            self.run(is_list);
            self.expect("]")?;
        }
        self.text[start..self.at]
            .parse()
            .map_err(|e: String| self.error_at(start, e))
    }

    /// Takes a string: `"with \n escapes"` or `'as it stands'`, within one line.
    pub(super) fn string(&mut self, what: &str) -> Result<String, GraphError> {
        let start = self.place();
        if self.eat("'") {
            let rest = self.rest();
            return match rest.find(['\'', '\n']) {
                Some(end) if rest.as_bytes()[end] == b'\'' => {
                    self.at += end + 1;
                    Ok(rest[..end].to_owned())
                }
                _ => Err(self.error_at(start, "the string has no closing ' in its line")),
            };
        }
        if !self.eat("\"") {
            return Err(self.expected(&format!("{what} in quotes")));
        }
        let mut string = String::new();
        loop {
            let rest = self.rest();
            let plain = rest.find(['"', '\\', '\n']).unwrap_or(rest.len());
            string.push_str(&rest[..plain]);
            self.at += plain;
            match rest[plain..].bytes().next() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escape()?),
                _ => return Err(self.error_at(start, "the string has no closing \" in its line")),
            }
        }
    }

    /// Takes an escape sequence, the cursor being at its backslash.
    fn escape(&mut self) -> Result<char, GraphError> {
        let start = self.at;
        let wrong = |c: &Self| {
            c.error_at(start, "unknown escape in a string: expected one of \\\" \\\\ \\b \\e \\f \\n \\r \\t \\xHH \\uHHHH \\UHHHHHHHH")
        };
        let Some(kind) = self.rest().chars().nth(1) else {
            return Err(wrong(self));
        };
        self.at += 1 + kind.len_utf8();
        let digits = match kind {
            '"' | '\\' => return Ok(kind),
            'b' => return Ok('\u{8}'),
            'e' => return Ok('\u{1b}'),
            'f' => return Ok('\u{c}'),
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return Err(wrong(self)),
        };
        let hex = self
            .rest()
            .get(..digits)
            .filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = hex
            .and_then(|h| u32::from_str_radix(h, 16).ok())
            .and_then(char::from_u32);
        self.at += if code.is_some() { digits } else { 0 };
        code.ok_or_else(|| wrong(self))
    }

    /// Nothing but white space and comments is left.
    pub(super) fn end(&mut self) -> Result<(), GraphError> {
        if self.peek().is_none() {
            Ok(())
        } else {
            Err(self.expected("the end of the text"))
        }
    }
}

/// Whether a name without quotes may hold this character.
pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':')
}
