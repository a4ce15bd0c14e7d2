//! `mirage profile` from end to end.

use std::collections::BTreeMap;

use scraper::{Html, Selector};
use serde_json::Value;

use crate::support::{Ended, Place};

/// Flags of a small and quick profile.
const QUICK: [&str; 9] = [
    "profile", "--size", "32x32", "--steps", "1", "--frames", "8", "--warmup", "2",
];

fn quick(place: &Place, more: &[&str]) -> Ended {
    place.run(QUICK.iter().chain(more))
}

fn list<'a>(json: &'a Value, name: &str) -> &'a [Value] {
    json[name].as_array().unwrap()
}

fn number(json: &Value, name: &str) -> f64 {
    json[name].as_f64().unwrap()
}

fn sum<'a>(rows: impl IntoIterator<Item = &'a Value>, name: &str) -> f64 {
    rows.into_iter().map(|row| number(row, name)).sum()
}

#[track_caller]
fn equal(a: f64, b: f64) {
    assert!(
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        "{a} is not {b}"
    );
}

#[test]
fn a_roofline_is_what_was_said() {
    let place = Place::new();
    let said = ["--peak", "1000,50.5"];
    let json = quick(&place, &[said[0], said[1], "--json"]).ok().parsed();
    check(&json);
    let roofline = &json["machine"]["roofline"];
    assert_eq!(number(roofline, "gflops"), 1000.0);
    assert_eq!(number(roofline, "gbytes"), 50.5);
    let text = quick(&place, &said).ok().text();
    assert!(
        text.contains("1000 GFLOP/s, 50.5 GB/s, from --peak"),
        "{text}"
    );
}

/// What holds of every profile as JSON.
fn check(json: &Value) {
    assert_eq!(json["format"], "mirage-profile");
    assert_eq!(json["schema"], 1);
    let frame = &json["frame"];
    assert_eq!(frame["plain_frames"], 3);
    assert_eq!(frame["profiled_frames"], 3);
    let (nodes, profiled) = (list(json, "nodes"), number(frame, "profiled_ms"));
    equal(sum(nodes, "ms"), number(frame, "nodes_ms"));
    equal(
        number(frame, "nodes_ms") + number(frame, "uncovered_ms"),
        profiled,
    );
    let ends = number(frame, "before_ms") + number(frame, "after_ms");
    assert!(ends > 0.0 && ends <= number(frame, "uncovered_ms") + 1e-9);
    let overhead = &frame["overhead"];
    let [low, median, high] = ["low_ms", "median_ms", "high_ms"].map(|key| number(overhead, key));
    assert!(low <= median && median <= high, "{overhead}");
    let operations = list(json, "operations");
    equal(sum(operations, "share"), 1.0);
    equal(sum(operations, "ms"), profiled);
    assert_eq!(sum(operations, "nodes") as usize, nodes.len());
    let layers = list(json, "layers");
    let outermost = || layers.iter().filter(|l| l["depth"] == 1);
    equal(sum(outermost(), "ms"), number(frame, "nodes_ms"));
    for count in ["flops", "bytes"] {
        equal(sum(nodes, count), sum(operations, count));
        equal(sum(nodes, count), sum(outermost(), count));
    }
    check_memory(json);
}

fn check_memory(json: &Value) {
    let memory = &json["memory"];
    let timeline = list(memory, "timeline");
    let most = timeline.iter().map(|n| number(n, "bytes"));
    assert_eq!(most.fold(0.0, f64::max), number(memory, "peak_bytes"));
    let alive = sum(list(memory, "alive_at_peak"), "bytes");
    assert_eq!(
        alive + number(memory, "hidden_bytes"),
        number(memory, "peak_bytes")
    );
    let at: BTreeMap<u64, &Value> = timeline
        .iter()
        .map(|n| (n["node"].as_u64().unwrap(), n))
        .collect();
    for node in list(json, "nodes") {
        let at = at[&node["node"].as_u64().unwrap()];
        assert_eq!(
            (&at["bytes"], &at["ms"]),
            (&node["memory_bytes"], &node["ms"])
        );
    }
}

