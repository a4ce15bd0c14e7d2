//! Prints the results of `mirage run`.

use comfy_table::Cell;
use mirage_lab::Job;
use mirage_pass::Numerics;
use mirage_stream::{Comparison, Percentiles, RunReport};
use mirage_video::{Summary, VideoInfo};

use super::{
    RunArgs,
    advice::{Situation, quoted},
    pass_table,
};
use crate::{
    output::Stream,
    table::{Align, Facts, Rows, bad, bold, good, text},
    units::{bytes, milliseconds, plural},
};

/// The width of the longest name of a pass, to align all tables.
pub(super) const NAMES: u16 = 16;

/// The data that is printed.
pub(super) struct Shown<'a> {
    pub(super) args: &'a RunArgs,
    pub(super) job: &'a Job,
    pub(super) video: &'a VideoInfo,
    pub(super) report: &'a RunReport,
    pub(super) summary: Option<&'a Summary>,
    pub(super) why_not: Option<&'a str>,
}

impl Shown<'_> {
    /// Returns the tables.
    pub(super) fn text(&self, stream: Stream) -> String {
        let mut out = format!(
            "{}\n{}",
            self.what(stream),
            pass_table::passes(self.report, self.args.all_passes, stream)
        );
        if let Some(times) = self.times(stream) {
            out.push_str(&format!("\n{times}"));
        }
        out.push_str(&format!("\n{}", self.results(stream)));
        out
    }

    /// Lists model, backend and input.
    fn what(&self, stream: Stream) -> Facts {
        let r = self.report;
        let mut facts = Facts::new(stream).names(NAMES);
        let [_, _, height, width] = r.shape;
        let steps = plural(r.sampler.steps as u64, "step");
        facts.styled(
            "model",
            bold(format!(
                "{} at {width}x{height}, {steps} per frame, {}",
                r.model.name, r.dtype
            )),
        );
        let machine = &r.machine;
        facts.fact(
            "backend",
            format!(
                "{} ({}) on {}, {}",
                r.backend.name, r.backend.engine, machine.device, machine.details
            ),
        );
        let v = self.video;
        let rate = (v.fps.to_f64() * 100.0).round() / 100.0;
        let rate = match v.variable {
            true => format!("a variable rate, {rate} FPS on average"),
            false => format!("{rate} FPS"),
        };
        let shape = match v.is_square() {
            true => String::new(),
            false => format!(" (pixels {}:1)", v.pixel_aspect),
        };
        facts.fact(
            "input",
            format!("{}, {}x{}{shape} at {rate}", v.name, v.width, v.height),
        );
        facts
    }

    /// Tabulates frame times of the run and the comparison; `None` if all frames were warm-up.
    fn times(&self, stream: Stream) -> Option<Rows> {
        let r = self.report;
        let columns = [
            ("time per frame (model only)", Align::Left),
            ("p50", Align::Right),
            ("p95", Align::Right),
            ("p99", Align::Right),
            ("frames", Align::Right),
        ];
        let mut rows = Rows::new(stream, &columns);
        let mut row = |name: Cell, p: Percentiles| {
            let [p50, p95, p99] = [p.p50, p.p95, p.p99].map(|ms| text(milliseconds(ms)));
            rows.row([name, p50, p95, p99, text(p.count)]);
        };
        if let (Some(p50), Some(p95), Some(p99)) = (r.p50, r.p95, r.p99) {
            let count = (r.delivered + r.failed).saturating_sub(r.warmup as u64) as usize;
            row(
                bold("this run"),
                Percentiles {
                    p50,
                    p95,
                    p99,
                    count,
                },
            );
        }
        if let Some(c) = &r.comparison {
            row(text("comparison: with passes"), c.subject);
            row(text("comparison: without passes"), c.reference);
        }
        (r.p50.is_some() || r.comparison.is_some()).then_some(rows)
    }

    /// Lists the results.
    fn results(&self, stream: Stream) -> Facts {
        let r = self.report;
        let mut facts = Facts::new(stream).names(NAMES);
        match &r.comparison {
            Some(c) => {
                facts.styled("speed", speed(c));
                facts.fact("fidelity", fidelity(c));
                if let Some(why) = beyond_numerics(c) {
                    facts.styled("numerics", bad(why));
                }
            }
            None => facts.fact("comparison", self.why_not.unwrap_or("skipped")),
        }
        let warmup = format!(
            "first {} excluded as warm-up",
            plural(r.warmup as u64, "frame")
        );
        match r.fps {
            Some(fps) => facts.styled("delivered", bold(format!("{fps:.1} FPS ({warmup})"))),
            None => facts.fact(
                "delivered",
                format!("no frame rate ({warmup}; no frames remain)"),
            ),
        }
        let stages = r.stages;
        if let (Some(decode), Some(run), Some(encode)) = (stages.decode, stages.run, stages.encode)
        {
            let [decode, run, encode] = [decode, run, encode].map(|p| milliseconds(p.p50));
            facts.fact(
                "stages",
                format!("decode and resize {decode}, model {run}, resize and encode {encode} (p50; the stages run in parallel)"),
            );
        }
        let stopped = if r.stopped {
            "; interrupted, the file holds the frames done so far"
        } else {
            ""
        };
        facts.fact(
            "frames",
            format!(
                "{} delivered, {} skipped, {} failed{stopped}",
                r.delivered, r.skipped, r.failed
            ),
        );
        if let Some(s) = self.summary {
            let name = match self.args.output() {
                "-" => "standard output".to_owned(),
                name => name.to_owned(),
            };
            facts.styled(
                "output",
                bold(format!(
                    "{name} ({}, {}{})",
                    bytes(s.bytes),
                    plural(s.frames, "frame"),
                    match s.repeated {
                        0 => String::new(),
                        n => format!(", of which {n} repeat the one before to keep the time"),
                    }
                )),
            );
        }
        let m = &r.memory;
        let (weights, peak) = (bytes(m.weights), bytes(m.planned_peak));
        let held = match m.held {
            Some(held) => format!("{} allocated in total", bytes(held)),
            None => "allocated dynamically by the engine".to_owned(),
        };
        facts.fact(
            "memory",
            format!("{weights} of weights, {peak} of activations at the peak, {held}"),
        );
        if let Some(path) = &self.args.report {
            facts.fact("report", path.display());
        }
        for note in self.notes() {
            facts.fact("note", note);
        }
        facts.styled("next", good(self.situation().advice()));
        facts
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.report.model.trained {
            notes.push(format!(
                "the weights are untrained (seed {}), so the output is the input, slightly changed; load trained weights with --weights FILE",
                self.report.seed
            ));
        }
        if self.args.fps.is_some_and(|fps| fps != self.video.fps) {
            notes.push("--fps has no effect: the input has its own frame rate".to_owned());
        }
        if let Some(damage) = &self.report.damage {
            notes.push(format!(
                "the input is damaged: {}, the first: {}; what could be decoded was processed",
                plural(damage.count, "complaint"),
                damage.first
            ));
        }
        let [_, _, height, width] = self.report.shape;
        let (model, video) = (
            width * height,
            self.video.width as usize * self.video.height as usize,
        );
        if video > 2 * model {
            notes.push(format!(
                "the model runs at {width}x{height}: the {}x{} video was made smaller and larger again, so fine detail is lost; --size sets the model's size",
                self.video.width, self.video.height
            ));
        }
        notes.extend(self.report.video_notes.iter().cloned());
        notes.extend(self.report.notes.iter().cloned());
        notes
    }

    fn situation(&self) -> Situation<'_> {
        let mut flags = String::new();
        let mut flag = |name: &str, value: &str, default: &str| {
            if value != default {
                flags.push_str(&format!(" --{name} {}", quoted(value)));
            }
        };
        flag("model", &self.args.model.model, "lsd-tiny");
        flag("backend", &self.args.backend.backend, "cpu");
        let scene = self.args.input() == "scene";
        if !scene {
            flag("input", self.args.input(), "scene");
            flag("output", self.args.output(), "mirage-out.gif");
        }
        let lowers = |name: &str| {
            let run = self.report.passes.iter().find(|p| p.name == name);
            run.is_some_and(|p| matches!(p.numerics, Numerics::LowersPrecision { .. }))
        };
        let asked = &self.job.asked;
        Situation {
            asked,
            lowering: asked
                .passes
                .iter()
                .map(|p| p.name())
                .filter(|n| lowers(n))
                .collect(),
            time_ratio: self.report.comparison.map(|c| c.time_ratio.median),
            model: &self.report.model.name,
            scene,
            flags,
        }
    }
}

