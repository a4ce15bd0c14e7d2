//! What the known kinds of regions stand for, and what they refuse.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use insta::assert_snapshot;
use mirage_ir::{Attrs, OpError, TensorType, regions, text};

/// The body of a kind as text, for attributes in TOML and input types as in the text form.
fn expand(kind: &str, attributes: &str, inputs: &[&str]) -> Result<String, OpError> {
    let kind = regions::find(kind).unwrap();
    let attributes: Attrs = toml::from_str(attributes).unwrap();
    let types: Vec<TensorType> = inputs.iter().map(|t| t.parse().unwrap()).collect();
    let types: Vec<&TensorType> = types.iter().collect();
    (kind.expand)(&attributes, &types).map(|body| text::print(&body))
}

fn refusal(kind: &str, attributes: &str, inputs: &[&str]) -> String {
    expand(kind, attributes, inputs).unwrap_err().to_string()
}

const CONV: &str = "op = {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}\n";

#[test]
fn kinds_are_found_by_their_names_in_alphabetical_order() {
    let names: Vec<&str> = regions::KINDS.iter().map(|k| k.name).collect();
    assert!(names.is_sorted(), "{names:?}");
    for name in names {
        assert_eq!(regions::find(name).unwrap().name, name);
    }
    assert!(regions::find("conv_norm").is_none());
}

