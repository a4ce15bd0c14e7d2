//! The text form in print: what it looks like, and that reading gives back what was printed.

use crate::common::*;
use insta::assert_snapshot;
use mirage_ir::{
    ops::*,
    text::{PrintOptions, parse, print, print_with},
    *,
};

#[test]
fn every_operation_is_in_the_families() {
    let graphs = families();
    let used: std::collections::BTreeSet<String> = graphs
        .iter()
        .flat_map(|g| g.nodes().iter().map(|n| n.op.name().into_owned()))
        .collect();
    let missing: Vec<_> = ops::names().filter(|&n| !used.contains(n)).collect();
    assert!(missing.is_empty(), "no test graph holds {missing:?}");
}

#[test]
fn reading_gives_back_what_was_printed() {
    for graph in families() {
        let text = print(&graph);
        let read = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(read, graph);
        assert_eq!(read.to_string(), text);
    }
}

#[test]
fn unary_and_binary() {
    assert_snapshot!(unary().unwrap(), @r#"
    graph "unary" {
      input %0 "x": f32[2,3]
      %1: bool[2,3] = is_nan(%0)
      %2: bool[2,3] = is_inf(%0)
      %3: bool[2,3] = not(%1)
      %4: f32[2,3] = abs(%0)
      %5: f32[2,3] = acos(%4)
      %6: f32[2,3] = asin(%5)
      %7: f32[2,3] = atan(%6)
      %8: f32[2,3] = ceil(%7)
      %9: f32[2,3] = cos(%8)
      %10: f32[2,3] = cosh(%9)
      %11: f32[2,3] = erf(%10)
      %12: f32[2,3] = exp(%11)
      %13: f32[2,3] = floor(%12)
      %14: f32[2,3] = gelu(%13)
      %15: f32[2,3] = gelu_tanh(%14)
      %16: f32[2,3] = log(%15)
      %17: f32[2,3] = log1p(%16)
      %18: f32[2,3] = neg(%17)
      %19: f32[2,3] = recip(%18)
      %20: f32[2,3] = relu(%19)
      %21: f32[2,3] = round(%20)
      %22: f32[2,3] = rsqrt(%21)
      %23: f32[2,3] = sigmoid(%22)
      %24: f32[2,3] = sign(%23)
      %25: f32[2,3] = silu(%24)
      %26: f32[2,3] = sin(%25)
      %27: f32[2,3] = sinh(%26)
      %28: f32[2,3] = sqrt(%27)
      %29: f32[2,3] = square(%28)
      %30: f32[2,3] = tan(%29)
      %31: f32[2,3] = tanh(%30)
      %32: f32[2,3] = trunc(%31)
      output "y" = %32
    }
    "#);
    assert_snapshot!(binary().unwrap(), @r#"
    graph "binary" {
      input %0 "x": f32[2,3,4,5]@[0,2,3,1]
      input %1 "row": f32[1,3,1,1]
      %2: bool[2,3,4,5]@[0,2,3,1] = lt(%0, %1)
      %3: f32[2,3,4,5]@[0,2,3,1] = add(%0, %1)
      %4: bool[2,3,4,5]@[0,2,3,1] = and(%2, %2)
      %5: f32[2,3,4,5]@[0,2,3,1] = div(%0, %1)
      %6: bool[2,3,4,5]@[0,2,3,1] = eq(%0, %1)
      %7: bool[2,3,4,5]@[0,2,3,1] = ge(%0, %1)
      %8: bool[2,3,4,5]@[0,2,3,1] = gt(%0, %1)
      %9: bool[2,3,4,5]@[0,2,3,1] = le(%0, %1)
      %10: bool[2,3,4,5]@[0,2,3,1] = lt(%0, %1)
      %11: f32[2,3,4,5]@[0,2,3,1] = max(%0, %1)
      %12: f32[2,3,4,5]@[0,2,3,1] = min(%0, %1)
      %13: f32[2,3,4,5]@[0,2,3,1] = mul(%0, %1)
      %14: bool[2,3,4,5]@[0,2,3,1] = ne(%0, %1)
      %15: bool[2,3,4,5]@[0,2,3,1] = or(%2, %2)
      %16: f32[2,3,4,5]@[0,2,3,1] = pow(%0, %1)
      %17: f32[2,3,4,5]@[0,2,3,1] = rem(%0, %1)
      %18: f32[2,3,4,5]@[0,2,3,1] = sub(%0, %1)
      %19: bool[2,3,4,5]@[0,2,3,1] = xor(%2, %2)
      %20: f32[2,3,4,5]@[0,2,3,1] = select(%2, %0, %1)
      output "Add" = %3
      output "And" = %4
      output "Div" = %5
      output "Eq" = %6
      output "Ge" = %7
      output "Gt" = %8
      output "Le" = %9
      output "Lt" = %10
      output "Max" = %11
      output "Min" = %12
      output "Mul" = %13
      output "Ne" = %14
      output "Or" = %15
      output "Pow" = %16
      output "Rem" = %17
      output "Sub" = %18
      output "Xor" = %19
      output "select" = %20
    }
    "#);
    assert_snapshot!(scalars().unwrap(), @r#"
    graph "scalars" {
      input %0 "x": f32[2]
      input %1 "i": i32[2]
      input %2 "mask": bool[2]
      %3: f32[2] = add_scalar(%0) {value = 0.1}
      %4: bool[2] = and_scalar(%2) {value = true}
      %5: f32[2] = div_scalar(%0) {value = 0.1}
      %6: bool[2] = eq_scalar(%0) {value = 0.1}
      %7: bool[2] = ge_scalar(%0) {value = 0.1}
      %8: bool[2] = gt_scalar(%0) {value = 0.1}
      %9: bool[2] = le_scalar(%0) {value = 0.1}
      %10: bool[2] = lt_scalar(%0) {value = 0.1}
      %11: f32[2] = max_scalar(%0) {value = 0.1}
      %12: f32[2] = min_scalar(%0) {value = 0.1}
      %13: f32[2] = mul_scalar(%0) {value = 0.1}
      %14: bool[2] = ne_scalar(%0) {value = 0.1}
      %15: bool[2] = or_scalar(%2) {value = true}
      %16: f32[2] = pow_scalar(%0) {value = 0.1}
      %17: i32[2] = rem_scalar(%1) {value = -7}
      %18: f32[2] = sub_scalar(%0) {value = 0.1}
      %19: bool[2] = xor_scalar(%2) {value = true}
      output "Add" = %3
      output "And" = %4
      output "Div" = %5
      output "Eq" = %6
      output "Ge" = %7
      output "Gt" = %8
      output "Le" = %9
      output "Lt" = %10
      output "Max" = %11
      output "Min" = %12
      output "Mul" = %13
      output "Ne" = %14
      output "Or" = %15
      output "Pow" = %16
      output "Rem" = %17
      output "Sub" = %18
      output "Xor" = %19
    }
    "#);
}

#[test]
fn products_and_convolutions() {
    assert_snapshot!(products().unwrap(), @r#"
    graph "products" {
      input %0 "x": f32[2,8,16]
      input %1 "y": f32[1,32,8]
      param %2 "proj.weight": f32[16,32]
      param %3 "proj.bias": f32[32]
      %4: f32[2,8,32] = linear(%0, %2, %3) @ "proj"
      %5: f32[2,8,8] = matmul(%4, %1)
      output "z" = %5
    }
    "#);
    assert_snapshot!(convolutions().unwrap(), @r#"
    graph "convolutions" {
      input %0 "x": f16[1,4,8,8]@[0,2,3,1]
      param %1 "down.weight": f16[8,2,3,3]
      param %2 "down.bias": f16[8]
      param %3 "up.weight": f16[8,4,2,2]
      %4: f16[1,8,4,4]@[0,2,3,1] = conv(%0, %1, %2) {dilation = [1, 1], groups = 2, padding = [1, 1], stride = [2, 2]} @ "down.0.conv"
      %5: f16[1,4,8,8]@[0,2,3,1] = conv_transpose(%4, %3) {dilation = [1, 1], groups = 1, output_padding = [0, 0], padding = [0, 0], stride = [2, 2]} @ "up.0.conv"
      output "z" = %5
    }
    "#);
    assert_snapshot!(attention().unwrap(), @r#"
    graph "attention" {
      input %0 "q": f32[1,2,16,8]
      input %1 "kv": f32[1,2,20,8]
      input %2 "mask": bool[1,1,16,20]
      input %3 "bias": f32[1,2,1,20]
      %4: f32[1,2,16,8] = attention(%0, %1, %1)
      %5: f32[1,2,16,8] = attention(%0, %1, %1, %2, %3) {bias = true, causal = true, mask = true, scale = 0.125, softcap = 30.0}
      output "plain" = %4
      output "all" = %5
    }
    "#);
}

#[test]
fn normalizations_and_reductions() {
    assert_snapshot!(normalizations().unwrap(), @r#"
    graph "normalizations" {
      input %0 "x": f32[1,8,4,4]
      param %1 "gamma": f32[8]
      param %2 "beta": f32[8]
      param %3 "wide": f32[4]
      %4: f32[1,8,4,4] = group_norm(%0, %1, %2) {eps = 1e-5, groups = 2}
      %5: f32[1,8,4,4] = batch_norm(%4, %1, %2, %2, %1) {eps = 0.001}
      %6: f32[1,8,4,4] = layer_norm(%5, %3) {eps = 1e-12}
      %7: f32[1,8,4,4] = softmax(%6) {dim = 3}
      output "y" = %7
    }
    "#);
    assert_snapshot!(pooling().unwrap(), @r#"
    graph "pooling" {
      input %0 "x": f32[1,2,9,9]
      input %1 "grid": f32[1,3,5,2]
      %2: f32[1,2,9,9] = max_pool(%0) {ceil_mode = false, dilation = [1, 1], kernel = [3, 3], padding = [1, 1], stride = [1, 1]}
      %3: f32[1,2,5,5] = avg_pool(%2) {ceil_mode = true, count_include_pad = true, kernel = [2, 2], padding = [0, 0], stride = [2, 2]}
      %4: f32[1,2,3,4] = adaptive_avg_pool(%3) {size = [3, 4]}
      %5: f32[1,2,6,8] = resize(%4) {align_corners = false, mode = "nearest_exact", size = [6, 8]}
      %6: f32[1,2,3,5] = grid_sample(%5, %1) {align_corners = true, mode = "bilinear", padding = "reflection"}
      output "y" = %6
    }
    "#);
    assert_snapshot!(reductions().unwrap(), @r#"
    graph "reductions" {
      input %0 "x": f32[2,3,4]
      input %1 "mask": bool[2,3,4]
      %2: bool[1,3,1] = reduce_all(%1) {dims = [0, 2]}
      %3: bool[1,3,1] = reduce_any(%1) {dims = [0, 2]}
      %4: f32[1,3,1] = reduce_max(%0) {dims = [0, 2]}
      %5: f32[1,3,1] = reduce_mean(%0) {dims = [0, 2]}
      %6: f32[1,3,1] = reduce_min(%0) {dims = [0, 2]}
      %7: f32[1,3,1] = reduce_prod(%0) {dims = [0, 2]}
      %8: f32[1,3,1] = reduce_sum(%0) {dims = [0, 2]}
      %9: i64[2,1,4] = arg_min(%0) {dim = 1, dtype = "i64"}
      %10: i64[2,1,4] = arg_max(%0) {dim = 1, dtype = "i64"}
      output "All" = %2
      output "Any" = %3
      output "Max" = %4
      output "Mean" = %5
      output "Min" = %6
      output "Prod" = %7
      output "Sum" = %8
      output "arg min" = %9
      output "arg max" = %10
    }
    "#);
}

#[test]
fn shapes_and_indices() {
    assert_snapshot!(shapes().unwrap(), @r#"
    graph "shapes" {
      input %0 "x": f32[1,4,6,6]
      %1: f32[1,4,6,6]@[0,2,3,1] = reorder(%0) {order = [0, 2, 3, 1]}
      %2: f32[1,4,36]@[0,2,1] = reshape(%1) {order = [0, 2, 1], shape = [1, 4, 36]}
      %3: f32[1,36,4] = permute(%2) {axes = [0, 2, 1]}
      %4: f32[1,4,36] = permute(%3) {axes = [0, 2, 1]}
      %5: f32[4,6,6] = reshape(%4) {shape = [4, 6, 6]}
      %6: f32[4,6,6] = flip(%5) {dims = [0, 2]}
      %7: f32[1,3,6] = slice(%6) {end = [1, 6, 6], start = [0, 1, 0], step = [1, 2, 1]}
      %8: f32[5,3,6] = expand(%7) {shape = [5, 3, 6]}
      %9: f32[5,9,6] = concat(%8, %8, %8) {dim = 1}
      %10: f32[5,10,9] = pad(%9) {after = [0, 0, 2], before = [0, 1, 1], mode = "constant", value = -0.0}
      %11: f32[5,10,10] = pad(%10) {after = [0, 0, 0], before = [0, 0, 1], mode = "reflect"}
      %12: bf16[5,10,10] = cast(%11) {dtype = "bf16"}
      output "y" = %12
    }
    "#);
    assert_snapshot!(indices().unwrap(), @r#"
    graph "indices" {
      input %0 "i": i64[2,3]
      input %1 "line": u8[5]
      param %2 "table": f32[10,4]
      %3: f32[2,3,4] = embedding(%2, %0)
      %4: f32[2,3] = gather(%2, %0) {dim = 0}
      %5: f32[10,5] = index_select(%2, %1) {dim = 1}
      output "embedded" = %3
      output "gathered" = %4
      output "selected" = %5
    }
    "#);
    assert_snapshot!(created().unwrap(), @r#"
    graph "created" {
      %0: f32[2,3]@[1,0] = full() {ty = "f32[2,3]@[1,0]", value = -inf}
      %1: i64[3] = constant() {ty = "i64[3]", values = [-9223372036854775808, 0, 9223372036854775807]}
      %2: f64[6] = constant() {ty = "f64[6]", values = [0.0, -0.0, 1e-300, 5e-324, 1e16, inf]}
      output "full" = %0
      output "integers" = %1
      output "floats" = %2
    }
    "#);
}

#[test]
fn states_bodies_and_externs() {
    assert_snapshot!(others().unwrap(), @r#"
    graph "others \"quoted\"" {static_plan = true, steps = 4} {
      input %0 "frame": f32[1,4,2,2]
      param %1 "norm.gamma": f32[4]
      param %2 "norm.beta": f32[4]
      state %3 "memory": f32[1,4,2,2] -> %8
      state %4 "constant": f32[1] -> %4
      %5: f32[1,4,2,2], %6: i64[1,4,2,2] = extern(%0) {engine = "burn", inputs = ["f32[1,4,2,2]"], name = "sort", outputs = ["f32[1,4,2,2]", "i64[1,4,2,2]"], payload = "{\"dim\": 1,\n\t\"text\": \"é \\\\ \u007f\"}", version = "0.22.1"} @ "sort"
      %7: f32[1,4,2,2] = region(%5, %1, %2) {kind = "norm_silu_twice"} @ "mid.norm" graph "twice" {
        input %0 "x": f32[1,4,2,2]
        input %1 "gamma": f32[4]
        input %2 "beta": f32[4]
        %3: f32[1,4,2,2] = region(%0, %1, %2) {attributes = {eps = 1e-6, groups = 2}, kind = "group_norm_silu"} graph "group_norm_silu" {
          input %0 "x": f32[1,4,2,2]
          input %1 "gamma": f32[4]
          input %2 "beta": f32[4]
          %3: f32[1,4,2,2] = group_norm(%0, %1, %2) {eps = 1e-6, groups = 2}
          %4: f32[1,4,2,2] = silu(%3)
          output "out" = %4
        }
        %4: f32[1,4,2,2] = region(%3, %1, %2) {attributes = {eps = 1e-6, groups = 2}, kind = "group_norm_silu"} graph "group_norm_silu" {
          input %0 "x": f32[1,4,2,2]
          input %1 "gamma": f32[4]
          input %2 "beta": f32[4]
          %3: f32[1,4,2,2] = group_norm(%0, %1, %2) {eps = 1e-6, groups = 2}
          %4: f32[1,4,2,2] = silu(%3)
          output "out" = %4
        }
        output "out" = %4
      }
      %8: f32[1,4,2,2] = add(%7, %3)
      output "image" = %7
      output "places" = %6
    }
    "#);
}

#[test]
fn without_names_and_paths() {
    let options = PrintOptions {
        paths: false,
        names: false,
    };
    assert_snapshot!(print_with(&others().unwrap(), options), @r#"
    graph {
      input %0: f32[1,4,2,2]
      param %1: f32[4]
      param %2: f32[4]
      state %3: f32[1,4,2,2] -> %8
      state %4: f32[1] -> %4
      %5: f32[1,4,2,2], %6: i64[1,4,2,2] = extern(%0) {engine = "burn", inputs = ["f32[1,4,2,2]"], name = "sort", outputs = ["f32[1,4,2,2]", "i64[1,4,2,2]"], payload = "{\"dim\": 1,\n\t\"text\": \"é \\\\ \u007f\"}", version = "0.22.1"}
      %7: f32[1,4,2,2] = region(%5, %1, %2) {kind = "norm_silu_twice"} graph {
        input %0: f32[1,4,2,2]
        input %1: f32[4]
        input %2: f32[4]
        %3: f32[1,4,2,2] = region(%0, %1, %2) {attributes = {eps = 1e-6, groups = 2}, kind = "group_norm_silu"} graph {
          input %0: f32[1,4,2,2]
          input %1: f32[4]
          input %2: f32[4]
          %3: f32[1,4,2,2] = group_norm(%0, %1, %2) {eps = 1e-6, groups = 2}
          %4: f32[1,4,2,2] = silu(%3)
          output = %4
        }
        %4: f32[1,4,2,2] = region(%3, %1, %2) {attributes = {eps = 1e-6, groups = 2}, kind = "group_norm_silu"} graph {
          input %0: f32[1,4,2,2]
          input %1: f32[4]
          input %2: f32[4]
          %3: f32[1,4,2,2] = group_norm(%0, %1, %2) {eps = 1e-6, groups = 2}
          %4: f32[1,4,2,2] = silu(%3)
          output = %4
        }
        output = %4
      }
      %8: f32[1,4,2,2] = add(%7, %3)
      output = %7
      output = %6
    }
    "#);
}

#[test]
fn values_are_numbered_in_the_sequence_of_print() {
    let mut b = Graph::builder("late");
    let x = b.input("x", f32(&[2]));
    let y = b.op(Unary::Relu, &[x]).unwrap();
    let w = b.param("w", f32(&[2]));
    let z = b.op(Binary::Mul, &[y, w]).unwrap();
    let s = b.state("s", f32(&[2]));
    b.set_state(s, z).unwrap();
    b.output("z", z);
    let graph = b.finish().unwrap();
    let text = print(&graph);
    assert_snapshot!(text, @r#"
    graph "late" {
      input %0 "x": f32[2]
      param %1 "w": f32[2]
      state %2 "s": f32[2] -> %4
      %3: f32[2] = relu(%0)
      %4: f32[2] = mul(%3, %1)
      output "z" = %4
    }
    "#);
    let read = parse(&text).unwrap();
    assert_ne!(read, graph, "the numbers differ");
    assert_eq!(print(&read), text);
    assert_eq!(parse(&print(&read)).unwrap(), read);
}

#[test]
fn a_graph_that_is_not_sound_prints_for_messages() {
    let mut b = Graph::builder("broken");
    let x = b.input("x", f32(&[2]));
    b.push_typed(Unary::Relu.into(), &[x, ValueId::from_index(99)], vec![]);
    b.output("y", ValueId::from_index(7));
    assert_snapshot!(b.finish_unverified(), @r#"
    graph "broken" {
      input %0 "x": f32[2]
       = relu(%0, %?)
      output "y" = %?
    }
    "#);
}