#[test]
fn the_numbers_add_up_on_an_engine_and_on_a_static_plan() {
    let place = Place::new();
    for passes in ["", "sdpa,fuse", "sdpa,fuse,graph_capture"] {
        let flags = ["--no-roofline", "--json", "--passes", passes];
        let json = quick(&place, &flags).ok().parsed();
        check(&json);
        assert_eq!(json["pipeline"], passes);
        assert!(json["roofline_percent"].is_null() && json["machine"]["roofline"].is_null());
        let is_planned = passes.contains("graph_capture");
        assert_eq!(json["memory"]["held_bytes"].is_u64(), is_planned);
    }
    assert!(place.files().is_empty());
}

#[test]
fn everything_at_once_is_written_and_agrees() {
    let place = Place::new();
    let flags = [
        "--passes",
        "sdpa,fuse",
        "--json",
        "--html",
        "p.html",
        "--roofline",
        "r.svg",
        "--memory",
        "m.svg",
        "--trace",
        "t.json",
        "--trace-frames",
        "3",
    ];
    let json = quick(&place, &flags).ok().parsed();
    check(&json);
    assert!(number(&json, "roofline_percent") > 0.0);
    let convolutions = list(&json, "operations").iter();
    let convolution = convolutions
        .filter(|o| o["name"].as_str().unwrap().contains("conv"))
        .map(|o| number(o, "roofline_percent"));
    assert!(convolution.count() > 0);
    assert_eq!(place.files(), ["m.svg", "p.html", "r.svg", "t.json"]);

    let read = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    let page = Html::parse_document(&read("p.html"));
    assert!(page.errors.is_empty(), "{:?}", page.errors);
    let select = |what: &str| {
        page.select(&Selector::parse(what).unwrap())
            .collect::<Vec<_>>()
    };
    let mut shown: Vec<&str> = select("details")
        .iter()
        .map(|d| d.attr("data-path").unwrap())
        .collect();
    let layers = list(&json, "layers").iter();
    let mut layers: Vec<&str> = layers.map(|l| l["path"].as_str().unwrap()).collect();
    shown.sort_unstable();
    layers.sort_unstable();
    assert_eq!(shown, layers);
    assert_eq!(select("svg").len(), 2);
    assert!(select("script, link, img, iframe").is_empty());
    for name in ["r.svg", "m.svg"] {
        assert!(read(name).starts_with("<svg xmlns="), "{name}");
    }
    check_trace(&place.json("t.json"), 3, list(&json, "nodes").len());
}

/// What the Trace Event Format asks for, and that every frame is in every thread.
fn check_trace(trace: &Value, frames: usize, nodes: usize) {
    let events = list(trace, "traceEvents");
    let mut threads: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    let mut names = BTreeMap::new();
    for event in events {
        assert!(
            event["name"].is_string() && event["pid"].is_u64(),
            "{event}"
        );
        let thread = event["tid"].as_u64().unwrap();
        match event["ph"].as_str().unwrap() {
            "M" if event["name"] == "thread_name" => {
                let name = event["args"]["name"].as_str().unwrap();
                names.insert(name.split(' ').next().unwrap(), thread);
            }
            "M" => assert!(event["args"].is_object()),
            "X" => {
                assert!(number(event, "ts") >= 0.0 && number(event, "dur") >= 0.0);
                assert!(event["cat"].is_string() && event["args"].is_object());
                threads.entry(thread).or_default().push(event);
            }
            "C" => assert!(number(event, "ts") >= 0.0 && event["args"]["bytes"].is_u64()),
            other => panic!("an event of phase {other}"),
        }
    }
    for spans in threads.values_mut() {
        check_nesting(spans);
    }
    let of = |thread: &str, category: &str| {
        let spans = threads[&names[thread]].iter();
        spans.filter(|e| e["cat"] == category).count()
    };
    for thread in ["decode", "run", "encode"] {
        assert_eq!(of(thread, "stage"), frames, "{thread}");
    }
    assert_eq!(of("run", "frame"), 3 * frames);
    assert_eq!(of("backend", "node"), nodes * frames);
    assert!(of("backend", "layer") > 0);
    let counters = events.iter().filter(|e| e["ph"] == "C").count();
    assert_eq!(counters, (nodes + 1) * frames);
    // Nodes run while their frame is executed.
    let executed: Vec<(f64, f64)> = threads[&names["run"]]
        .iter()
        .filter(|e| e["name"] == "execute")
        .map(|e| span(e))
        .collect();
    for node in threads[&names["backend"]]
        .iter()
        .filter(|e| e["cat"] == "node")
    {
        let (start, end) = span(node);
        let within = |&(from, to): &(f64, f64)| from <= start + 1e-3 && end <= to + 1e-3;
        assert!(executed.iter().any(within), "{node}");
    }
}

