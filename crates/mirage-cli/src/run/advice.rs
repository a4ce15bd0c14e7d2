//! What to try next: one line, chosen from what the run showed.

use mirage_pass::{Numerics, PassSpec, PipelineSpec};
use mirage_stream::RunReport;

/// The facts that advice is chosen from.
pub(super) struct Situation<'a> {
    /// The passes as they were asked for.
    pub(super) asked: &'a PipelineSpec,
    /// What the run showed.
    pub(super) report: &'a RunReport,
    /// Whether the input was the built-in scene.
    pub(super) scene: bool,
    /// `--model` and the like as they were typed, with a blank before each.
    pub(super) flags: String,
}

/// Above this a frame with passes counts as slower than without, below its inverse as faster.
const CLEAR: f64 = 1.03;

impl Situation<'_> {
    /// The line.
    pub(super) fn advice(&self) -> String {
        let lowering = self.lowering();
        let ratio = self.report.comparison.map(|c| c.time_ratio.median);
        let slower = ratio.is_some_and(|r| r > CLEAR);
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
        if self.report.model.name == "lsd-tiny" {
            let passes = quoted(&self.asked.to_string());
            return format!(
                "attention is a larger part of lsd-light: mirage run --model lsd-light --size 32x32 --passes {passes}"
            );
        }
        if self.scene {
            let passes = quoted(&self.asked.to_string());
            return format!(
                "a video of yours: mirage run{} --passes {passes} --input in.mp4 --output out.mp4",
                self.flags
            );
        }
        "what else there is to try: mirage passes list".to_owned()
    }

    /// The passes asked for that lower precision.
    fn lowering(&self) -> Vec<&str> {
        let lowers = |name: &str| {
            let run = self.report.passes.iter().find(|p| p.name == name);
            run.is_some_and(|p| matches!(p.numerics, Numerics::LowersPrecision { .. }))
        };
        self.asked
            .passes
            .iter()
            .map(PassSpec::name)
            .filter(|n| lowers(n))
            .collect()
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
