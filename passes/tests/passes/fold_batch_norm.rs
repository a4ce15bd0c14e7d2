//! `fold_batch_norm` on random networks of convolutions, linear layers, norms, scales and shifts.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use crate::networks::{Network, wanting, work};
use mirage_ir::{
    ValueId,
    ops::{BatchNorm, Binary, Conv, ConvTranspose, Linear, Unary},
    target::Capabilities,
    text,
};

/// A norm, or a product, quotient, sum or difference by channel of `axis`.
fn step(n: &mut Network, x: ValueId, axis: usize) -> ValueId {
    let (rank, channels) = (n.shape(x).len(), n.shape(x)[axis]);
    if n.one_in(3) && rank > 1 {
        let c = [n.shape(x)[1]];
        let [gamma, beta, mean] = [(); 3].map(|()| n.param(&c));
        let variance = n.positive(&c);
        return n.op(BatchNorm { eps: 1e-3 }, &[x, gamma, beta, mean, variance]);
    }
    let mut shape = vec![1; rank];
    if !n.one_in(6) {
        shape[axis] = channels;
    }
    let by = n.positive(&shape);
    match n.pick(&[Binary::Mul, Binary::Add, Binary::Div, Binary::Sub]) {
        f @ (Binary::Mul | Binary::Add) if n.one_in(3) => n.op(f, &[by, x]),
        f => n.op(f, &[x, by]),
    }
}

fn layer(n: &mut Network, x: ValueId) -> ValueId {
    let shape = n.shape(x);
    let with_bias = n.one_in(2);
    let spatial = shape.len() - 2;
    let ins = shape[1];
    if shape.len() < 4 {
        let (ins, outs) = (shape[shape.len() - 1], n.pick(&[2, 3, 4]));
        let mut operands = vec![x, n.matrix(ins, outs)];
        if with_bias {
            operands.push(n.param(&[outs]));
        }
        return n.op(Linear {}, &operands);
    }
    let divisors: Vec<usize> = (1..=ins).filter(|g| ins.is_multiple_of(*g)).collect();
    let groups = n.pick(&divisors);
    let outs = groups * n.pick(&[1, 2]);
    let (k, padding) = (n.pick(&[1, 3]), vec![n.below(2); spatial]);
    let transposed = n.one_in(3);
    let mut weight = vec![k; spatial + 2];
    (weight[0], weight[1]) = if transposed {
        (ins, outs / groups)
    } else {
        (outs, ins / groups)
    };
    // Kernels fit and leave something.
    let padding = if k == 1 { vec![0; spatial] } else { padding };
    let terms = weight[1..].iter().product();
    let mut operands = vec![x, n.weight(&weight, terms)];
    if with_bias {
        operands.push(n.param(&[outs]));
    }
    let ones = vec![1; spatial];
    if transposed {
        let op = ConvTranspose {
            stride: ones.clone(),
            padding,
            output_padding: vec![0; spatial],
            dilation: ones,
            groups,
        };
        n.op(op, &operands)
    } else {
        let padding = if k == 3 && shape[2] < 3 {
            vec![1; spatial]
        } else {
            padding
        };
        let op = Conv {
            stride: ones.clone(),
            padding,
            dilation: ones,
            groups,
        };
        n.op(op, &operands)
    }
}

fn network(seed: u64) -> crate::networks::Case {
    let mut n = Network::new(seed);
    let mut x = match n.below(4) {
        0 => n.input(&[3, 4]),
        1 => n.input(&[2, 3, 4]),
        _ => n.input(&[2, 4, 5, 5]),
    };
    let mut results = Vec::new();
    for _ in 0..2 + n.below(6) {
        let shape = n.shape(x);
        let axis = if shape.len() < 4 { shape.len() - 1 } else { 1 };
        x = match n.below(5) {
            0 | 1 => layer(&mut n, x),
            2 | 3 => step(&mut n, x, axis),
            _ => n.op(Unary::Silu, &[x]),
        };
        if n.one_in(8) {
            results.push(x);
        }
    }
    results.push(x);
    n.finish(&results)
}

