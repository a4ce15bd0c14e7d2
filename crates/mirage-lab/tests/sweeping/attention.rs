//! Attention against its spelled-out form.

use std::{ops::ControlFlow, time::Duration};

use mirage_ir::{DType, cost::graph_cost, text};
use mirage_lab::sweep::{
    Outcome,
    attention::{AttentionOptions, AttentionRow, Shape, grid, sweep},
};

use crate::reference::{Reference, Steps, on, real};

fn options(budget: Duration, memory: Option<u64>) -> AttentionOptions<'static> {
    AttentionOptions {
        backend: &Reference,
        compile: Default::default(),
        budget,
        memory,
        seed: 7,
    }
}

fn measure(shapes: &[Shape], budget: Duration, memory: Option<u64>) -> Vec<AttentionRow> {
    sweep(shapes, &options(budget, memory), &real(), &mut |_| on())
}

/// Time enough for every sample that is taken at most.
const ENOUGH: Duration = Duration::from_secs(600);

#[test]
fn the_naive_form_is_the_definition() {
    let shape = Shape {
        length: 8,
        head_dim: 4,
        heads: 2,
        dtype: DType::F32,
    };
    insta::assert_snapshot!(text::print(&shape.naive().unwrap()), @r#"
    graph "naive" {
      input %0 "q": f32[1,2,8,4]
      input %1 "k": f32[1,2,8,4]
      input %2 "v": f32[1,2,8,4]
      %3: f32[1,2,4,8] = permute(%1) {axes = [0, 1, 3, 2]}
      %4: f32[1,2,8,8] = matmul(%0, %3)
      %5: f32[1,2,8,8] = mul_scalar(%4) {value = 0.5}
      %6: f32[1,2,8,8] = softmax(%5) {dim = 3}
      %7: f32[1,2,8,4] = matmul(%6, %2)
      output "out" = %7
    }
    "#);
    let op = shape.op().unwrap();
    assert_eq!(op.outputs().len(), 1);
    assert_eq!(shape.flops(), graph_cost(&op).flops);
}

#[test]
fn both_forms_are_measured_and_agree() {
    let shapes = grid(&[8, 4], &[4], 2, &[DType::F32]);
    let rows = measure(&shapes, ENOUGH, None);
    assert_eq!(rows.iter().map(|r| r.shape).collect::<Vec<_>>(), shapes);
    for row in &rows {
        for side in [&row.op, &row.naive] {
            assert_eq!(side.outcome, Outcome::Measured);
            assert!(side.times.unwrap().samples >= 6 && side.gflops.unwrap() > 0.0);
        }
        let speed_up = row.speed_up.as_ref().unwrap();
        let interval = speed_up.interval.unwrap();
        assert!(interval.low <= speed_up.ratio && speed_up.ratio <= interval.high);
        // The scores are held by the naive form alone.
        assert!(row.naive.planned_peak_bytes > row.op.planned_peak_bytes);
        let difference = row.difference.unwrap();
        assert!(difference.max_abs < 1e-5 && difference.relative_l2 < 1e-5);
    }
}

#[test]
fn what_does_not_fit_memory_is_a_row_that_says_so() {
    let shapes = grid(&[4, 64], &[4], 1, &[DType::F32]);
    // The scores of 64 tokens take 16 kB each way; their operands do not.
    let rows = measure(&shapes, ENOUGH, Some(20_000));
    assert_eq!(rows[0].naive.outcome, Outcome::Measured);
    assert_eq!(rows[1].op.outcome, Outcome::Measured);
    let Outcome::Skipped(why) = &rows[1].naive.outcome else {
        panic!("{:?}", rows[1].naive);
    };
    assert!(why.contains("not enough memory"), "{why}");
    assert!(rows[1].speed_up.is_none() && rows[1].difference.is_none());
}

#[test]
fn a_shape_that_memory_cannot_address_is_a_row_that_says_so() {
    let rows = measure(
        &grid(&[1 << 40], &[1 << 20], 1024, &[DType::F32]),
        ENOUGH,
        None,
    );
    assert!(rows[0].op.outcome.reason().is_some() && rows[0].naive.outcome.reason().is_some());
}

#[test]
fn a_dtype_that_the_backend_lacks_fails_alone() {
    let rows = measure(
        &grid(&[4], &[4], 1, &[DType::F16, DType::F32]),
        ENOUGH,
        None,
    );
    assert_eq!(
        rows[0].op.outcome,
        Outcome::Failed("there is no f16 here".to_owned())
    );
    assert_eq!(rows[1].op.outcome, Outcome::Measured);
}

#[test]
fn when_time_ends_the_rest_says_so() {
    let shapes = grid(&[4, 8, 16], &[4], 1, &[DType::F32]);
    let clock = Steps::new(Duration::from_millis(100));
    let rows = sweep(
        &shapes,
        &options(Duration::from_secs(5), None),
        &clock,
        &mut |_| on(),
    );
    assert_eq!(rows[0].op.outcome, Outcome::Measured);
    let Outcome::Skipped(why) = &rows[2].op.outcome else {
        panic!("{:?}", rows[2].op);
    };
    assert!(why.contains("not enough time"), "{why}");
}

#[test]
fn stopped_it_tells_what_it_has() {
    let shapes = grid(&[4, 8], &[4], 1, &[DType::F32]);
    let mut stop = |at: mirage_lab::sweep::attention::At| match at.done {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    };
    let rows = sweep(&shapes, &options(ENOUGH, None), &real(), &mut stop);
    assert_eq!(rows[0].op.outcome, Outcome::Measured);
    assert!(rows[1].op.outcome.reason().unwrap().contains("interrupted"));
}
