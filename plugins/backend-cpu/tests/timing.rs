//! Times of single operations on this machine, for people:
//! `cargo test --release -p mirage-backend-cpu --test timing -- --ignored --nocapture`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it prints what it measures"
)]

mod common;

use std::time::Instant;

use common::{compile, noisy};
use mirage_ir::text;

/// The median of several executions in milliseconds, after two that warm up.
fn time(name: &str, text: &str) {
    let graph = text::parse(text).unwrap();
    let (params, inputs) = noisy(&graph);
    let mut executable = compile(&graph, &params).unwrap();
    let buffers: Vec<_> = executable
        .inputs()
        .iter()
        .zip(&inputs)
        .map(|(port, x)| {
            executable
                .upload(&x.to_data(port.ty.dtype).unwrap(), &port.ty)
                .unwrap()
        })
        .collect();
    let mut times = Vec::new();
    for i in 0..13 {
        let start = Instant::now();
        drop(executable.execute(&buffers).unwrap());
        if i > 1 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{name:44} {:9.3} ms (least {:.3})",
        times[times.len() / 2],
        times[0]
    );
}

#[test]
#[ignore = "measures instead of checking"]
fn single_operations() {
    for dtype in ["f32", "f16", "bf16"] {
        for order in ["", "@[0,2,3,1]"] {
            let t = format!("{dtype}[1,64,64,64]{order}");
            time(
                &format!("conv 3x3 64 to 64, 64x64 {dtype}{order}"),
                &format!(
                    r#"graph "conv" {{
                        input %0 "x": {t}
                        param %1 "w": {dtype}[64,64,3,3]
                        param %2 "b": {dtype}[64]
                        %3: {t} = conv(%0, %1, %2) {{dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}}
                        output "y" = %3
                    }}"#
                ),
            );
            time(
                &format!("group norm 64, 64x64 {dtype}{order}"),
                &format!(
                    r#"graph "norm" {{
                        input %0 "x": {t}
                        param %1 "g": {dtype}[64]
                        param %2 "b": {dtype}[64]
                        %3: {t} = group_norm(%0, %1, %2) {{eps = 1e-5, groups = 8}}
                        output "y" = %3
                    }}"#
                ),
            );
            time(
                &format!("silu, bias 64, 64x64 {dtype}{order}"),
                &format!(
                    r#"graph "silu" {{
                        input %0 "x": {t}
                        param %1 "b": {dtype}[1,64,1,1]
                        %2: {t} = add(%0, %1)
                        %3: {t} = silu(%2)
                        output "y" = %3
                    }}"#
                ),
            );
        }
        time(
            &format!("linear 1024x320x1280 {dtype}"),
            &format!(
                r#"graph "linear" {{
                    input %0 "x": {dtype}[1,1024,320]
                    param %1 "w": {dtype}[320,1280]
                    param %2 "b": {dtype}[1280]
                    %3: {dtype}[1,1024,1280] = linear(%0, %1, %2)
                    output "y" = %3
                }}"#
            ),
        );
        time(
            &format!("attention 8x1024x40 {dtype}"),
            &format!(
                r#"graph "attention" {{
                    input %0 "q": {dtype}[1,8,1024,40]
                    input %1 "k": {dtype}[1,8,1024,40]
                    input %2 "v": {dtype}[1,8,1024,40]
                    %3: {dtype}[1,8,1024,40] = attention(%0, %1, %2)
                    output "y" = %3
                }}"#
            ),
        );
    }
}
