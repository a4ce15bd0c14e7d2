//! From times of nodes to rows, the tree of layers, and pages.
#![allow(clippy::unwrap_used, reason = "tests")]

use mirage_bench::{
    ledger::{Backend, Machine, Model, PassId, Roofline},
    profile::{
        Alive, Clock, Document, Frames, FramesError, Layer, Memory, MemoryAt, NO_LAYER, Node,
        Profile, ProfiledFrame, Row, Setting, Sort, UNCOVERED,
    },
    render::{markdown, memory_svg, profile_html, profile_table, roofline_svg},
};
use proptest::prelude::*;
use scraper::{Html, Selector};

const ROOFLINE: Roofline = Roofline {
    gflops: 100.0,
    gbytes: 20.0,
};

fn node(number: usize, op: &str, path: &str, flops: u64, bytes: u64) -> Node {
    Node {
        node: number,
        op: op.to_owned(),
        path: path.to_owned(),
        result: "f32[1,4,8,8]".to_owned(),
        flops,
        bytes,
        memory_bytes: 1_000_000 * number as u64,
        ..Node::default()
    }
}

/// Two profiled frames of 10 ms, in which nodes take 8; plain ones take 9.
fn profile() -> Profile {
    let mut nodes = vec![
        node(3, "conv", "down.0.conv1", 200_000_000, 4_000_000),
        node(4, "silu", "down.0.act", 1_000_000, 20_000_000),
        node(7, "conv", "up.0.conv1", 100_000_000, 4_000_000),
        node(9, "reshape", "", 0, 0),
    ];
    let times = ProfiledFrame {
        ms: 10.0,
        before: 0.5,
        after: 1.0,
        nodes: vec![4.0, 2.0, 1.5, 0.5],
    };
    let frames = Frames {
        clock: Clock::Host,
        warmup: 1,
        plain: vec![9.0, 9.0],
        profiled: vec![times.clone(), times],
    };
    let (frame, times) = frames.times().unwrap();
    for (node, ms) in nodes.iter_mut().zip(times) {
        node.ms = ms;
        node.limit(&ROOFLINE);
    }
    let at = |n: &Node| MemoryAt {
        node: n.node,
        op: n.op.clone(),
        path: n.path.clone(),
        ms: n.ms,
        bytes: n.memory_bytes,
    };
    let alive = Alive {
        value: 12,
        node: Some(7),
        from: "conv".to_owned(),
        path: "up.0.conv1".to_owned(),
        ty: "f32[1,4,8,8]".to_owned(),
        bytes: 8_000_000,
        until: None,
    };
    Profile {
        setting: Setting {
            mirage: "0.1.0".to_owned(),
            machine: Machine {
                device: "Example CPU".to_owned(),
                details: "2 threads".to_owned(),
                platform: "linux x86_64".to_owned(),
                roofline: Some(ROOFLINE),
            },
            backend: Backend::default(),
            model: Model {
                name: "lsd-light".to_owned(),
                ..Model::default()
            },
            shape: [1, 3, 8, 8],
            dtype: "f32".to_owned(),
            seed: 7,
            steps: 2,
        },
        pipeline: "sdpa".to_owned(),
        passes: vec![PassId {
            name: "sdpa".to_owned(),
            version: 1,
            spec: "sdpa".to_owned(),
        }],
        frame,
        memory: Memory {
            peak_bytes: 9_000_000,
            peak_node: Some(9),
            planned_peak_bytes: 9_500_000,
            entering_bytes: 1_000_000,
            alive_at_peak: vec![alive],
            timeline: nodes.iter().map(at).collect(),
            ..Memory::default()
        },
        nodes,
        notes: Vec::new(),
        warnings: Vec::new(),
    }
}

fn names(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|r| r.name.as_str()).collect()
}

