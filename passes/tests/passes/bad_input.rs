//! What a user reads who asks for what there is not, or for nothing.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use insta::assert_snapshot;
use mirage_ir::{Graph, target::Capabilities, text};
use mirage_pass::{Options, PassContext, PipelineSpec, Registry, plan};

fn registry() -> Registry {
    mirage_passes::link();
    Registry::linked().unwrap()
}

/// What each pipeline is refused with.
fn refusals(pipelines: &[&str]) -> String {
    let registry = registry();
    let refusal = |pipeline: &&str| {
        let spec: PipelineSpec = pipeline.parse().unwrap();
        plan(&registry, &spec).unwrap_err().to_string()
    };
    pipelines.iter().map(refusal).collect::<Vec<_>>().join("\n")
}

/// Why each pass leaves the graph as it is, on a backend that states nothing.
fn reasons(graph: &str, passes: &[&str]) -> String {
    let registry = registry();
    let graph = text::parse(graph).unwrap();
    let reason = |pass: &&str| {
        let spec: PipelineSpec = pass.parse().unwrap();
        let spec = &spec.passes[0];
        let pass = registry.get(spec.name()).unwrap();
        let options = Options::from_pairs(pass.info(), spec.options()).unwrap();
        let mut after: Graph = graph.clone();
        let outcome = pass
            .run(
                &mut after,
                &PassContext::new(&Capabilities::default(), &options),
            )
            .unwrap();
        assert!(!outcome.is_changed() && after == graph, "{outcome:?}");
        format!("{}: {}", spec.name(), outcome.lines().join("; "))
    };
    passes.iter().map(reason).collect::<Vec<_>>().join("\n")
}

#[test]
fn options_that_there_are_not_and_values_out_of_range() {
    assert_snapshot!(refusals(&[
        "fuse{kinds=foo}",
        "fuse{kinds=conv_act+foo}",
        "fuse{kind=conv_act}",
        "fuse{max_body=1}",
        "merge_qkv{min=1}",
        "merge_qkv{force=maybe}",
        "pad_channels{multiple=65}",
        "pad_channels{max_overhead=-1}",
        "sdpa{mask}",
    ]), @r#"
    pass `fuse` (column 6): option `kinds` has no value `foo`: expected one of act_group_norm, act_layer_norm, add_layer_norm, conv_act, conv_norm_act, elementwise, group_norm_silu, layer_norm_linear, linear_act
    pass `fuse` (column 6): option `kinds` has no value `foo`: expected one of act_group_norm, act_layer_norm, add_layer_norm, conv_act, conv_norm_act, elementwise, group_norm_silu, layer_norm_linear, linear_act
    pass `fuse` (column 6): unknown option `kind`: did you mean `kinds`?
    pass `fuse` (column 6): option `max_body` must be an integer from 2 to 256, got `1`
    pass `merge_qkv` (column 11): option `min` must be an integer from 2 to 64, got `1`
    pass `merge_qkv` (column 11): option `force` must be true or false, got `maybe`
    pass `pad_channels` (column 14): option `multiple` must be an integer from 0 to 64, got `65`
    pass `pad_channels` (column 14): option `max_overhead` must be a number from 0 to 1000, got `-1`
    pass `sdpa` (column 6): unknown option `mask`: did you mean `masks`?
    "#);
}

const PASSES: &[&str] = &[
    "fold_batch_norm",
    "fuse{force}",
    "merge_qkv",
    "merge_qkv{force}",
    "pad_channels",
    "pad_channels{multiple=8}",
    "sdpa",
];

#[test]
fn a_graph_with_nothing_to_do() {
    let silu = r#"graph "silu" {
      input %0 "x": f32[1,3,4,4]
      %1: f32[1,3,4,4] = silu(%0)
      output "y" = %1
    }"#;
    assert_snapshot!(reasons(silu, PASSES), @r#"
    fold_batch_norm: 0 matches: the graph has no batch_norm, and no fixed scale or shift by channel next to a convolution or a linear layer
    fuse: 0 matches: the graph has no operations that form a region
    merge_qkv: 0 matches: the graph has no two linear layers with fixed weights on the same input
    merge_qkv: 0 matches: the graph has no two linear layers with fixed weights on the same input
    pad_channels: 0 matches: the graph has no convolution and no linear layer
    pad_channels: 0 matches: the graph has no convolution and no linear layer
    sdpa: 0 matches: the graph has no softmax(q·kᵀ)·v
    "#);
}

#[test]
fn a_graph_with_nothing_in_it() {
    let nothing = r#"graph "nothing" {
      input %0 "x": f32[2]
      output "y" = %0
    }"#;
    let silu = r#"graph "silu" {
      input %0 "x": f32[2]
      %1: f32[2] = silu(%0)
      output "y" = %1
    }"#;
    assert_eq!(reasons(nothing, PASSES), reasons(silu, PASSES));
    assert_eq!(
        reasons(r#"graph "empty" {}"#, PASSES),
        reasons(silu, PASSES)
    );
}

#[test]
fn layers_that_a_pass_has_to_leave() {
    let layers = r#"graph "layers" {
      input %0 "x": f32[2,3]
      input %1 "w": f32[3,5]
      param %2 "v": f32[3,5]
      %3: f32[2,5] = linear(%0, %1)
      %4: f32[2,5] = linear(%0, %2)
      output "y" = %3
      output "z" = %4
    }"#;
    assert_snapshot!(reasons(layers, &[
        "merge_qkv",
        "merge_qkv{force}",
        "pad_channels",
        "pad_channels{multiple=8,max_overhead=0}",
        "fuse",
    ]), @r#"
    merge_qkv: 0 matches: the graph has no two linear layers with fixed weights on the same input
    merge_qkv: 0 matches: the graph has no two linear layers with fixed weights on the same input
    pad_channels: the backend states no preferred multiple for these layers; set one, such as `multiple=8`
    pad_channels: padding 2 channel counts (the first: 3 input channels of `` to 8) would cost 0.000 MFLOP (+163.3 %) and 0.000 MiB (+182.3 %), more than the option `max_overhead` allows (0.0 %)
    fuse: the backend has no kernel for conv_norm_act, layer_norm_linear, group_norm_silu, conv_act, linear_act, add_layer_norm, act_group_norm, act_layer_norm, elementwise (the option `force` forms the regions anyway)
    "#);
}