fn span(event: &Value) -> (f64, f64) {
    let start = number(event, "ts");
    (start, start + number(event, "dur"))
}

/// Of two spans of a thread one is within the other, or they are apart.
fn check_nesting(spans: &mut [&Value]) {
    // Nanoseconds are whole, so that an end may be compared with a start.
    let nanos = |e: &Value| {
        let (start, end) = span(e);
        ((1e3 * start).round() as u64, (1e3 * end).round() as u64)
    };
    spans.sort_by_key(|e| {
        let (start, end) = nanos(e);
        (start, std::cmp::Reverse(end))
    });
    let mut open: Vec<u64> = Vec::new();
    for event in spans {
        let (start, end) = nanos(event);
        while open.last().is_some_and(|&until| until <= start) {
            open.pop();
        }
        if let Some(&until) = open.last() {
            assert!(end <= until, "{event} leaves the span that it is in");
        }
        open.push(end);
    }
}

#[test]
fn a_terminal_gets_what_it_asks_for() {
    let place = Place::new();
    let text = quick(&place, &["--no-roofline"]).ok().text();
    for word in [
        "operation",
        "(between nodes)",
        "profiling adds",
        "nodes take",
        "peak of activations",
        "3 frames with profiling, 3 without, after a warm-up of 2",
    ] {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
    assert!(!text.contains("% roof"), "{text}");
    let flags = [
        "--no-roofline",
        "--layers",
        "--depth",
        "2",
        "--sort",
        "name",
    ];
    let text = quick(&place, &flags).ok().text();
    let lines: Vec<&str> = text.lines().collect();
    let at = |start: &str| {
        let line = lines.iter().position(|l| l.starts_with(start));
        line.unwrap_or_else(|| panic!("no line `{start}` in:\n{text}"))
    };
    assert!(at("(no layer)") < at("(between nodes)"));
    assert!(
        lines
            .iter()
            .any(|l| l.starts_with("  ") && !l.starts_with("   "))
    );
    let flags = [
        "--no-roofline",
        "--by",
        "node",
        "--top",
        "2",
        "--sort",
        "memory",
    ];
    let text = quick(&place, &flags).ok().text();
    assert_eq!(
        text.lines().filter(|l| l.starts_with('%')).count(),
        2,
        "{text}"
    );
    assert!(text.contains("more rows (use --top N"));
}

#[test]
fn calls_of_a_step_are_told() {
    let place = Place::new();
    let flags = [
        "profile",
        "--size",
        "32x32",
        "--steps",
        "9",
        "--frames",
        "2",
        "--warmup",
        "0",
        "--no-roofline",
        "--json",
    ];
    let json = place.run(flags).ok().parsed();
    let warnings = list(&json, "warnings").iter();
    let told = warnings
        .filter(|w| w.as_str().unwrap().contains("--steps 8"))
        .count();
    assert_eq!(told, 1);
    assert!(
        list(&json, "operations")
            .iter()
            .any(|o| o["name"] == "call")
    );
    assert!(number(&json["memory"], "peak_bytes") > 0.0);
}

#[test]
fn memory_as_data_is_that_of_the_profile() {
    let place = Place::new();
    let flags = ["--no-roofline", "--json", "--memory", "m.json"];
    let json = quick(&place, &flags).ok().parsed();
    assert_eq!(place.json("m.json"), json["memory"]);
}

#[test]
fn what_cannot_be_is_told_and_leaves_nothing() {
    let place = Place::new();
    let usage: &[(&[&str], &[&str])] = &[
        (&["--top", "0"], &["--top", "0"]),
        (&["--depth", "0"], &["--depth", "0"]),
        (
            &["--sort", "tme"],
            &["tme", "time, flops, bytes, percent, gap, memory, name"],
        ),
        (&["--by", "layer"], &["layer", "op, node"]),
        (&["--by", "op", "--layers"], &["--by", "--layers"]),
        (
            &["--frames", "3", "--warmup", "2"],
            &["--frames 3", "--warmup 2", "at least 2"],
        ),
        (&["--trace-frames", "0"], &["--trace-frames"]),
        (&["--memory", "m.png"], &["m.png", ".json", ".svg"]),
        (&["--roofline", "r.png"], &["r.png", ".svg"]),
        (&["--peak", "5"], &["--peak", "GFLOPS,GBYTES"]),
        (
            &["--peak", "5,5", "--no-roofline"],
            &["--peak", "--no-roofline"],
        ),
        (
            &["--roofline", "r.svg", "--no-roofline"],
            &["--roofline", "--no-roofline"],
        ),
        (
            &["--html", "p", "--trace", "p"],
            &["--html", "--trace", "another name"],
        ),
        (&["--steps", "0"], &["--steps", "1 to 50"]),
        (&["--passes", "sdpb"], &["`sdpa`"]),
    ];
    for (flags, words) in usage {
        let args = ["profile", "--size", "32x32"];
        place.run(args.iter().chain(*flags)).fails(2, words);
    }
    for flag in ["--html", "--trace", "--roofline", "--memory"] {
        let words = ["nowhere/out.svg", "there is no folder nowhere"];
        quick(&place, &[flag, "nowhere/out.svg"]).fails(1, &words);
    }
    // A file that could be written is not left where another cannot.
    let flags = ["--html", "fine.html", "--trace", "nowhere/t.json"];
    quick(&place, &flags).fails(1, &["nowhere/t.json"]);
    assert!(place.files().is_empty(), "{:?}", place.files());
}

/// A node has one number, that of its result in the graph's text.
#[test]
fn nodes_have_the_numbers_that_a_dump_shows() {
    let place = Place::new();
    let small = ["--size", "32x32", "--steps", "1", "--passes", "sdpa,fuse"];
    let dump = place
        .run(["graph", "dump"].iter().chain(&small))
        .ok()
        .text();
    let flags = [
        "profile",
        "--frames",
        "4",
        "--warmup",
        "1",
        "--no-roofline",
        "--json",
    ];
    let json = place.run(flags.iter().chain(&small)).ok().parsed();
    let at = |node: &serde_json::Value| {
        let start = format!("  %{}: ", node["node"]);
        let line = dump.lines().find(|l| l.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("no line begins with `{start}`"));
        let op = node["op"].as_str().unwrap();
        let op = op.split(':').next().unwrap();
        assert!(line.contains(&format!(" = {op}")), "{node}: {line}");
    };
    list(&json, "nodes").iter().for_each(at);
    list(&json["memory"], "timeline").iter().for_each(at);
    let peak = &json["memory"]["peak_node"];
    assert!(
        list(&json["memory"], "timeline")
            .iter()
            .any(|n| n["node"] == *peak)
    );
}