#[test]
fn computes_the_same_and_the_weights_arithmetic_is_the_prologue() {
    let (mut before, mut after, mut left) = (0, 0, 0);
    for seed in 0..400 {
        let case = network(seed);
        let (graph, outcome) = case.alone("fold_batch_norm", &Capabilities::default());
        // Each fold takes a node out of the execution and puts none in.
        assert_eq!(
            work(&graph).len() + outcome.rewrites(),
            work(&case.graph).len(),
            "{}\n{graph}",
            case.graph
        );
        let Some(line) = outcome.lines().first().filter(|_| outcome.is_changed()) else {
            continue;
        };
        let numbers: Vec<usize> = line.split(' ').filter_map(|w| w.parse().ok()).collect();
        before += numbers[0];
        after += numbers[1];
        left += outcome.lines().len() - 1;
    }
    assert!(
        before > 200 && after > 50 && left > 30,
        "every kind was met: {before} before, {after} after, {left} left"
    );
}

#[test]
fn goes_with_every_other_pass() {
    for seed in 0..40 {
        network(seed).beside_every_other_pass("fold_batch_norm", &wanting(1));
    }
}

/// The reasons with which the pass leaves a graph of this body as it is.
fn refusal(body: &str) -> String {
    let mut graph = text::parse(&format!("graph \"g\" {{\n{body}\n}}")).unwrap();
    mirage_passes::link();
    let registry = mirage_pass::Registry::linked().unwrap();
    let pass = registry.get("fold_batch_norm").unwrap();
    let options = mirage_pass::Options::defaults(pass.info());
    let capabilities = Capabilities::default();
    let cx = mirage_pass::PassContext::new(&capabilities, &options);
    let outcome = pass.run(&mut graph, &cx).unwrap();
    assert!(!outcome.is_changed(), "{graph}");
    outcome.lines().join("; ")
}

const CONV: &str = "{dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}";

#[test]
fn says_why_it_leaves_a_norm() {
    let nothing = refusal("input %0 \"x\": f32[1,4]\n %1: f32[1,4] = exp(%0)\n output \"y\" = %1");
    assert!(nothing.contains("0 matches"), "{nothing}");

    let padded = refusal(&format!(
        "input %0 \"x\": f32[1,2,4,4]\n param %1 \"s\": f32[1,2,1,1]\n param %2 \"w\": f32[3,2,3,3]
         %3: f32[1,2,4,4] = add(%0, %1)\n %4: f32[1,3,4,4] = conv(%3, %2) {CONV}\n output \"y\" = %4"
    ));
    assert!(padded.contains("pads with zeros"), "{padded}");

    let used_twice = refusal(&format!(
        "input %0 \"x\": f32[1,2,4,4]\n param %1 \"s\": f32[1,3,1,1]\n param %2 \"w\": f32[3,2,3,3]
         %3: f32[1,3,4,4] = conv(%0, %2) {CONV}\n %4: f32[1,3,4,4] = mul(%3, %1)
         output \"y\" = %4\n output \"z\" = %3"
    ));
    assert!(used_twice.contains("other uses"), "{used_twice}");

    let moving = refusal(&format!(
        "input %0 \"x\": f32[1,2,4,4]\n input %1 \"w\": f32[3,2,3,3]\n param %2 \"s\": f32[1,3,1,1]
         %3: f32[1,3,4,4] = conv(%0, %1) {CONV}\n %4: f32[1,3,4,4] = mul(%3, %2)\n output \"y\" = %4"
    ));
    assert!(moving.contains("computed in every execution"), "{moving}");

    let low = refusal(&format!(
        "input %0 \"x\": f16[1,2,4,4]\n param %1 \"w\": f16[3,2,3,3]\n param %2 \"s\": f16[1,3,1,1]
         %3: f16[1,3,4,4] = conv(%0, %1) {CONV}\n %4: f16[1,3,4,4] = mul(%3, %2)\n output \"y\" = %4"
    ));
    assert!(low.contains("16-bit weights"), "{low}");

    // Of [2,3,4] a norm goes by the 3, a linear layer by the 4.
    let axis = refusal(
        "input %0 \"x\": f32[2,3,4]\n param %1 \"w\": f32[4,4]\n param %2 \"p\": f32[3]\n param %3 \"v\": f32[3]
         %4: f32[2,3,4] = linear(%0, %1)\n %5: f32[2,3,4] = batch_norm(%4, %2, %2, %2, %3) {eps = 1e-5}
         output \"y\" = %5",
    );
    assert!(axis.contains("another dimension"), "{axis}");

    let alone = refusal(
        "input %0 \"x\": f32[2,3,4,4]\n param %1 \"p\": f32[3]
         %2: f32[2,3,4,4] = batch_norm(%0, %1, %1, %1, %1) {eps = 1e-5}\n output \"y\" = %2",
    );
    assert!(alone.contains("no convolution or linear layer"), "{alone}");
}
