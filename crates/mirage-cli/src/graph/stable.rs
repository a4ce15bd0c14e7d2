//! The text of a graph with names instead of numbers, so that a `diff` of two graphs shows only the
//! rewrites.

use std::collections::HashMap;

/// Returns the text with every value of the graph named by its node: `%PATH.OPERATION`, or `%OPERATION`
/// without a path, with `.1`, `.2`, … appended to repeated names. Inputs, parameters and states keep their
/// names. The result cannot be parsed back.
pub(super) fn stable(text: &str) -> String {
    let mut names = Names::default();
    let mut depth = 0_usize;
    let mut in_graph = false;
    let mut lines: Vec<(bool, &str)> = Vec::new();
    for line in text.lines() {
        if depth == 0 && line.starts_with("graph ") {
            in_graph = true;
        }
        let own = in_graph && depth == 1;
        if own {
            names.define(line);
        }
        lines.push((own, line));
        // A brace at the end of a line opens; attributes are closed in the line that opens them.
        if line.ends_with('{') {
            depth += 1;
        }
        if line.trim() == "}" {
            depth = depth.saturating_sub(1);
        }
    }
    let line = |(own, line): &(bool, &str)| match own {
        true => names.replaced(line),
        false => (*line).to_owned(),
    };
    lines.iter().map(|l| line(l) + "\n").collect()
}

/// Names of the graph's values, by number.
#[derive(Default)]
struct Names {
    names: HashMap<String, String>,
    taken: HashMap<String, usize>,
}

impl Names {
    /// Names the values that a line defines.
    fn define(&mut self, line: &str) {
        let line = line.trim_start();
        let port = ["input ", "param ", "state "]
            .iter()
            .find_map(|keyword| line.strip_prefix(keyword));
        if let Some(rest) = port {
            let number = number(rest);
            let name = rest.split('"').nth(1).unwrap_or("?");
            self.name(&number, &format!("\"{name}\""));
            return;
        }
        let Some((left, right)) = line.split_once(" = ") else {
            return;
        };
        if !left.starts_with('%') {
            return;
        }
        let op = right.split(['(', ' ']).next().unwrap_or_default();
        let path = right.rsplit_once("@ \"").map(|(_, path)| path);
        let path = path.and_then(|p| p.split('"').next()).unwrap_or_default();
        let base = match path.is_empty() {
            true => op.to_owned(),
            false => format!("{path}.{op}"),
        };
        for result in left.split('%').skip(1) {
            self.name(&number(&format!("%{result}")), &base);
        }
    }

    fn name(&mut self, number: &str, base: &str) {
        let count = self.taken.entry(base.to_owned()).or_default();
        let name = match *count {
            0 => base.to_owned(),
            n => format!("{base}.{n}"),
        };
        *count += 1;
        self.names.insert(number.to_owned(), name);
    }

    /// Returns the line with every number outside of quotes replaced by its name.
    fn replaced(&self, line: &str) -> String {
        let mut out = String::new();
        let mut quoted = false;
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            if c == '%' && !quoted {
                let number = number(rest);
                if let Some(name) = self.names.get(&number) {
                    out.push('%');
                    out.push_str(name);
                    rest = &rest[1 + number.len()..];
                    continue;
                }
            }
            if c == '\\' && quoted {
                out.push(c);
                rest = &rest[1..];
                if let Some(escaped) = rest.chars().next() {
                    out.push(escaped);
                    rest = &rest[escaped.len_utf8()..];
                }
                continue;
            }
            quoted ^= c == '"';
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
        out
    }
}

/// The digits after the `%` that a text begins with.
fn number(text: &str) -> String {
    let digits = text.strip_prefix('%').unwrap_or(text);
    digits.chars().take_while(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::stable;

    const BEFORE: &str = "graph \"g\" {
  input %0 \"x\": f32[2]
  param %1 \"w\": f32[2]
  %2: f32[2] = neg(%0)
  %3: f32[2] = neg(%2) @ \"a.b\"
  %4: f32[2] = add(%3, %1) {note = \"%3 stays\"} @ \"a.b\"
  output \"y\" = %4
}
";

    #[test]
    fn values_are_named_after_their_nodes() {
        assert_eq!(
            stable(BEFORE),
            "graph \"g\" {
  input %\"x\" \"x\": f32[2]
  param %\"w\" \"w\": f32[2]
  %neg: f32[2] = neg(%\"x\")
  %a.b.neg: f32[2] = neg(%neg) @ \"a.b\"
  %a.b.add: f32[2] = add(%a.b.neg, %\"w\") {note = \"%3 stays\"} @ \"a.b\"
  output \"y\" = %a.b.add
}
"
        );
    }

    #[test]
    fn what_a_rewrite_leaves_alone_keeps_its_lines() {
        let after = "graph \"g\" {
  input %0 \"x\": f32[2]
  param %1 \"w\": f32[2]
  %2: f32[2] = neg(%0) @ \"a.b\"
  %3: f32[2] = add(%2, %1) {note = \"%3 stays\"} @ \"a.b\"
  output \"y\" = %3
}
";
        let (before, after) = (stable(BEFORE), stable(after));
        let same = before.lines().filter(|l| after.lines().any(|a| a == *l));
        // The first node is gone, and the second has another operand.
        assert_eq!(same.count(), before.lines().count() - 2);
    }
}
