//! Costs, each against a count by hand.

use crate::common::*;
use mirage_ir::{
    cost::{GraphCost, NodeCost, graph_cost, node_cost},
    ops::*,
    text::parse,
    *,
};

fn flops(op: impl Into<Op>, inputs: &[&str]) -> u64 {
    let types: Vec<TensorType> = inputs.iter().map(|t| ty(t)).collect();
    let inputs: Vec<&TensorType> = types.iter().collect();
    let op = op.into();
    let outputs = op.infer(&inputs).expect("fitting inputs");
    op.flops(&inputs, &outputs)
}

#[test]
fn costs_beyond_what_can_be_counted_are_the_largest_number() {
    let wide = "i8[16777216,16777216]";
    assert_eq!(flops(Matmul {}, &[wide, wide]), u64::MAX);
    let pool = MaxPool {
        kernel: vec![1 << 22; 2],
        stride: vec![1; 2],
        padding: vec![1 << 21; 2],
        dilation: vec![1; 2],
        ceil_mode: false,
    };
    assert_eq!(flops(pool, &["f32[1,1,4194304,4194304]"]), u64::MAX);
    let graph = parse(
        r#"graph "large" {
          input %0 "x": i8[16777216,16777216]
          %1: i8[16777216,16777216] = matmul(%0, %0)
          %2: i8[16777216,16777216] = matmul(%1, %0)
          output "y" = %2
        }"#,
    )
    .expect("every type fits");
    assert_eq!(graph_cost(&graph).flops, u64::MAX);
    // Nothing, many times.
    assert_eq!(
        flops(Matmul {}, &["f32[0,16777216]", "f32[16777216,16777216]"]),
        0
    );
}

#[test]
fn multiply_adds_count_two() {
    // 2·6·6 outputs of each of 8 channels, each from 4/2 channels of a 3×3 kernel.
    let conv = Conv {
        stride: vec![1, 1],
        padding: vec![0, 0],
        dilation: vec![1, 1],
        groups: 2,
    };
    assert_eq!(
        flops(conv, &["f32[2,4,8,8]", "f32[8,2,3,3]"]),
        2 * (2 * 8 * 6 * 6) * (2 * 3 * 3)
    );
    // Each of 4·5·5 inputs meets 8 filters of 2×2.
    let transposed = ConvTranspose {
        stride: vec![2, 2],
        padding: vec![0, 0],
        output_padding: vec![0, 0],
        dilation: vec![1, 1],
        groups: 1,
    };
    assert_eq!(
        flops(transposed, &["f32[1,4,5,5]", "f32[4,8,2,2]"]),
        2 * (4 * 5 * 5) * (8 * 2 * 2)
    );
    assert_eq!(
        flops(Linear {}, &["f32[3,5,16]", "f32[16,32]", "f32[32]"]),
        2 * (3 * 5 * 32) * 16
    );
    assert_eq!(
        flops(Matmul {}, &["f32[6,4,7]", "f32[1,7,9]"]),
        2 * (6 * 4 * 9) * 7
    );
}

#[test]
fn attention_is_two_products_and_a_softmax() {
    // 2·3 heads, 16 queries on 20 keys, 8 wide, values 4 wide.
    let (scores, products) = (2 * 3 * 16 * 20, 8 + 4);
    assert_eq!(
        flops(
            Attention::default(),
            &["f32[2,3,16,8]", "f32[2,3,20,8]", "f32[2,3,20,4]"]
        ),
        2 * scores * products + 5 * scores
    );
}

#[test]
fn a_region_costs_what_its_body_does() {
    let x = f32(&[1, 4, 2, 2]);
    let region = flops(norm_silu(&x), &["f32[1,4,2,2]", "f32[4]", "f32[4]"]);
    let norm = flops(
        GroupNorm {
            groups: 2,
            eps: 1e-6,
        },
        &["f32[1,4,2,2]", "f32[4]", "f32[4]"],
    );
    assert_eq!(region, norm + flops(Unary::Silu, &["f32[1,4,2,2]"]));
    // But only its border moves bytes.
    let graph = others().unwrap();
    let cost = node_cost(&graph, &graph.nodes()[1]);
    assert_eq!(
        (cost.bytes_read, cost.bytes_written),
        (4 * (16 + 4 + 4), 4 * 16)
    );
}