#[test]
fn nodes_are_summed_up_and_what_they_leave_is_a_row() {
    let rows = profile().operations();
    insta::assert_snapshot!(markdown(&profile_table("operation", &rows)), @r"
    | operation | nodes | ms | share % | GFLOP | MB | FLOP/B | GFLOP/s | GB/s | % roof | alive MB |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | conv | 2 | 5.50 | 55.0 | 0.300 | 8.00 | 37.5 | 54.5 | 1.45 | 54.5 | 7.00 |
    | silu | 1 | 2.00 | 20.0 | 0.001 | 20.0 | 0.0500 | 0.500 | 10.0 | 50.0 | 4.00 |
    | (between nodes) |  | 2.00 | 20.0 |  |  |  |  |  |  |  |
    | reshape | 1 | 0.500 | 5.0 |  |  |  |  |  |  | 9.00 |
    ");
    let sum: f64 = rows.iter().map(|r| r.share).sum();
    assert!((sum - 1.0).abs() < 1e-12);
}

#[test]
fn a_roofline_is_of_arithmetic_or_of_memory_whichever_takes_longer() {
    let profile = profile();
    // 0.2 GFLOP at 100 GFLOP/s take 2 ms of 4; 20 MB at 20 GB/s 1 ms of 2, though 1 MFLOP is less.
    let least: Vec<f64> = profile.nodes.iter().map(|n| n.least_ms.unwrap()).collect();
    assert_eq!(least, [2.0, 1.0, 1.0, 0.0]);
    let rows = profile.node_rows();
    assert_eq!(rows[0].roofline_percent, Some(50.0));
    assert_eq!(rows[1].roofline_percent, Some(50.0));
    assert_eq!(rows[3].roofline_percent, None, "nothing to do in no time");
    assert_eq!(profile.roofline_percent(), Some(50.0));
}

#[test]
fn the_gap_is_the_time_above_the_roofline() {
    let mut rows = profile().node_rows();
    rows.retain(|r| r.name != UNCOVERED);
    // Of 4 ms; of 2, half; of 1.5, none; of 0.5 without a roofline, all.
    let percent = [Some(99.0), Some(50.0), Some(100.0), None];
    let left = rows.iter_mut().zip(percent);
    left.for_each(|(row, percent)| row.roofline_percent = percent);
    Sort::Gap.sort(&mut rows);
    let first: Vec<&str> = names(&rows).iter().map(|n| &n[..2]).collect();
    assert_eq!(first, ["%4", "%9", "%3", "%7"]);
}

#[test]
fn every_order_is_kept_in_rows() {
    let orders = [
        (Sort::Time, [3, 4, 7, 9]),
        (Sort::Flops, [3, 7, 4, 9]),
        (Sort::Bytes, [4, 3, 7, 9]),
        (Sort::Percent, [3, 4, 7, 9]),
        (Sort::Memory, [9, 7, 4, 3]),
        (Sort::Name, [3, 4, 7, 9]),
    ];
    for (sort, order) in orders {
        let mut rows = profile().node_rows();
        rows.retain(|r| r.name != UNCOVERED);
        sort.sort(&mut rows);
        let numbers: Vec<String> = order.iter().map(|n| format!("%{n} ")).collect();
        let fits = names(&rows)
            .iter()
            .zip(&numbers)
            .all(|(name, n)| name.starts_with(n.as_str()));
        assert!(fits, "{sort:?}: {:?}", names(&rows));
    }
}

#[test]
fn layers_are_a_tree_of_module_paths() {
    let tree = profile().layers(Sort::Time);
    let shown: Vec<(String, usize, f64)> = tree
        .flat(usize::MAX)
        .iter()
        .map(|l| (l.path.clone(), l.depth, l.row.ms))
        .collect();
    let layer = |path: &str, depth, ms| (path.to_owned(), depth, ms);
    assert_eq!(
        shown,
        [
            layer("down", 1, 6.0),
            layer("down.0", 2, 6.0),
            layer("down.0.conv1", 3, 4.0),
            layer("down.0.act", 3, 2.0),
            layer("up", 1, 1.5),
            layer("up.0", 2, 1.5),
            layer("up.0.conv1", 3, 1.5),
            layer(NO_LAYER, 1, 0.5),
        ]
    );
    let two: Vec<usize> = tree.flat(2).iter().map(|l| l.depth).collect();
    assert_eq!(two, [1, 2, 1, 2, 1]);
    let by_name = profile().layers(Sort::Name);
    let top: Vec<&str> = by_name.within.iter().map(|l| l.path.as_str()).collect();
    assert_eq!(top, [NO_LAYER, "down", "up"]);
}

proptest! {
    /// Every node is in one layer, and every layer is the sum of what is in it.
    #[test]
    fn layers_add_up(paths in proptest::collection::vec("([ab](\\.[abc]){0,3})?", 1..40)) {
        let mut profile = profile();
        profile.nodes = paths.iter().enumerate().map(|(i, path)| {
            Node { ms: i as f64, ..node(i, "conv", path, 1, 1) }
        }).collect();
        let tree = profile.layers(Sort::Flops);
        let mut seen: Vec<usize> = tree.flat(usize::MAX).iter().flat_map(|l| l.own.clone()).collect();
        seen.sort_unstable();
        prop_assert!(seen.into_iter().eq(0..paths.len()));
        let adds_up = |layer: &Layer| {
            let within: f64 = layer.within.iter().map(|l| l.row.ms).sum();
            let own: f64 = layer.own.iter().map(|&i| profile.nodes[i].ms).sum();
            let nodes = layer.own.len() + layer.within.iter().map(|l| l.row.nodes).sum::<usize>();
            (within + own - layer.row.ms).abs() < 1e-9 && nodes == layer.row.nodes
        };
        prop_assert!(adds_up(&tree) && tree.flat(usize::MAX).into_iter().all(adds_up));
    }

    /// Whatever the frames: nodes and the rest are the frame.
    #[test]
    fn times_add_up(frames in proptest::collection::vec((0.1..10.0f64, proptest::collection::vec(0.0..5.0f64, 3)), 1..30)) {
        let profiled: Vec<ProfiledFrame> = frames.into_iter().map(|(rest, nodes)| ProfiledFrame {
            ms: rest + nodes.iter().sum::<f64>(),
            before: 0.25 * rest,
            after: 0.5 * rest,
            nodes,
        }).collect();
        let frames = Frames { plain: vec![1.0], profiled, ..Frames::default() };
        let (frame, nodes) = frames.times().unwrap();
        prop_assert!((nodes.iter().sum::<f64>() - frame.nodes_ms).abs() < 1e-9);
        prop_assert!((frame.nodes_ms + frame.uncovered_ms - frame.profiled_ms).abs() < 1e-9);
        prop_assert!(frame.uncovered_ms >= 0.1 - 1e-9);
        prop_assert!((frame.before_ms - 0.25 * frame.uncovered_ms).abs() < 1e-9);
        prop_assert!((frame.after_ms - 0.5 * frame.uncovered_ms).abs() < 1e-9);
    }
}

#[test]
fn a_slow_and_a_quick_frame_in_four_do_not_count() {
    let one = |ms: f64| ProfiledFrame {
        ms,
        before: 0.5,
        after: 0.25,
        nodes: vec![ms - 1.0],
    };
    let frames = Frames {
        clock: Clock::Host,
        warmup: 0,
        plain: vec![4.0, 100.0, 6.0, 1.0],
        profiled: vec![one(1000.0), one(7.0), one(2.0), one(9.0)],
    };
    let (frame, nodes) = frames.times().unwrap();
    assert_eq!((frame.plain_ms, frame.profiled_ms), (5.0, 8.0));
    // The differences are 996, -93, -4 and 8: noise is larger than what profiling adds.
    let overhead = frame.overhead.unwrap();
    assert_eq!(overhead.median_ms, 2.0);
    assert!(!overhead.is_measurable());
    assert!(
        overhead.words().contains("less than the noise"),
        "{}",
        overhead.words()
    );
    assert_eq!((nodes[0], frame.uncovered_ms), (7.0, 1.0));
    assert_eq!(frame.covered_percent, 87.5);
}

#[test]
fn nodes_by_the_devices_clock_are_parts_of_a_plain_frame() {
    let profiled = ProfiledFrame {
        ms: 80.0,
        before: 1.0,
        after: 2.0,
        nodes: vec![1.5, 0.5],
    };
    let frames = Frames {
        clock: Clock::Device,
        plain: vec![2.5],
        profiled: vec![profiled],
        ..Frames::default()
    };
    let (frame, nodes) = frames.times().unwrap();
    assert_eq!(nodes, [1.5, 0.5]);
    assert_eq!((frame.whole_ms, frame.uncovered_ms), (2.5, 0.5));
    assert_eq!((frame.covered_percent, frame.overhead), (80.0, None));
    assert_eq!((frame.before_ms, frame.after_ms), (0.0, 0.0));
    // The device may be busy longer than a frame takes: clocks of nodes have their own cost.
    let busy = Frames {
        plain: vec![1.9],
        ..frames
    };
    assert_eq!(busy.times().unwrap().0.uncovered_ms, 0.0);
}

#[test]
fn frames_that_give_no_profile_say_why() {
    assert_eq!(Frames::default().times(), Err(FramesError::TooFew));
    let one = |nodes: usize| ProfiledFrame {
        ms: 1.0,
        before: 0.0,
        after: 0.0,
        nodes: vec![0.1; nodes],
    };
    let frames = Frames {
        plain: vec![1.0],
        profiled: vec![one(3), one(2)],
        ..Frames::default()
    };
    assert_eq!(frames.times(), Err(FramesError::Nodes(3, 2)));
}

#[test]
fn json_has_everything_and_no_number_that_is_none() {
    let profile = profile();
    let text = serde_json::to_string(&Document::of(&profile)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["format"], "mirage-profile");
    assert_eq!(json["schema"], 1);
    assert_eq!(json["nodes"].as_array().unwrap().len(), 4);
    assert_eq!(json["layers"].as_array().unwrap().len(), 8);
    assert_eq!(json["operations"].as_array().unwrap().len(), 4);
    assert!(json["nodes"][3]["gflops"].is_null());
    assert_eq!(json["memory"]["alive_at_peak"][0]["bytes"], 8_000_000);
}

fn select<'a>(page: &'a Html, what: &str) -> Vec<scraper::ElementRef<'a>> {
    page.select(&Selector::parse(what).unwrap()).collect()
}

