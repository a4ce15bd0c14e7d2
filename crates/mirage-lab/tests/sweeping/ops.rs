//! A graph's own operations.

use std::time::Duration;

use mirage_bench::{
    ledger::{Model, Roofline},
    measure::{MeasureError, MeasureOptions},
    render::csv,
};
use mirage_ir::{
    Attrs, DType, Graph, TensorType,
    ops::{Cast, Linear, Unary},
};
use mirage_lab::sweep::{
    Outcome, Program, Rotation, Setting, distinct,
    ops::{FORMAT, OpsError, OpsMeasurement, OpsOptions, OpsReport, SCHEMA, SortBy, measure_ops},
};

use crate::reference::{Reference, Steps, on, real};

/// Two linear layers of one shape, each with its SiLU.
fn network() -> Graph {
    let mut b = Graph::builder("network");
    let ty = |shape: [usize; 2]| TensorType::new(DType::F32, shape);
    let mut x = b.input("x", ty([4, 8]));
    for layer in ["first", "second"] {
        b.set_path(layer);
        let w = b.param(format!("{layer}.w"), ty([8, 8]));
        x = b.op(Linear {}, &[x, w]).unwrap();
        x = b.op(Unary::Silu, &[x]).unwrap();
    }
    b.output("y", x);
    b.finish().unwrap()
}

fn measured(graph: &Graph, max_rounds: usize) -> OpsMeasurement {
    let params = Program::params(graph, 0).unwrap();
    let inputs = Rotation::of(graph, 0, 0);
    let mut frame =
        Program::new(graph, &params, inputs, 0, &Reference, &Default::default()).unwrap();
    let attrs = Attrs::new();
    let options = OpsOptions {
        measure: MeasureOptions {
            budget: Duration::from_secs(600),
            max_rounds,
            ..MeasureOptions::default()
        },
        ..options(&attrs)
    };
    measure_ops(&distinct(graph), &mut frame, &options, &real(), &mut |_| {
        on()
    })
    .unwrap()
}

fn options(attrs: &Attrs) -> OpsOptions<'_> {
    OpsOptions {
        backend: &Reference,
        compile: Default::default(),
        attrs,
        rotate_bytes: 1000,
        cache_bytes: 500,
        roofline: Some(Roofline {
            gflops: 100.0,
            gbytes: 10.0,
        }),
        measure: MeasureOptions::default(),
    }
}

fn report(found: OpsMeasurement) -> OpsReport {
    OpsReport {
        format: FORMAT.to_owned(),
        schema: SCHEMA,
        setting: Setting {
            mirage: "0".to_owned(),
            machine: Default::default(),
            backend: Default::default(),
            seed: 0,
            budget_s: 1.0,
            elapsed_s: 1.0,
            stopped: false,
            warnings: Vec::new(),
        },
        model: Model::default(),
        shape: [1, 3, 8, 8],
        steps: 1,
        passes: String::new(),
        frame: found.frame,
        rows: found.rows,
    }
}

#[test]
fn each_distinct_operation_is_a_row_with_its_count_and_rates() {
    let found = measured(&network(), 5);
    assert_eq!(found.rows.len(), 2);
    let [linear, silu] = &found.rows[..] else {
        panic!("two rows");
    };
    assert_eq!((linear.op.as_str(), linear.count), ("linear", 2));
    assert_eq!(linear.layers, ["first", "second"]);
    assert_eq!(linear.shapes, "f32[4,8] | f32[8,8]");
    assert_eq!(linear.flops, 2 * 4 * 8 * 8);
    assert_eq!(silu.op, "silu");
    for row in &found.rows {
        assert_eq!(row.outcome, Outcome::Measured);
        let times = row.times.unwrap();
        assert_eq!(times.samples, 10);
        assert!((row.total_ms.unwrap() - 2.0 * times.p50_ms).abs() < 1e-12);
        let share = row.share.unwrap();
        assert!((share.estimate - 2.0 * times.p50_ms / found.frame.p50_ms).abs() < 1e-9);
        assert!(share.low <= share.estimate && share.estimate <= share.high);
        let rates = row.throughput.unwrap();
        assert!((rates.gflops * times.p50_ms * 1e6 - row.flops as f64).abs() < 1.0);
        assert!(rates.roofline_percent.unwrap() > 0.0);
        // 128 bytes a set, 1000 to fill.
        assert_eq!((row.inputs.sets, row.inputs.bytes_a_set), (8, 128));
        assert!(row.inputs.beyond_cache);
    }
}

