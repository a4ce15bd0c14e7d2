//! Every two passes that the planner takes together, in both orders, on networks that each pass finds
//! something in.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::collections::BTreeMap;

use crate::networks::{Case, Network, wanting};
use mirage_ir::{
    DType, GraphFlag, Order, ValueId,
    ops::{
        BatchNorm, Binary, Conv, GroupNorm, LayerNorm, Linear, Matmul, Permute, Reshape, Softmax,
        Unary, WithScalar,
    },
    target::{Capabilities, Capability, Subject},
};
use mirage_pass::{Registry, plan};

/// The least number of passes that find something in the networks.
const FIRE: usize = 16;
const CHANNELS: usize = 6;
const HEADS: usize = 2;
const SIDE: usize = 2;

fn conv(n: &mut Network, x: ValueId) -> ValueId {
    let ins = n.shape(x)[1];
    let mut operands = vec![x, n.weight(&[CHANNELS, ins, 3, 3], ins * 9)];
    if n.one_in(2) {
        operands.push(n.param(&[CHANNELS]));
    }
    let op = Conv {
        stride: vec![1, 1],
        padding: vec![1, 1],
        dilation: vec![1, 1],
        groups: 1,
    };
    n.op(op, &operands)
}

fn norm(n: &mut Network, x: ValueId) -> ValueId {
    let [gamma, beta, mean] = [(); 3].map(|()| n.param(&[CHANNELS]));
    if n.one_in(2) {
        let variance = n.positive(&[CHANNELS]);
        n.op(BatchNorm { eps: 1e-3 }, &[x, gamma, beta, mean, variance])
    } else {
        let op = GroupNorm {
            groups: 2,
            eps: 1e-3,
        };
        n.op(op, &[x, gamma, beta])
    }
}

/// SiLU as capture records it.
fn silu(n: &mut Network, x: ValueId) -> ValueId {
    let gate = n.op(Unary::Sigmoid, &[x]);
    n.op(Binary::Mul, &[x, gate])
}

fn linear(n: &mut Network, x: ValueId, outs: usize) -> ValueId {
    let ins = n.shape(x).pop().unwrap();
    let mut operands = vec![x, n.matrix(ins, outs)];
    if n.one_in(2) {
        operands.push(n.param(&[outs]));
    }
    n.op(Linear {}, &operands)
}

fn layer_norm(n: &mut Network, x: ValueId) -> ValueId {
    let [gamma, beta] = [(); 2].map(|()| n.param(&[CHANNELS]));
    n.op(LayerNorm { eps: 1e-3 }, &[x, gamma, beta])
}

/// Attention over [1, tokens, channels], spelled out.
fn attention(n: &mut Network, x: ValueId) -> ValueId {
    let tokens = n.shape(x)[1];
    let size = CHANNELS / HEADS;
    let [q, k, v] = [(); 3].map(|()| {
        let y = linear(n, x, CHANNELS);
        let heads = n.op(Reshape::to([1, tokens, HEADS, size]), &[y]);
        n.op(Permute::of([0, 2, 1, 3]), &[heads])
    });
    let transposed = n.op(Permute::of([0, 1, 3, 2]), &[k]);
    let scores = n.op(Matmul {}, &[q, transposed]);
    let scaled = n.op(WithScalar::float(Binary::Mul, 0.5), &[scores]);
    let weights = n.op(Softmax { dim: 3 }, &[scaled]);
    let mixed = n.op(Matmul {}, &[weights, v]);
    let back = n.op(Permute::of([0, 2, 1, 3]), &[mixed]);
    let flat = n.op(Reshape::to([1, tokens, CHANNELS]), &[back]);
    linear(n, flat, CHANNELS)
}

fn transformer(n: &mut Network, x: ValueId) -> ValueId {
    let normed = layer_norm(n, x);
    let attended = attention(n, normed);
    let x = n.op(Binary::Add, &[x, attended]);
    let normed = layer_norm(n, x);
    let wide = linear(n, normed, 2 * CHANNELS);
    let active = n.op(Unary::Gelu, &[wide]);
    let narrow = linear(n, active, CHANNELS);
    n.op(Binary::Add, &[x, narrow])
}

/// Blocks of convolutions and transformers in a random sequence, with work that nobody needs, work
/// done twice and work that changes nothing.
fn network(seed: u64) -> Case {
    let mut n = Network::new(seed);
    let input = n.input(&[1, 3, SIDE, SIDE]);
    let mut x = conv(&mut n, input);
    for _ in 0..2 {
        if n.one_in(2) {
            let normed = norm(&mut n, x);
            let active = silu(&mut n, normed);
            let convolved = conv(&mut n, active);
            let normed = norm(&mut n, convolved);
            x = n.op(Binary::Add, &[x, normed]);
        }
        let tokens = n.op(Reshape::to([1, CHANNELS, SIDE * SIDE]), &[x]);
        let tokens = n.op(Permute::of([0, 2, 1]), &[tokens]);
        let mixed = transformer(&mut n, tokens);
        let picture = n.op(Permute::of([0, 2, 1]), &[mixed]);
        x = n.op(Reshape::to([1, CHANNELS, SIDE, SIDE]), &[picture]);
    }
    n.op(Unary::Exp, &[x]);
    let [once, twice] = [(); 2].map(|()| n.op(Unary::Abs, &[x]));
    let same = n.op(WithScalar::float(Binary::Mul, 1.0), &[twice]);
    let sum = n.op(Binary::Add, &[once, same]);
    let normed = norm(&mut n, sum);
    let last = conv(&mut n, normed);
    n.finish(&[last])
}

/// The pass with options under which it does what it can, whatever that costs.
fn unrestrained(pass: &str) -> String {
    let options = match pass {
        "fuse" | "merge_qkv" => "{force}",
        "pad_channels" => "{multiple=4,max_overhead=1000}",
        "sdpa" => "{masks}",
        _ => "",
    };
    format!("{pass}{options}")
}

/// A backend with multiples, channels last, plans and tf32, and no kernels for regions.
fn capabilities() -> Capabilities {
    let mut capabilities = wanting(4);
    for line in &mut capabilities.lines {
        line.orders = (3..=5).map(Order::channels_last).collect();
    }
    let heeded = GraphFlag::ALL.map(|flag| Capability::new(Subject::flag(flag), [DType::F32]));
    capabilities.lines.extend(heeded);
    capabilities
}

#[test]
fn every_two_passes_go_together_in_both_orders() {
    mirage_passes::link();
    let registry = Registry::linked().unwrap();
    let names: Vec<&str> = registry.names().collect();
    let capabilities = capabilities();
    let (mut legal, mut refused) = (0, 0);
    let mut rewrites: BTreeMap<&str, usize> = BTreeMap::new();
    let cases: Vec<Case> = (0..30).map(network).collect();
    for first in &names {
        for second in names.iter().filter(|n| *n != first) {
            let pair = [unrestrained(first), unrestrained(second)];
            if plan(&registry, &pair.join(",").parse().unwrap()).is_err() {
                refused += 1;
                continue;
            }
            legal += 1;
            for case in &cases {
                let counts = case.one_after_the_other(&pair, &capabilities);
                *rewrites.entry(first).or_default() += counts[0];
            }
        }
    }
    assert_eq!(rewrites.len(), names.len());
    // A pass may look for what these networks don't have; most must find something.
    let firing: Vec<_> = rewrites.iter().filter(|(_, n)| **n > 0).collect();
    assert!(firing.len() >= FIRE, "only these fired: {firing:?}");
    assert!(
        legal > 100 && refused > 0,
        "{legal} pairs legal, {refused} refused"
    );
}
