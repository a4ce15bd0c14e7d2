//! Graphs for tests.

use mirage_ir::{Attrs, Graph, Op, TensorType, ValueId, ops::Region, regions, text};

/// Parses a type.
pub fn ty(text: &str) -> TensorType {
    text.parse().unwrap()
}

/// Returns a graph of one node on operands of these types, such as `f32[2,3] |f32[3]`: those after a bar are parameters.
pub fn one(op: impl Into<Op>, operands: &[&str]) -> Graph {
    let op = op.into();
    let mut b = Graph::builder("one");
    let operand = |(i, text): (usize, &&str)| match text.strip_prefix('|') {
        Some(text) => b.param(format!("p{i}"), ty(text)),
        None => b.input(format!("x{i}"), ty(text)),
    };
    let values: Vec<ValueId> = operands.iter().enumerate().map(operand).collect();
    let results = b.push(op.clone(), &values);
    let results = results.unwrap_or_else(|e| panic!("{op:?}: {e}"));
    for (i, value) in results.into_iter().enumerate() {
        b.output(format!("y{i}"), value);
    }
    b.finish().unwrap()
}

/// Returns a graph of one region of a known kind, with attributes in TOML, on operands as in [`one`].
pub fn region(kind: &str, attributes: &str, operands: &[&str]) -> Graph {
    let attributes: Attrs = toml::from_str(attributes).unwrap();
    let types: Vec<TensorType> = operands
        .iter()
        .map(|t| ty(t.trim_start_matches('|')))
        .collect();
    let types: Vec<&TensorType> = types.iter().collect();
    let body = (regions::find(kind).unwrap().expand)(&attributes, &types).unwrap();
    one(Region::new(kind, attributes, body.into()), operands)
}

/// A network with a layer of each kind: convolutions, norms, attention over views and as separate
/// operations, pooling, resampling, concatenation, a state.
pub const ENCODER: &str = r#"graph "network" {
  input %0 "x": f32[1,8,32,32]
  state %1 "last": f32[1,8,32,32] -> %35
  param %2 "w": f32[8,8,3,3]
  param %3 "g": f32[8]
  param %4 "v": f32[8,8]
  param %5 "mix": f32[8,16,1,1]
  param %6 "mean": f32[8]
  param %7 "variance": f32[8]
  %8: f32[1,8,32,32] = conv(%0, %2, %3) {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}
  %9: f32[1,8,32,32] = batch_norm(%8, %3, %3, %6, %7) {eps = 2.0}
  %10: f32[1,8,32,32] = group_norm(%9, %3, %3) {eps = 1e-5, groups = 2}
  %11: f32[1,8,32,32] = silu(%10)
  %12: f32[1,8,16,16] = max_pool(%11) {ceil_mode = false, dilation = [1, 1], kernel = [2, 2], padding = [0, 0], stride = [2, 2]}
  %13: f32[1,8,256] = reshape(%12) {shape = [1, 8, 256]}
  %14: f32[1,256,8] = permute(%13) {axes = [0, 2, 1]}
  %15: f32[1,256,8] = layer_norm(%14, %3) {eps = 1e-5}
  %16: f32[1,256,8] = linear(%15, %4, %3)
  %17: f32[1,256,2,4] = reshape(%16) {shape = [1, 256, 2, 4]}
  %18: f32[1,2,256,4] = permute(%17) {axes = [0, 2, 1, 3]}
  %19: f32[1,2,256,4] = attention(%18, %18, %18)
  %20: f32[1,2,4,256] = permute(%17) {axes = [0, 2, 3, 1]}
  %21: f32[1,2,256,256] = matmul(%18, %20)
  %22: f32[1,2,256,256] = mul_scalar(%21) {value = 0.5}
  %23: f32[1,2,256,256] = softmax(%22) {dim = 3}
  %24: f32[1,2,256,4] = matmul(%23, %18)
  %25: f32[1,2,256,4] = add(%19, %24)
  %26: f32[1,256,2,4] = permute(%25) {axes = [0, 2, 1, 3]}
  %27: f32[1,256,8] = reshape(%26) {shape = [1, 256, 8]}
  %28: f32[1,256,8] = add(%27, %14)
  %29: f32[1,8,256] = permute(%28) {axes = [0, 2, 1]}
  %30: f32[1,8,16,16] = reshape(%29) {shape = [1, 8, 16, 16]}
  %31: f32[1,8,32,32] = resize(%30) {align_corners = false, mode = "bilinear", size = [32, 32]}
  %32: f32[1,16,32,32] = concat(%31, %11) {dim = 1}
  %33: f32[1,8,32,32] = conv(%32, %5) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}
  %34: f32[1,8,32,32] = add(%33, %1)
  %35: f32[1,8,32,32] = tanh(%34)
  %36: f32[1,8,1,1] = reduce_mean(%35) {dims = [2, 3]}
  %37: f32[1,8,32,32] = mul(%35, %36)
  output "y" = %37
}"#;

/// Parses [`ENCODER`].
pub fn encoder() -> Graph {
    text::parse(ENCODER).unwrap()
}
