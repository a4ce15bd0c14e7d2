//! Copies any source (by default three seconds of the scene) to any sink:
//! `cargo run --release -p mirage-video --example convert -- OUT [SOURCE]`.

use mirage_video::{Frame, Pipeline, SinkOptions, SourceOptions, open_sink, open_source};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let output = arguments.next().ok_or("usage: convert OUT [SOURCE]")?;
    let input = arguments.next().unwrap_or_else(|| "scene".to_owned());
    let options = SourceOptions {
        frames: (input == "scene").then_some(72),
        scene_size: (480, 272),
        ..SourceOptions::default()
    };
    let source = open_source(&input, &options)?;
    let sink = open_sink(&output, source.info(), &SinkOptions::default())?;
    let identity = |frame: Frame| Ok::<_, std::io::Error>(frame);
    let done = Pipeline::default()
        .run(source, sink, identity, |_| ())
        .into_result()?;
    let mut out = std::io::stderr();
    std::io::Write::write_fmt(
        &mut out,
        format_args!(
            "{:?} in {:?}: {:?}\n",
            done.accounting, done.elapsed, done.summary
        ),
    )?;
    Ok(())
}
