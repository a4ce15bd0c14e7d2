//! `pad_channels` on random networks of odd widths.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use crate::networks::{Case, Network, wanting, work};
use mirage_ir::{
    Graph, ValueId,
    cost::graph_cost,
    ops::{
        BatchNorm, Binary, Concat, Conv, ConvTranspose, GroupNorm, Linear, MaxPool, Resize,
        ResizeMode, Unary, WithScalar,
    },
    target::Capabilities,
};
use mirage_passes::alignment::{Side, alignment};

const ANY_COST: &str = "pad_channels{multiple=4,max_overhead=1000}";

fn conv(n: &mut Network, x: ValueId, outs: usize, groups: usize) -> ValueId {
    let k = n.pick(&[1, 3]);
    let ins = n.shape(x)[1];
    let mut operands = vec![
        x,
        n.weight(&[outs, ins / groups, k, k], ins / groups * k * k),
    ];
    if n.one_in(2) {
        operands.push(n.param(&[outs]));
    }
    let op = Conv {
        stride: vec![1, 1],
        padding: vec![k / 2; 2],
        dilation: vec![1, 1],
        groups,
    };
    n.op(op, &operands)
}

fn conv_transpose(n: &mut Network, x: ValueId, outs: usize) -> ValueId {
    let ins = n.shape(x)[1];
    let mut operands = vec![x, n.weight(&[ins, outs, 3, 3], ins * 9)];
    if n.one_in(2) {
        operands.push(n.param(&[outs]));
    }
    let op = ConvTranspose {
        stride: vec![1, 1],
        padding: vec![1, 1],
        output_padding: vec![0, 0],
        dilation: vec![1, 1],
        groups: 1,
    };
    n.op(op, &operands)
}

fn norm(n: &mut Network, x: ValueId) -> ValueId {
    let c = [n.shape(x)[1]];
    let [gamma, beta, mean] = [(); 3].map(|()| n.param(&c));
    let variance = n.positive(&c);
    n.op(BatchNorm { eps: 1e-3 }, &[x, gamma, beta, mean, variance])
}

/// Functions of one element, with and without f(0) = 0.
fn unary(n: &mut Network, x: ValueId) -> ValueId {
    match n.below(3) {
        0 => {
            let f = n.pick(&[
                Unary::Sigmoid,
                Unary::Cos,
                Unary::Silu,
                Unary::Gelu,
                Unary::Tanh,
            ]);
            n.op(f, &[x])
        }
        1 => {
            let f = n.pick(&[
                Binary::Add,
                Binary::Mul,
                Binary::Div,
                Binary::Max,
                Binary::Min,
            ]);
            n.op(WithScalar::float(f, 0.7), &[x])
        }
        _ => n.op(Unary::Silu, &[x]),
    }
}

/// A function of x and of another picture, of a value by channel, or of a picture of one channel.
fn binary(n: &mut Network, x: ValueId, made: &[ValueId]) -> ValueId {
    let f = n.pick(&[
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Max,
        Binary::Div,
    ]);
    let shape = n.shape(x);
    let c = if n.one_in(3) { 1 } else { shape[1] };
    let same: Vec<ValueId> = made
        .iter()
        .copied()
        .filter(|&v| {
            v != x
                && n.shape(v)[2..] == shape[2..]
                && (n.shape(v)[1] == shape[1] || n.shape(v)[1] == 1)
        })
        .collect();
    let y = match n.below(3) {
        0 => n.positive(&[1, c, 1, 1]),
        1 if f != Binary::Div => n.positive(&[shape[0], c, shape[2], shape[3]]),
        2 if f != Binary::Div && !same.is_empty() => n.pick(&same),
        _ => n.positive(&[1, c, 1, 1]),
    };
    if f != Binary::Div && n.one_in(2) {
        n.op(f, &[y, x])
    } else {
        n.op(f, &[x, y])
    }
}

