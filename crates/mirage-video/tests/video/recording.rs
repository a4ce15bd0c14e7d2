//! When each stage worked on each frame.

use mirage_video::{
    Frame, Pipeline, Recording, SinkOptions, SourceOptions, Span, Stage, open_sink, open_source,
};
use tempfile::tempdir;

const FRAMES: u64 = 5;

fn run(record: Option<Recording>) {
    let place = tempdir().unwrap();
    let path = place.path().join("out.y4m");
    let options = SourceOptions {
        frames: Some(FRAMES),
        ..SourceOptions::default()
    };
    let source = open_source("scene", &options).unwrap();
    let sink = open_sink(
        path.to_str().unwrap(),
        source.info(),
        &SinkOptions::default(),
    );
    let pipeline = Pipeline {
        record,
        ..Pipeline::default()
    };
    let same = |frame: Frame| Ok::<_, std::io::Error>(frame);
    let outcome = pipeline.run(source, sink.unwrap(), same, |_| ());
    assert_eq!(outcome.accounting.delivered, FRAMES);
    assert_eq!(outcome.timings.run.len() as u64, FRAMES);
}

#[test]
fn every_stage_has_a_span_a_frame_in_its_turn() {
    let record = Recording::default();
    run(Some(record.clone()));
    let spans = record.spans();
    let of = |stage: Stage| -> Vec<Span> {
        let of_stage = spans.iter().filter(|s| s.stage == stage);
        of_stage.copied().collect()
    };
    let [decode, ran, encode] = [Stage::Decode, Stage::Run, Stage::Encode].map(of);
    for stage in [&decode, &ran, &encode] {
        assert!(stage.iter().map(|s| s.frame).eq(0..FRAMES), "{stage:?}");
        let follow = |w: &[Span]| w[0].start + w[0].time <= w[1].start;
        assert!(stage.windows(2).all(follow), "one thread does one thing");
    }
    for ((d, r), e) in decode.iter().zip(&ran).zip(&encode) {
        assert!(d.start + d.time <= r.start && r.start + r.time <= e.start);
    }
}

#[test]
fn what_is_not_asked_for_is_not_recorded() {
    let record = Recording::default();
    run(None);
    assert!(record.spans().is_empty());
}
