//! The text form: what it looks like, and that reading gives back what was printed.
use mirage_ir::*;
#[test]
fn quick() {
    let t = r#"graph "example" {static_plan = true} {
  input %0 "frame": f32[1,3,8,8]
  param %1 "conv.weight": f32[4,3,1,1]
  state %2 "memory": f32[1,4,8,8] -> %4
  %3: f32[1,4,8,8] = conv(%0, %1) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]} @ "conv"
  %4: f32[1,4,8,8] = add(%3, %2)
  %5: f32[1,4,8,8] = region(%4) {kind = "double"} @ "tail" graph "double" {
    input %0 "x": f32[1,4,8,8]
    %1: f32[1,4,8,8] = add(%0, %0)
    output "y" = %1
  }
  output "image" = %5
}
"#;
    let g = text::parse(t).unwrap();
    assert_eq!(g.to_string(), t);
    assert_eq!(text::parse(&g.to_string()).unwrap(), g);
}
