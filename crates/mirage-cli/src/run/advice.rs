//! Suggests the next command, from the results of the run.

use mirage_pass::{PassSpec, PipelineSpec};

/// The results that the suggestion is chosen from.
pub(super) struct Situation<'a> {
    /// The passes as requested.
    pub(super) asked: &'a PipelineSpec,
    /// Requested passes that lower precision.
    pub(super) lowering: Vec<&'a str>,
    /// Time with passes divided by time without, if measured.
    pub(super) time_ratio: Option<f64>,
    /// The model's name.
    pub(super) model: &'a str,
    /// Whether the input was the built-in scene.
    pub(super) scene: bool,
    /// `--model` and similar options as given, each with a leading space.
    pub(super) flags: String,
}

/// Above this time ratio, the passes count as slower.
const CLEAR: f64 = 1.03;

impl Situation<'_> {
    /// Returns the suggestion.
    pub(super) fn advice(&self) -> String {
        let lowering = &self.lowering;
        let slower = self.time_ratio.is_some_and(|r| r > CLEAR);
        let has = |name: &str| self.asked.passes.iter().any(|p| p.name() == name);

        if slower && !lowering.is_empty() {
            let rest = self.without(|p| lowering.contains(&p.name()));
            return format!(
                "{} is slower on this backend; try without: {}",
                lowering.join(" and "),
                self.command(&rest)
            );
        }
        if self.asked.is_empty() {
            return format!(
                "try optimization passes: {}",
                self.command("sdpa,channels_last")
            );
        }
        if !has("sdpa") {
            let more = format!("{},sdpa", self.asked);
            return format!("try fused attention: {}", self.command(&more));
        }
        if slower && has("channels_last") {
            let rest = self.without(|p| p.name() == "channels_last");
            return format!(
                "channels_last may be slower on this backend; try without: {}",
                self.command(&rest)
            );
        }
        if self.model == "lsd-tiny" {
            let passes = quoted(&self.asked.to_string());
            return format!(
                "try a larger model: mirage run --model lsd-light --size 32x32 --passes {passes}"
            );
        }
        if self.scene {
            let passes = quoted(&self.asked.to_string());
            return format!(
                "run on your own video: mirage run{} --passes {passes} in.mp4 out.mp4",
                self.flags
            );
        }
        "list all passes: mirage passes list".to_owned()
    }

    fn without(&self, out: impl Fn(&PassSpec) -> bool) -> String {
        let rest: PipelineSpec = self
            .asked
            .passes
            .iter()
            .filter(|p| !out(p))
            .cloned()
            .collect();
        match rest.is_empty() {
            true => "sdpa,channels_last".to_owned(),
            false => rest.to_string(),
        }
    }

    fn command(&self, passes: &str) -> String {
        format!("mirage run{} --passes {}", self.flags, quoted(passes))
    }
}

/// Quotes a text for a shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:/+=".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(passes: &str, lowering: &[&str], time_ratio: Option<f64>, model: &str) -> String {
        let asked = passes.parse().unwrap();
        let flags = match model {
            "lsd-tiny" => String::new(),
            _ => format!(" --model {model}"),
        };
        let lowering = lowering.to_vec();
        Situation {
            asked: &asked,
            lowering,
            time_ratio,
            model,
            scene: true,
            flags,
        }
        .advice()
    }

    #[test]
    fn advice_follows_the_facts() {
        let line = advice(
            "fp16{keep=norm},channels_last,sdpa",
            &["fp16"],
            Some(2.5),
            "lsd-tiny",
        );
        assert!(line.starts_with("fp16 is slower"), "{line}");
        assert!(
            line.ends_with("mirage run --passes channels_last,sdpa"),
            "{line}"
        );

        let line = advice("", &[], None, "lsd-light");
        assert!(
            line.ends_with("mirage run --model lsd-light --passes sdpa,channels_last"),
            "{line}"
        );

        let line = advice("fp16{keep=norm}", &["fp16"], Some(0.7), "lsd-tiny");
        assert!(
            line.ends_with("mirage run --passes 'fp16{keep=norm},sdpa'"),
            "{line}"
        );

        let line = advice("sdpa,channels_last", &[], Some(1.2), "lsd-tiny");
        assert!(line.ends_with("mirage run --passes sdpa"), "{line}");

        let line = advice("sdpa", &[], Some(0.8), "lsd-tiny");
        assert!(
            line.contains("--model lsd-light") && line.ends_with("--passes sdpa"),
            "{line}"
        );

        let line = advice("sdpa", &[], Some(0.8), "lsd-light");
        assert!(line.ends_with("in.mp4 out.mp4"), "{line}");
    }

    #[test]
    fn a_shell_reads_what_was_meant() {
        assert_eq!(quoted("sdpa,channels_last"), "sdpa,channels_last");
        assert_eq!(quoted("fp16{keep=norm}"), "'fp16{keep=norm}'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