#[test]
fn the_page_is_well_formed_and_whole() {
    let text = profile_html(&profile());
    let page = Html::parse_document(&text);
    assert!(page.errors.is_empty(), "{:?}", page.errors);
    assert!(select(&page, "script, link, img, iframe").is_empty());
    assert!(!text.contains("http") && !text.contains("@import") && !text.contains("url("));
    assert!(!text.contains("NaN") && !text.contains(">inf"));
    let paths: Vec<&str> = select(&page, "details")
        .iter()
        .map(|d| d.attr("data-path").unwrap())
        .collect();
    assert_eq!(paths.len(), 8);
    assert!(paths.contains(&"down.0.conv1") && paths.contains(&NO_LAYER));
    assert_eq!(select(&page, "svg circle.node").len(), 3);
    assert_eq!(select(&page, "svg .alive rect").len(), 4);
    assert_eq!(
        select(&page, "svg[role=img] > title").len(),
        select(&page, "svg").len()
    );
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    mirage_bench::ledger::write(&folder.join("profile.html"), &text).unwrap();
}

#[test]
fn without_a_roofline_there_is_no_plot_of_it() {
    let mut profile = profile();
    assert!(roofline_svg(&profile).is_some());
    profile.setting.machine.roofline = None;
    profile.nodes.iter_mut().for_each(|n| n.least_ms = None);
    assert_eq!(roofline_svg(&profile), None);
    let page = Html::parse_document(&profile_html(&profile));
    assert!(page.errors.is_empty() && select(&page, "circle.node").is_empty());
    assert!(
        profile
            .operations()
            .iter()
            .all(|r| r.roofline_percent.is_none())
    );
    profile.nodes.clear();
    profile.memory = Memory::default();
    let text = profile_html(&profile);
    assert!(!text.contains("NaN") && !text.contains(">inf"), "{text}");
}