fn pictures(seed: u64) -> Case {
    let mut n = Network::new(seed);
    let c = n.pick(&[1, 3, 4]);
    let mut x = n.input(&[2, c, 4, 4]);
    let mut made = vec![x];
    let mut results = Vec::new();
    for _ in 0..3 + n.below(8) {
        let shape = n.shape(x);
        let outs = n.pick(&[1, 2, 3, 4, 5, 7]);
        x = match n.below(14) {
            0..=2 => conv(&mut n, x, outs, 1),
            3 => conv_transpose(&mut n, x, outs),
            4 => conv(&mut n, x, 2 * shape[1], shape[1]),
            5 | 6 => unary(&mut n, x),
            7 | 8 => binary(&mut n, x, &made),
            9 => norm(&mut n, x),
            10 => n.op(
                GroupNorm {
                    groups: 1,
                    eps: 1e-3,
                },
                &[x],
            ),
            11 => {
                let other = n.pick(&made);
                let fits = n.shape(other)[2..] == shape[2..] && shape[1] < 12;
                let with = if fits { other } else { x };
                n.op(Concat { dim: 1 }, &[x, with])
            }
            12 => n.op(
                MaxPool {
                    kernel: vec![3, 3],
                    stride: vec![1, 1],
                    padding: vec![1, 1],
                    dilation: vec![1, 1],
                    ceil_mode: false,
                },
                &[x],
            ),
            _ => n.op(
                Resize {
                    size: [9 - shape[2]; 2],
                    mode: ResizeMode::Bilinear,
                    align_corners: false,
                },
                &[x],
            ),
        };
        made.push(x);
        if n.one_in(8) {
            results.push(x);
        }
    }
    results.push(x);
    n.finish(&results)
}

fn tokens(seed: u64) -> Case {
    let mut n = Network::new(seed);
    let mut x = n.input(&[2, 3, 5]);
    for _ in 0..2 + n.below(5) {
        let ins = n.shape(x)[2];
        x = match n.below(3) {
            0 | 1 => {
                let outs = n.pick(&[1, 3, 4, 6]);
                let mut operands = vec![x, n.matrix(ins, outs)];
                if n.one_in(2) {
                    operands.push(n.param(&[outs]));
                }
                n.op(Linear {}, &operands)
            }
            _ if n.one_in(3) => {
                // Of [2,3,C] the norm goes by the 3.
                norm(&mut n, x)
            }
            _ => unary(&mut n, x),
        };
    }
    n.finish(&[x])
}

fn network(seed: u64) -> Case {
    if seed.is_multiple_of(4) {
        tokens(seed)
    } else {
        pictures(seed)
    }
}

fn count(graph: &Graph, name: &str) -> usize {
    work(graph).iter().filter(|n| n.op.name() == name).count()
}

/// The number of nodes, other than layers, that give more channels than in the graph as it was: those
/// are zeros.
fn zeros_in_between(case: &Case, graph: &Graph) -> usize {
    let mut found = 0;
    let values = case.values(graph);
    for (node, value) in graph.nodes().iter().zip(&values) {
        let as_it_was = |o: &&mirage_ir::Node| o.path == node.path && o.op == node.op;
        let Some(old) = case.graph.nodes().iter().find(as_it_was) else {
            continue;
        };
        let own = &case.graph.ty(old.output()).shape;
        let Some(axis) = (0..own.len()).find(|&d| own[d] != value.shape()[d]) else {
            continue;
        };
        let (size, inner) = (
            value.shape()[axis],
            value.shape()[axis + 1..].iter().product::<usize>(),
        );
        for (i, x) in value.floats().unwrap().iter().enumerate() {
            assert!(
                i / inner % size < own[axis] || *x == 0.0,
                "{} gives {x}",
                node.path
            );
        }
        let is_layer = ["conv", "conv_transpose", "linear"].contains(&node.op.name().as_ref());
        found += usize::from(!is_layer);
    }
    found
}

#[test]
fn computes_the_same_with_every_layer_aligned() {
    let (mut padded, mut in_between) = (0, 0);
    for seed in 0..600 {
        let case = network(seed);
        let (graph, outcome) = case.alone(ANY_COST, &Capabilities::default());
        let left = alignment(&graph, |_, _| 4);
        assert!(
            left.iter().all(|m| m.blocked.is_some()),
            "{left:?}\n{graph}"
        );
        padded += outcome.rewrites();
        in_between += zeros_in_between(&case, &graph);
    }
    assert!(
        padded > 1000 && in_between > 100,
        "{padded} padded, {in_between} kept zeros in between"
    );
}

#[test]
fn goes_with_every_other_pass() {
    for seed in 0..40 {
        network(seed).beside_every_other_pass("pad_channels{max_overhead=1000}", &wanting(4));
    }
}