/// Describes the speed with passes compared with that without.
fn speed(c: &Comparison) -> Cell {
    let r = c.time_ratio;
    let detail = format!(
        "time ratio {:.2}, quartiles {:.2}–{:.2} of {}",
        r.median,
        r.low,
        r.high,
        plural(r.pairs as u64, "pair")
    );
    // A difference counts if both quartiles are on the same side of 1.
    if r.high < 1.0 {
        good(format!(
            "{:.2}× as fast with passes ({detail})",
            1.0 / r.median
        ))
    } else if r.low > 1.0 {
        bad(format!(
            "{:.0} % slower with passes ({detail})",
            100.0 * (r.median - 1.0)
        ))
    } else {
        text(format!(
            "no significant difference between with and without passes ({detail})"
        ))
    }
}

/// Describes a first frame that differs by more than the numerics classes of the passes allow.
fn beyond_numerics(c: &Comparison) -> Option<String> {
    let (found, least) = (c.first_psnr_db?, c.least_psnr_db?);
    c.breaks_numerics().then(|| {
        format!(
            "ERROR TOO LARGE: {found:.1} dB PSNR in the first frame, but the numerics classes of these passes require at least {least:.1} dB; run mirage parity with each pass to find the cause"
        )
    })
}

fn fidelity(c: &Comparison) -> String {
    match (c.psnr_db, c.worst_psnr_db) {
        (Some(mean), Some(worst)) => {
            format!("{mean:.1} dB PSNR against without passes, {worst:.1} dB in the worst frame")
        }
        _ => "every pixel is equal with and without passes".to_owned(),
    }
}
