//! What to try next: one line, chosen from what the run showed.

use mirage_pass::{PassSpec, PipelineSpec};

/// The facts that advice is chosen from.
pub(super) struct Situation<'a> {
    /// The passes as they were asked for.
    pub(super) asked: &'a PipelineSpec,
    /// Those of them that lower precision.
    pub(super) lowering: Vec<&'a str>,
    /// Time with passes by time without, where it was measured.
    pub(super) time_ratio: Option<f64>,
    /// The model's name.
    pub(super) model: &'a str,
    /// Whether the input was the built-in scene.
    pub(super) scene: bool,
    /// `--model` and the like as they were typed, with a blank before each.
    pub(super) flags: String,
}

/// Above this ratio a frame with passes counts as slower than without.
const CLEAR: f64 = 1.03;

impl Situation<'_> {
    /// The line.
    pub(super) fn advice(&self) -> String {
        let lowering = &self.lowering;
        let slower = self.time_ratio.is_some_and(|r| r > CLEAR);
        let has = |name: &str| self.asked.passes.iter().any(|p| p.name() == name);

        if slower && !lowering.is_empty() {
            let rest = self.without(|p| lowering.contains(&p.name()));
            return format!(
                "{} made a frame slower on this backend: {}",
                lowering.join(" and "),
                self.command(&rest)
            );
        }
        if self.asked.is_empty() {
            return format!(
                "see what optimization brings: {}",
                self.command("sdpa,channels_last")
            );
        }
        if !has("sdpa") {
            let more = format!("{},sdpa", self.asked);
            return format!("sdpa fuses attention: {}", self.command(&more));
        }
        if slower && has("channels_last") {
            let rest = self.without(|p| p.name() == "channels_last");
            return format!(
                "see whether channels_last is what costs time here: {}",
                self.command(&rest)
            );
        }
        if self.model == "lsd-tiny" {
            let passes = quoted(&self.asked.to_string());
            return format!(
                "attention is a larger part of lsd-light: mirage run --model lsd-light --size 32x32 --passes {passes}"
            );
        }
        if self.scene {
            let passes = quoted(&self.asked.to_string());
            return format!(
                "a video of yours: mirage run{} --passes {passes} in.mp4 out.mp4",
                self.flags
            );
        }
        "what else there is to try: mirage passes list".to_owned()
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

/// For a shell: braces and quotes need quotes around them.
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
        assert!(line.starts_with("fp16 made a frame slower"), "{line}");
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
