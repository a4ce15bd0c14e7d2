//! File names: folders, numbered names and their order.

use std::path::Path;

/// Returns the folder of `path`; `.` if it has none.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A file name with one printf-like number: `%d` or `%04d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Numbered {
    before: String,
    digits: usize,
    after: String,
}

impl Numbered {
    /// Returns the pattern in the file name of `path`, if there is one.
    pub(crate) fn parse(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (before, rest) = name.split_once('%')?;
        let (digits, after) = rest.split_once('d')?;
        let digits = match digits {
            "" => 1,
            _ => digits
                .strip_prefix('0')
                .unwrap_or(digits)
                .parse()
                .ok()
                .filter(|&n| n <= 20)?,
        };
        Some(Self {
            before: before.to_owned(),
            digits,
            after: after.to_owned(),
        })
    }

    /// Returns the name with this number.
    pub(crate) fn name(&self, number: u64) -> String {
        format!(
            "{}{number:0digits$}{}",
            self.before,
            self.after,
            digits = self.digits
        )
    }

    /// Whether this name matches the pattern with some number.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let number = name
            .strip_prefix(&*self.before)
            .and_then(|n| n.strip_suffix(&*self.after));
        number.is_some_and(|digits| {
            digits.len() >= self.digits
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && (digits.len() == self.digits || !digits.starts_with('0'))
        })
    }
}

/// Sorts `frame10` after `frame9`: runs of digits compare by value (their length, then digits).
pub(crate) fn natural_key(name: &str) -> Vec<(usize, String)> {
    let mut key: Vec<(usize, String)> = Vec::new();
    let mut in_number = false;
    for character in name.chars() {
        let digit = character.is_ascii_digit();
        match key.last_mut() {
            Some((_, run)) if digit == in_number => run.push(character),
            _ => key.push((0, character.to_string())),
        }
        in_number = digit;
    }
    for (length, run) in &mut key {
        if run.starts_with(|c: char| c.is_ascii_digit()) {
            let value = run.trim_start_matches('0').to_owned();
            (*length, *run) = (value.len() + 1, value);
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_by_value() {
        let mut names = vec!["f10.png", "f9.png", "f010b.png", "f1.png", "a2.png"];
        names.sort_by_cached_key(|name| natural_key(name));
        assert_eq!(
            names,
            ["a2.png", "f1.png", "f9.png", "f10.png", "f010b.png"]
        );
    }

    #[test]
    fn printf_patterns() {
        let pattern = Numbered::parse(Path::new("d/im-%04d.png")).unwrap();
        assert_eq!(pattern.name(7), "im-0007.png");
        assert_eq!(pattern.name(123_456), "im-123456.png");
        assert!(pattern.matches("im-0000.png") && pattern.matches("im-12345.png"));
        for other in [
            "im-007.png",
            "im-00071.png",
            "im-0007.jpg",
            "im-abcd.png",
            "0007.png",
        ] {
            assert!(!pattern.matches(other), "{other}");
        }
        assert_eq!(
            Numbered::parse(Path::new("d/%d.png")).unwrap().name(0),
            "0.png"
        );
        assert_eq!(Numbered::parse(Path::new("50%.png")), None);
        assert_eq!(Numbered::parse(Path::new("%099d.png")), None);
    }
}