#[test]
fn charts_alone_are_svg_with_a_style_of_their_own() {
    for svg in [roofline_svg(&profile()).unwrap(), memory_svg(&profile())] {
        assert!(
            svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" "),
            "{svg}"
        );
        assert!(svg.contains("prefers-color-scheme: dark") && svg.trim_end().ends_with("</svg>"));
        let page = Html::parse_fragment(&svg);
        assert_eq!(select(&page, "svg > style").len(), 1);
        assert_eq!(select(&page, "svg").len(), 1);
    }
}

#[test]
fn names_are_text_wherever_they_stand() {
    let evil = "\"><script>alert(1)</script><b>";
    let mut profile = profile();
    profile.setting.model.name = evil.to_owned();
    profile.warnings.push(evil.to_owned());
    profile.notes.push(evil.to_owned());
    for node in &mut profile.nodes {
        (node.op, node.path) = (evil.to_owned(), evil.to_owned());
    }
    for at in &mut profile.memory.timeline {
        at.path = evil.to_owned();
    }
    profile.memory.alive_at_peak[0].path = evil.to_owned();
    let page = Html::parse_document(&profile_html(&profile));
    assert!(page.errors.is_empty(), "{:?}", page.errors);
    assert!(select(&page, "script, b").is_empty());
}