#[test]
fn views_are_free() {
    let graph = shapes().unwrap();
    let costs: Vec<NodeCost> = graph.nodes().iter().map(|n| node_cost(&graph, n)).collect();
    // Reorder of 144 floats moves them; reshape and permutes in step with the order don't.
    assert_eq!(
        costs[0],
        NodeCost {
            flops: 0,
            bytes_read: 576,
            bytes_written: 576
        }
    );
    assert_eq!(costs[1], NodeCost::default());
    assert_eq!(costs[2], NodeCost::default());
    assert_eq!(costs[3].bytes(), 2 * 576);
    assert_eq!(costs[4], NodeCost::default());
}

fn cost(text: &str) -> GraphCost {
    graph_cost(&parse(text).expect("a sound graph"))
}

#[test]
fn the_prologue_does_not_count() {
    let cost = cost(
        r#"graph "g" {
            input %0 "x": f16[1,8]
            param %1 "w": f32[8,4]
            %2: f16[8,4] = cast(%1) {dtype = "f16"}
            %3: f16[1,4] = linear(%0, %2)
            output "y" = %3
        }"#,
    );
    assert_eq!(
        cost,
        GraphCost {
            flops: 2 * 8 * 4,
            bytes: 2 * (8 + 8 * 4 + 4),
            weight_bytes: 2 * 8 * 4,
            activation_bytes: 2 * 4,
            peak_activation_bytes: 2 * (8 + 4),
        }
    );
}

/// The peak in elements of `f32`, of `x` [16] through these lines.
fn peak(lines: &str) -> u64 {
    let text = format!("graph \"g\" {{ input %0 \"x\": f32[16]\n{lines}\n}}");
    cost(&text).peak_activation_bytes / 4
}

#[test]
fn the_peak_is_what_is_alive_at_once() {
    // The input is held; a chain needs one more operand and one result at a time.
    assert_eq!(peak(""), 16);
    assert_eq!(peak("%1: f32[16] = relu(%0) output \"y\" = %1"), 32);
    let chain =
        "%1: f32[16] = relu(%0) %2: f32[16] = relu(%1) %3: f32[16] = relu(%2) output \"y\" = %3";
    assert_eq!(peak(chain), 48);
    // A skip connection keeps %1 alive across the chain.
    let skip = "%1: f32[16] = relu(%0) %2: f32[16] = relu(%1) %3: f32[16] = relu(%2)
        %4: f32[16] = add(%3, %1) output \"y\" = %4";
    assert_eq!(peak(skip), 16 + 3 * 16);
    // Results stay to the end.
    let results = "%1: f32[16] = relu(%0) %2: f32[16] = relu(%1) %3: f32[16] = relu(%2)
        output \"a\" = %1 output \"b\" = %2 output \"c\" = %3";
    assert_eq!(peak(results), 64);
    // A result that nobody takes lives for one node; the widest place decides.
    let unused = "%1: f32[16] = relu(%0) %2: f32[4,16] = expand(%3) {shape = [4, 16]}";
    let unused = format!(
        "%3: f32[1,16] = reshape(%0) {{shape = [1, 16]}} {unused} %4: f32[16] = relu(%0) output \"y\" = %4"
    );
    assert_eq!(peak(&unused), 16 + 64);
}

#[test]
fn views_share_memory_and_keep_it_alive() {
    // %2 is %1's memory: one buffer, which the last relu still needs when %3 is there.
    let view = "%1: f32[16] = relu(%0) %2: f32[4,4] = reshape(%1) {shape = [4, 4]}
        %3: f32[4,4] = relu(%2) %4: f32[4,4] = add(%2, %3) output \"y\" = %4";
    assert_eq!(peak(view), 16 + 3 * 16);
    // A view of the input, given out, takes nothing.
    assert_eq!(
        peak("%1: f32[4,4] = reshape(%0) {shape = [4, 4]} output \"y\" = %1"),
        16
    );
    // A view given out keeps its source to the end.
    let out = "%1: f32[16] = relu(%0) %2: f32[4,4] = reshape(%1) {shape = [4, 4]}
        %3: f32[16] = relu(%0) %4: f32[16] = relu(%3) %5: f32[16] = relu(%4)
        output \"a\" = %2 output \"b\" = %5";
    assert_eq!(peak(out), 16 + 16 + 32);
}