/// A 3×3 convolution 3 → 16, a SiLU, and 30 convolutions 16 → 16.
fn mostly_aligned(layers: usize) -> Case {
    let mut n = Network::new(3);
    let mut x = n.input(&[1, 3, 8, 8]);
    for _ in 0..=layers {
        x = conv(&mut n, x, 16, 1);
        x = n.op(Unary::Silu, &[x]);
    }
    n.finish(&[x])
}

#[test]
fn asks_the_backend_and_weighs_the_whole_graph() {
    let (graph, outcome) = mostly_aligned(30).alone("pad_channels", &wanting(8));
    assert_eq!(outcome.rewrites(), 1, "the picture's channels: {outcome:?}");
    assert_eq!((count(&graph, "pad"), count(&graph, "slice")), (1, 0));

    let case = mostly_aligned(0);
    let (_, outcome) = case.alone("pad_channels", &wanting(8));
    let reason = outcome.lines().join("; ");
    assert!(
        !outcome.is_changed() && reason.contains("3 input channels"),
        "{reason}"
    );
    assert!(
        reason.contains("max_overhead") && reason.contains("(25.0 %)"),
        "{reason}"
    );
    // 5 more channels into 16, with the kernel that the network has, for each of 64 places.
    let found = alignment(&case.graph, |op, dtype| {
        wanting(8).channel_multiple(op, dtype)
    });
    let [found] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((found.side, found.size, found.padded), (Side::Input, 3, 8));
    let kernel = graph_cost(&case.graph).flops / (2 * 3 * 16 * 64);
    assert_eq!(found.extra_flops, 2 * 5 * 16 * 64 * kernel);
    assert_eq!(&*found.path, "layer0");
}

#[test]
fn says_why_it_pads_nothing() {
    let reason = |case: &Case, spec: &str, capabilities: &Capabilities| -> String {
        let (_, outcome) = case.alone(spec, capabilities);
        assert!(!outcome.is_changed(), "{outcome:?}");
        outcome.lines().join("; ")
    };
    let case = mostly_aligned(1);
    let unknown = reason(&case, "pad_channels", &Capabilities::default());
    assert!(unknown.contains("no preferred multiple"), "{unknown}");
    assert!(reason(&case, "pad_channels", &wanting(1)).contains("no preferred multiple"));
    let fits = reason(&case, "pad_channels{multiple=1}", &wanting(8));
    assert!(fits.contains("no preferred multiple"), "{fits}");

    let mut n = Network::new(5);
    let x = n.input(&[1, 8, 4, 4]);
    let y = conv(&mut n, x, 16, 1);
    let fits = n.finish(&[y]);
    let fits = reason(&fits, "pad_channels", &wanting(8));
    assert!(
        fits.contains("every channel count is already a multiple"),
        "{fits}"
    );

    let mut n = Network::new(6);
    let x = n.input(&[1, 3, 4, 4]);
    let y = conv(&mut n, x, 3, 3);
    let grouped = reason(&n.finish(&[y]), ANY_COST, &wanting(8));
    assert!(grouped.contains("has channel groups"), "{grouped}");

    let mut n = Network::new(7);
    let x = n.input(&[1, 3, 4, 4]);
    let y = n.op(Unary::Silu, &[x]);
    let none = reason(&n.finish(&[y]), ANY_COST, &wanting(8));
    assert!(none.contains("0 matches"), "{none}");
}

#[test]
fn one_channel_beside_many_still_broadcasts() {
    let mut n = Network::new(9);
    let x = n.input(&[1, 3, 4, 4]);
    let one = conv(&mut n, x, 1, 1);
    let many = conv(&mut n, x, 3, 1);
    let product = n.op(Binary::Mul, &[one, many]);
    let y = conv(&mut n, product, 5, 1);
    let (graph, outcome) = n.finish(&[y]).alone(ANY_COST, &Capabilities::default());
    assert!(outcome.is_changed(), "{graph}");
}

#[test]
fn zeros_are_no_divisors() {
    let mut n = Network::new(10);
    let x = n.input(&[1, 3, 4, 4]);
    let (a, b) = (conv(&mut n, x, 3, 1), conv(&mut n, x, 3, 1));
    let quotient = n.op(Binary::Div, &[a, b]);
    let y = conv(&mut n, quotient, 5, 1);
    let (graph, outcome) = n.finish(&[y]).alone(ANY_COST, &Capabilities::default());
    assert!(outcome.is_changed(), "{graph}");
}