#[test]
fn what_fails_is_a_row_and_the_rest_goes_on() {
    let mut b = Graph::builder("mixed");
    let x = b.input("x", TensorType::new(DType::F32, [4]));
    let half = b.op(Cast { dtype: DType::F16 }, &[x]).unwrap();
    let y = b.op(Unary::Silu, &[x]).unwrap();
    b.output("y", y);
    b.output("half", half);
    // The frame itself is the part that runs.
    let works = distinct(&b.finish().unwrap());
    let graph = network();
    let params = Program::params(&graph, 0).unwrap();
    let one = Rotation::of(&graph, 0, 0);
    let mut frame = Program::new(&graph, &params, one, 0, &Reference, &Default::default()).unwrap();
    let attrs = Attrs::new();
    let options = OpsOptions {
        measure: MeasureOptions {
            max_rounds: 3,
            ..MeasureOptions::default()
        },
        ..options(&attrs)
    };
    let found = measure_ops(&works, &mut frame, &options, &real(), &mut |_| on()).unwrap();
    assert_eq!(
        found.rows[0].outcome,
        Outcome::Failed("there is no f16 here".to_owned())
    );
    assert_eq!(found.rows[1].outcome, Outcome::Measured);
    let mut report = report(found);
    report.sort(SortBy::Count);
    report.sort(SortBy::Total);
    assert_eq!(
        report.rows[1].op, "cast",
        "what was not measured comes last"
    );
    let text = csv(&report.table()).unwrap();
    assert_eq!(text.lines().count(), 3);
    assert!(text.contains("there is no f16 here"));
}

#[test]
fn rows_are_sorted_by_what_is_asked_for() {
    let mut report = report(measured(&network(), 3));
    report.rows[0].total_ms = Some(1.0);
    report.rows[1].total_ms = Some(2.0);
    let ops = |report: &OpsReport| report.rows.iter().map(|r| r.op.clone()).collect::<Vec<_>>();
    report.sort(SortBy::Total);
    assert_eq!(ops(&report), ["silu", "linear"]);
    report.sort(SortBy::Name);
    assert_eq!(ops(&report), ["linear", "silu"]);
    for (row, gflops) in report.rows.iter_mut().zip([9.0, 1.0]) {
        row.throughput.as_mut().unwrap().gflops = gflops;
    }
    report.sort(SortBy::Gflops);
    assert_eq!(ops(&report), ["silu", "linear"], "the slowest first");
}

#[test]
fn a_report_survives_json() {
    let report = report(measured(&network(), 3));
    let json = serde_json::to_string(&report).unwrap();
    let back: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(back["format"], "mirage-ops");
    assert_eq!(back["rows"][0]["outcome"]["state"], "measured");
    assert_eq!(back["rows"][0]["inputs"]["sets"], 8);
}

#[test]
fn no_time_is_an_error_that_says_how_long_a_round_takes() {
    let graph = network();
    let params = Program::params(&graph, 0).unwrap();
    let one = Rotation::of(&graph, 0, 0);
    let mut frame = Program::new(&graph, &params, one, 0, &Reference, &Default::default()).unwrap();
    let attrs = Attrs::new();
    let options = OpsOptions {
        measure: MeasureOptions {
            budget: Duration::from_secs(1),
            ..MeasureOptions::default()
        },
        ..options(&attrs)
    };
    let clock = Steps::new(Duration::from_secs(1));
    let error = measure_ops(&distinct(&graph), &mut frame, &options, &clock, &mut |_| {
        on()
    });
    assert!(matches!(
        error,
        Err(OpsError::Measure(MeasureError::NoTime { .. }))
    ));
}
