//! Embeds a live stream in your own program, with your own pass among the built-in ones.
//!
//! `cargo run --release -p embedding`

#![allow(clippy::print_stdout, reason = "a program prints")]

mod own_pass;

use mirage::{Error, Event, Frame, Pipeline, Stream};

/// Builds the stream and prints events.
fn start(passes: &str) -> Result<Stream, Error> {
    Pipeline::builder()
        .model("lsd-tiny")
        .size(64, 64)
        .steps(1)
        .seed(7)
        .passes(passes)
        .backend("cpu")
        .on_event(|event| match event {
            Event::Captured { model, nodes } => println!("captured {model}: {nodes} nodes"),
            Event::Pass { name, rewrites, .. } if rewrites > 0 => {
                println!("{name}: {rewrites} rewrites");
            }
            Event::Compiled { time } => println!("compiled in {time:.1?}"),
            _ => {}
        })
        .build()
}

/// Returns a test frame; your program would read it from a camera or a decoder.
fn picture(index: u64) -> Result<Frame, Error> {
    let pixel = |i: u64| [(i + 4 * index) as u8, (i / 96) as u8, 128];
    let bytes = (0..96 * 80).flat_map(pixel).collect();
    Ok(Frame::from_rgb(96, 80, index, bytes)?)
}

fn main() -> Result<(), Error> {
    let mut stream = start("scale_query,fuse")?;
    for index in 0..8 {
        let output = stream.push(&picture(index)?)?;
        let sum: u64 = output.rgb().iter().map(|&byte| u64::from(byte)).sum();
        let mean = sum as f64 / output.rgb().len() as f64;
        println!("frame {index}: mean level {mean:.1}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pass_changes_the_graph_and_not_the_picture() -> Result<(), Error> {
        let frame = picture(0)?;
        let (mut plain, mut scaled) = (start("")?, start("scale_query")?);
        let run = scaled
            .report()
            .passes
            .iter()
            .find(|p| p.name == "scale_query");
        assert!(run.is_some_and(|run| run.rewrites > 0));
        let (expected, found) = (plain.push(&frame)?, scaled.push(&frame)?);
        let pairs = expected.rgb().iter().zip(found.rgb());
        assert!(pairs.into_iter().all(|(a, b)| a.abs_diff(*b) <= 1));
        assert_ne!(expected.rgb(), frame.rgb());
        Ok(())
    }
}
