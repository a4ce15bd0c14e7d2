//! The page of a profile.

use maud::{Markup, html};

use super::{lines, memory, roofline};
use crate::{
    profile::{Clock, FrameTimes, Profile},
    render::{
        number::{megabytes, short},
        page::{Subject, data_table, document, fact_list, warnings},
    },
};

/// The profile as a page of HTML.
pub fn profile_html(profile: &Profile) -> String {
    let title = format!("{}: profile of a frame", profile.setting.model.name);
    let body = html! {
        h1 { (title) }
        (facts(profile))
        (warnings(&profile.warnings))
        section {
            h2 { "Frame" }
            (frame(profile))
        }
        section {
            h2 { "By operation" }
            (lines::operations(profile))
        }
        section {
            h2 { "By layer" }
            p { "The tree of module paths; expand a layer to see its layers and nodes. Times are sums over all steps of a frame." }
            (lines::layers(profile))
        }
        (roof(profile))
        section {
            h2 { "Memory during the frame" }
            p { (counted(profile)) }
            (memory::chart(&profile.memory))
        }
        section {
            h2 { "Alive at the peak" }
            (data_table("Alive at the peak", &memory::at_peak(&profile.memory).without_empty_columns()))
        }
        (method(profile))
    };
    document(&title, &body)
}

fn facts(profile: &Profile) -> Markup {
    let s = &profile.setting;
    let subject = Subject {
        machine: &s.machine,
        backend: &s.backend,
        model: &s.model,
        shape: s.shape,
        dtype: &s.dtype,
        steps: s.steps,
        seed: s.seed,
        passes: &profile.passes,
        mirage: &s.mirage,
    };
    fact_list(subject.facts())
}

fn covered(f: &FrameTimes) -> String {
    let (percent, uncovered) = (f.covered_percent, short(f.uncovered_ms));
    match f.clock {
        Clock::Host => format!(
            "{percent:.1} % of the profiled frame; {uncovered} ms outside of nodes: {} before the first, {} after the last",
            short(f.before_ms),
            short(f.after_ms)
        ),
        Clock::Device => format!(
            "{percent:.1} % of the frame, each node measured alone on the device; {uncovered} ms are launches, copies and gaps",
        ),
    }
}

fn frame(profile: &Profile) -> Markup {
    let (f, m) = (&profile.frame, &profile.memory);
    let nodes: u64 = profile.nodes.iter().map(|n| n.flops).sum();
    let percent = profile.roofline_percent();
    let held = m.held_bytes.map(|b| format!(", {} MB held", megabytes(b)));
    fact_list([
        ("Frame time", Some(format!("{} ms", short(f.plain_ms)))),
        (
            "With profiling",
            Some(format!(
                "{} ms: {}",
                short(f.profiled_ms),
                f.overhead.map_or_else(
                    || "profiling waits for the device after every node".to_owned(),
                    |o| o.words()
                )
            )),
        ),
        ("Time in nodes", Some(covered(f))),
        (
            "Operations",
            Some(format!(
                "{} GFLOP, {} GFLOP/s",
                short(nodes as f64 / 1e9),
                short(nodes as f64 / (f.nodes_ms * 1e6))
            )),
        ),
        ("Roofline", percent.map(|p| format!("{} %", short(p)))),
        (
            "Memory",
            Some(format!(
                "{} MB of activations at the peak{}, {} MB of weights",
                megabytes(m.peak_bytes),
                held.unwrap_or_default(),
                megabytes(m.weight_bytes)
            )),
        ),
    ])
}

fn roof(profile: &Profile) -> Markup {
    let Some(chart) = roofline::chart(profile) else {
        return html! {};
    };
    let (nodes, ms) = roofline::left_out(profile);
    html! {
        section {
            h2 { "Roofline" }
            p {
                "Each circle is a node, with an area proportional to its time. The slope is the memory bandwidth "
                "of this machine, the flat line its peak arithmetic. Bytes count operands and results once each, "
                "so a circle above the slope had them in a cache. "
                @if nodes > 0 {
                    (nodes) " nodes without arithmetic or memory traffic take " (short(ms))
                    " ms and are not shown."
                }
            }
            (chart)
        }
    }
}

fn counted(profile: &Profile) -> String {
    let m = &profile.memory;
    let hidden = match m.hidden_bytes {
        0 => String::new(),
        n => format!(" {} MB of the peak are inside a called body.", megabytes(n)),
    };
    format!(
        "Activations by liveness in the graph that was compiled: each from the node that writes it to the \
         last that reads it; views share their source's memory; inputs and states ({} MB) are held \
         throughout, results to the end. Weights ({} MB) and what kernels need inside are not counted.{hidden}",
        megabytes(m.entering_bytes),
        megabytes(m.weight_bytes)
    )
}

fn method(profile: &Profile) -> Markup {
    let f = &profile.frame;
    html! {
        section {
            h2 { "Method" }
            p {
                (f.profiled_frames) " frames with profiling, alternating with " (f.plain_frames) " without, after a "
                "warm-up of " (f.warmup) ". Times are means over the middle half of the frames by their whole "
                "time, so that nodes and the gaps between them add up to the frame. Gaps are handing over to "
                "the engine's threads, checks, copies of results and states, and reading the clock."
                @for note in &profile.notes { " Note: " (note) "." }
            }
        }
    }
}