#[test]
fn states_are_held_and_weights_do_not_count() {
    // x and the state's old and new content.
    assert_eq!(
        peak("state %1 \"s\": f32[16] -> %2 %2: f32[16] = add(%0, %1)"),
        48
    );
    assert_eq!(
        peak(
            "param %1 \"w\": f32[16] %2: f32[16] = relu(%1) %3: f32[16] = add(%0, %2) output \"y\" = %3"
        ),
        32
    );
    // A weight given out is no activation.
    assert_eq!(
        peak("param %1 \"w\": f32[16] %2: f32[16] = relu(%1) output \"y\" = %2"),
        16
    );
}

/// Whether a reshape is a view, against the memory offset of every element.
#[test]
fn a_reshape_is_a_view_where_no_element_moves() {
    let mut random = Random(4);
    let (mut views, mut moves) = (0, 0);
    for _ in 0..200_000 {
        let factors: Vec<usize> = (0..random.below(5))
            .map(|_| [1, 2, 2, 3][random.below(4)])
            .collect();
        let (a, b) = (
            any_order(&mut random, &factors),
            any_order(&mut random, &factors),
        );
        let op = Reshape {
            shape: b.shape.clone(),
            order: Some(b.order.clone()),
        };
        let stays = offsets(&a) == offsets(&b);
        assert_eq!(
            Op::from(op).is_view(&[&a], std::slice::from_ref(&b)),
            stays,
            "{a} as {b}"
        );
        if stays { views += 1 } else { moves += 1 }
    }
    assert!(
        views > 1000 && moves > 1000,
        "{views} views and {moves} others test too little"
    );
    let (empty, other) = (ty("f32[0,3]@[1,0]"), ty("f32[3,0]"));
    assert!(Op::from(Reshape::to([3, 0])).is_view(&[&empty], &[other]));
}

#[test]
fn a_permutation_is_a_view_where_no_element_moves() {
    let mut random = Random(5);
    for _ in 0..20_000 {
        let x = any_order(&mut random, &[2, 3, 1, 2]);
        let axes = shuffled(&mut random, x.rank());
        let order = Order::new(shuffled(&mut random, x.rank())).unwrap();
        let op = Permute {
            axes: axes.clone(),
            order: Some(order),
        };
        let y = Operation::infer(&op, &[&x]).unwrap().remove(0);
        let strides = x.strides();
        let moved: Vec<usize> = axes.iter().map(|&a| strides[a]).collect();
        let stays = walk(&y.shape, &moved) == offsets(&y);
        assert_eq!(
            Operation::is_view(&op, &[&x], std::slice::from_ref(&y)),
            stays,
            "{x} by {axes:?} as {y}"
        );
        let view = Permute {
            order: Some(op.view_order(&x.order)),
            ..op
        };
        let y = Operation::infer(&view, &[&x]).unwrap();
        assert!(Operation::is_view(&view, &[&x], &y), "{x} by {axes:?}");
    }
}

/// A type with these factors of its size, joined to dimensions at random and in a random order.
fn any_order(random: &mut Random, factors: &[usize]) -> TensorType {
    let mut shape: Vec<usize> = Vec::new();
    for &factor in factors {
        match shape.last_mut() {
            Some(last) if random.below(2) == 0 => *last *= factor,
            _ => shape.push(factor),
        }
    }
    let order = Order::new(shuffled(random, shape.len())).expect("a permutation");
    f32(&shape).with_order(if random.below(3) == 0 {
        Order::row_major(shape.len())
    } else {
        order
    })
}

fn shuffled(random: &mut Random, len: usize) -> Vec<usize> {
    let mut dims: Vec<usize> = (0..len).collect();
    (1..len)
        .rev()
        .for_each(|i| dims.swap(i, random.below(i + 1)));
    dims
}

/// The place in memory of every element, in logical sequence.
fn offsets(ty: &TensorType) -> Vec<usize> {
    walk(&ty.shape, &ty.strides())
}

fn walk(shape: &[usize], strides: &[usize]) -> Vec<usize> {
    (0..shape.iter().product())
        .map(|mut i| {
            let mut offset = 0;
            for (&d, &stride) in shape.iter().zip(strides).rev() {
                offset += (i % d) * stride;
                i /= d;
            }
            offset
        })
        .collect()
}