#[test]
fn conv_norm_act() {
    let attributes =
        format!("{CONV}norm = {{eps = 1e-5, groups = 2}}\nbias = true\nactivation = \"silu\"");
    let narrow = ["f16[1,4,6,6]", "f16[8,4,3,3]", "f16[8]", "f32[8]", "f32[8]"];
    assert_snapshot!(expand("conv_norm_act", &attributes, &narrow).unwrap(), @r#"
    graph "conv_norm_act" {
      input %0 "x": f16[1,4,6,6]
      input %1 "weight": f16[8,4,3,3]
      input %2 "bias": f16[8]
      input %3 "gamma": f32[8]
      input %4 "beta": f32[8]
      %5: f16[1,8,6,6] = conv(%0, %1, %2) {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}
      %6: f32[1,8,6,6] = cast(%5) {dtype = "f32"}
      %7: f32[1,8,6,6] = group_norm(%6, %3, %4) {eps = 1e-5, groups = 2}
      %8: f16[1,8,6,6] = cast(%7) {dtype = "f16"}
      %9: f16[1,8,6,6] = silu(%8)
      output "out" = %9
    }
    "#);
    let plain = format!("{CONV}norm = {{eps = 1e-5, groups = 2}}");
    let wide = ["f32[1,4,6,6]", "f32[8,4,3,3]", "f32[8]", "f32[8]"];
    assert_snapshot!(expand("conv_norm_act", &plain, &wide).unwrap(), @r#"
    graph "conv_norm_act" {
      input %0 "x": f32[1,4,6,6]
      input %1 "weight": f32[8,4,3,3]
      input %2 "gamma": f32[8]
      input %3 "beta": f32[8]
      %4: f32[1,8,6,6] = conv(%0, %1) {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}
      %5: f32[1,8,6,6] = group_norm(%4, %2, %3) {eps = 1e-5, groups = 2}
      output "out" = %5
    }
    "#);
}

#[test]
fn layer_norm_linear() {
    let attributes = "norm = {eps = 1e-5}\nbeta = true\nbias = true\nactivation = \"gelu\"";
    let inputs = ["f32[2,3,8]", "f32[8]", "f32[8]", "f32[8,4]", "f32[4]"];
    assert_snapshot!(expand("layer_norm_linear", attributes, &inputs).unwrap(), @r#"
    graph "layer_norm_linear" {
      input %0 "x": f32[2,3,8]
      input %1 "gamma": f32[8]
      input %2 "beta": f32[8]
      input %3 "weight": f32[8,4]
      input %4 "bias": f32[4]
      %5: f32[2,3,8] = layer_norm(%0, %1, %2) {eps = 1e-5}
      %6: f32[2,3,4] = linear(%5, %3, %4)
      %7: f32[2,3,4] = gelu(%6)
      output "out" = %7
    }
    "#);
    let narrow = ["bf16[2,8]", "f32[8]", "bf16[8,4]"];
    assert_snapshot!(expand("layer_norm_linear", "norm = {eps = 1e-5}", &narrow).unwrap(), @r#"
    graph "layer_norm_linear" {
      input %0 "x": bf16[2,8]
      input %1 "gamma": f32[8]
      input %2 "weight": bf16[8,4]
      %3: f32[2,8] = cast(%0) {dtype = "f32"}
      %4: f32[2,8] = layer_norm(%3, %1) {eps = 1e-5}
      %5: bf16[2,8] = cast(%4) {dtype = "bf16"}
      %6: bf16[2,4] = linear(%5, %2)
      output "out" = %6
    }
    "#);
}

#[test]
fn activation_then_norm() {
    let layer = "activation = \"gelu\"\nnorm = {eps = 1e-5}";
    assert_snapshot!(expand("act_layer_norm", layer, &["f32[2,8]", "f32[8]"]).unwrap(), @r#"
    graph "act_layer_norm" {
      input %0 "x": f32[2,8]
      input %1 "gamma": f32[8]
      %2: f32[2,8] = gelu(%0)
      %3: f32[2,8] = layer_norm(%2, %1) {eps = 1e-5}
      output "out" = %3
    }
    "#);
    let inputs = ["f16[2,8]", "f32[8]", "f32[8]"];
    assert_snapshot!(expand("act_layer_norm", layer, &inputs).unwrap(), @r#"
    graph "act_layer_norm" {
      input %0 "x": f16[2,8]
      input %1 "gamma": f32[8]
      input %2 "beta": f32[8]
      %3: f16[2,8] = gelu(%0)
      %4: f32[2,8] = cast(%3) {dtype = "f32"}
      %5: f32[2,8] = layer_norm(%4, %1, %2) {eps = 1e-5}
      %6: f16[2,8] = cast(%5) {dtype = "f16"}
      output "out" = %6
    }
    "#);
    let group = "activation = \"relu\"\nnorm = {eps = 1e-5, groups = 4}";
    let inputs = ["f32[1,8,2,2]", "f32[8]", "f32[8]"];
    assert_snapshot!(expand("act_group_norm", group, &inputs).unwrap(), @r#"
    graph "act_group_norm" {
      input %0 "x": f32[1,8,2,2]
      input %1 "gamma": f32[8]
      input %2 "beta": f32[8]
      %3: f32[1,8,2,2] = relu(%0)
      %4: f32[1,8,2,2] = group_norm(%3, %1, %2) {eps = 1e-5, groups = 4}
      output "out" = %4
    }
    "#);
}

#[test]
fn what_is_no_such_region_is_refused() {
    let conv = format!("{CONV}norm = {{eps = 1e-5, groups = 3}}");
    let inputs = ["f32[1,4,6,6]", "f32[8,4,3,3]", "f32[8]", "f32[8]"];
    let layer = ["f32[2,8]", "f32[8]", "f32[4,8]"];
    let messages = [
        refusal("conv_norm_act", &conv, &inputs),
        refusal("conv_norm_act", &conv, &inputs[..2]),
        refusal("conv_norm_act", CONV, &inputs),
        refusal("layer_norm_linear", "norm = {eps = 1e-5}", &layer),
        refusal(
            "layer_norm_linear",
            "norm = {eps = 1e-5}\nbias = true",
            &layer,
        ),
        refusal(
            "layer_norm_linear",
            "norm = {eps = 1e-5}\nresidual = true",
            &layer,
        ),
        refusal(
            "act_layer_norm",
            "activation = \"none\"\nnorm = {eps = 1e-5}",
            &layer[..2],
        ),
        refusal(
            "act_layer_norm",
            "activation = \"exp\"\nnorm = {eps = 1e-5}",
            &layer[..2],
        ),
        refusal(
            "act_layer_norm",
            "activation = \"gelu\"\nnorm = {eps = 1e-5}",
            &[],
        ),
        refusal(
            "act_group_norm",
            "norm = {eps = 1e-5, groups = 2}",
            &["f32[1,8,2]", "f32[8]", "f32[8]"],
        ),
    ];
    assert_snapshot!(messages.join("\n"), @r#"
    graph `conv_norm_act`, node 1 (group_norm): 3 groups do not divide 8 channels
    takes x, weight, gamma, beta; got 2 inputs
    missing field `norm`
    graph `layer_norm_linear`, node 1 (linear): x f32[2,8] does not fit the weight f32[4,8] [in,out]
    takes x, gamma, weight, bias; got 3 inputs
    unknown field `residual`, expected one of `norm`, `beta`, `bias`, `activation`
    must have an activation, got none
    unknown variant `exp`, expected one of `none`, `gelu`, `gelu_tanh`, `relu`, `sigmoid`, `silu`, `tanh`
    takes x, gamma; got 0 inputs
    missing field `activation`
    "#);
}
