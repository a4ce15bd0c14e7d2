//! Replaces groups of operations by regions, for which the backend has one kernel each.
//!
//! Named kinds come first, larger ones before those that they contain: a convolution with its norm and
//! activation, a matrix product with its residual and activation, a norm with its SiLU, a sum with its
//! norm. Trees of elementwise operations follow. Only kinds that the backend's capabilities list for the
//! dtype are formed, unless the option `force` is set. With `force`, kinds with a kernel are formed
//! first, and the backend runs the bodies of the others.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[1,8,4,4]
//!   input %1 "skip": f32[1,8,4,4]
//!   param %2 "w": f32[8,8,1,1]
//!   param %3 "gamma": f32[8]
//!   param %4 "beta": f32[8]
//!   %5: f32[1,8,4,4] = group_norm(%0, %3, %4) {eps = 1e-5, groups = 2}
//!   %6: f32[1,8,4,4] = silu(%5)
//!   %7: f32[1,8,4,4] = conv(%6, %2) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}
//!   %8: f32[1,8,4,4] = add(%1, %7)
//!   %9: f32[1,8,4,4] = mul_scalar(%8) {value = 0.5}
//!   %10: f32[1,8,4,4] = tanh(%9)
//!   output "y" = %10
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[1,8,4,4]
//!   input %1 "skip": f32[1,8,4,4]
//!   param %2 "w": f32[8,8,1,1]
//!   param %3 "gamma": f32[8]
//!   param %4 "beta": f32[8]
//!   %5: f32[1,8,4,4] = region(%0, %3, %4) {attributes = {eps = 1e-5, groups = 2}, kind = "group_norm_silu"} graph "group_norm_silu" {
//!     input %0 "x": f32[1,8,4,4]
//!     input %1 "gamma": f32[8]
//!     input %2 "beta": f32[8]
//!     %3: f32[1,8,4,4] = group_norm(%0, %1, %2) {eps = 1e-5, groups = 2}
//!     %4: f32[1,8,4,4] = silu(%3)
//!     output "out" = %4
//!   }
//!   %6: f32[1,8,4,4] = region(%5, %2, %1) {attributes = {activation = "none", bias = false, op = {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}, residual = true}, kind = "conv_act"} graph "conv_act" {
//!     input %0 "x": f32[1,8,4,4]
//!     input %1 "weight": f32[8,8,1,1]
//!     input %2 "residual": f32[1,8,4,4]
//!     %3: f32[1,8,4,4] = conv(%0, %1) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}
//!     %4: f32[1,8,4,4] = add(%3, %2)
//!     output "out" = %4
//!   }
//!   %7: f32[1,8,4,4] = region(%6) {kind = "elementwise"} graph "elementwise" {
//!     input %0 "x0": f32[1,8,4,4]
//!     %1: f32[1,8,4,4] = mul_scalar(%0) {value = 0.5}
//!     %2: f32[1,8,4,4] = tanh(%1)
//!     output "out" = %2
//!   }
//!   output "y" = %7
//! }
//! ```

mod elementwise;
mod named;
mod norm;
mod norm_product;
mod product;

use std::collections::BTreeMap;

use mirage_ir::{
    DType, Graph, GraphError, NodeId, TensorType, ValueId,
    analysis::{Prologue, live_nodes},
    ops::Region,
    regions::KnownRegion,
};
use mirage_pass::{
    Choice, Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase, Set, TypedOptions,
    rewrite::{Patch, View},
};

/// See the module.
pub(crate) struct Fuse;

mirage_pass::choices! {
    /// A kind of region.
    enum Kind {
        ActGroupNorm = "act_group_norm",
        ActLayerNorm = "act_layer_norm",
        AddLayerNorm = "add_layer_norm",
        ConvAct = "conv_act",
        ConvNormAct = "conv_norm_act",
        Elementwise = "elementwise",
        GroupNormSilu = "group_norm_silu",
        LayerNormLinear = "layer_norm_linear",
        LinearAct = "linear_act",
    }
}

mirage_pass::options! {
    /// The options of `fuse`.
    struct Options {
        /// kinds of regions to form
        kinds: Set<Kind> = "act_group_norm+act_layer_norm+add_layer_norm+conv_act+conv_norm_act+elementwise+group_norm_silu+layer_norm_linear+linear_act";
        /// maximum number of operations in an elementwise region
        max_body: usize = 32 in 2..=256;
        /// also form regions that the backend has no kernel for; it runs their bodies
        force: bool = false;
    }
}

static INFO: PassInfo = PassInfo {
    options: Options::SPECS,
    // Longer chains need more registers than some processors have.
    worth_trying: &[("max_body", "8"), ("max_body", "128")],
    ..PassInfo::new(
        "fuse",
        2,
        "fuses operations into regions that the backend has kernels for",
        Phase::Fuse,
        Numerics::SameDefinition,
    )
};

mirage_pass::register!(Fuse);

/// Forms the regions of one kind; returns how many.
type Rule = fn(&Fusing, &View, &mut Patch) -> Result<usize, GraphError>;

/// The rules in the order in which they are tried: a kind comes before those that it contains, and
/// elementwise trees come last.
const RULES: &[(Kind, Rule)] = &[
    (Kind::ConvNormAct, |f, v, p| {
        named::each_node(norm_product::conv_norm_act, f, v, p)
    }),
    (Kind::LayerNormLinear, |f, v, p| {
        named::each_node(norm_product::layer_norm_linear, f, v, p)
    }),
    (Kind::GroupNormSilu, |f, v, p| {
        named::each_node(norm::group_norm_silu, f, v, p)
    }),
    (Kind::ConvAct, |f, v, p| {
        named::each_node(product::conv_act, f, v, p)
    }),
    (Kind::LinearAct, |f, v, p| {
        named::each_node(product::linear_act, f, v, p)
    }),
    (Kind::AddLayerNorm, |f, v, p| {
        named::each_node(norm::add_layer_norm, f, v, p)
    }),
    (Kind::ActGroupNorm, |f, v, p| {
        named::each_node(norm::act_group_norm, f, v, p)
    }),
    (Kind::ActLayerNorm, |f, v, p| {
        named::each_node(norm::act_layer_norm, f, v, p)
    }),
    (Kind::Elementwise, elementwise::trees),
];

impl Pass for Fuse {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let options = Options::read(cx.options)?;
        let mut formed = BTreeMap::new();
        let mut without = Vec::new();
        for (kind, rule) in rules(&options, cx) {
            let fusing = Fusing {
                kind: kind.name(),
                options: &options,
                prologue: Prologue::of(graph),
                live: live_nodes(graph),
                cx,
            };
            let view = View::new(graph);
            let mut patch = Patch::new(graph);
            let count = rule(&fusing, &view, &mut patch)?;
            if count > 0 {
                formed.insert(kind.name(), count);
                let next = patch.apply()?;
                *graph = next;
            }
            if !options.force && !has_any_kernel(cx, *kind) {
                without.push(kind.name());
            }
        }
        let notes: Vec<String> = formed
            .iter()
            .map(|(kind, n)| format!("{n} {kind}"))
            .collect();
        Ok(match formed.values().sum() {
            0 if without.is_empty() => {
                Outcome::unchanged("0 matches: the graph has no operations that form a region")
            }
            0 => Outcome::unchanged(format!(
                "the backend has no kernel for {} (the option `force` forms the regions anyway)",
                without.join(", ")
            )),
            rewrites => Outcome::Changed {
                rewrites,
                notes: vec![notes.join(", ")],
            },
        })
    }
}

/// Returns the rules for the requested kinds. Kinds with a kernel come first, so that with `force` no
/// larger region without a kernel takes their operations.
fn rules(options: &Options, cx: &PassContext<'_>) -> Vec<&'static (Kind, Rule)> {
    let asked = |(kind, _): &&(Kind, Rule)| options.kinds.contains(*kind);
    let mut rules: Vec<_> = RULES.iter().filter(asked).collect();
    rules.sort_by_key(|(kind, _)| !has_any_kernel(cx, *kind));
    rules
}

fn has_any_kernel(cx: &PassContext<'_>, kind: Kind) -> bool {
    let has = |dtype| cx.capabilities.has_region(kind.name(), dtype);
    DType::ALL.into_iter().any(has)
}

/// State that the rules share.
struct Fusing<'a> {
    kind: &'static str,
    options: &'a Options,
    prologue: Prologue,
    /// For each node, whether an output or state depends on it. Dead nodes form no region.
    live: Vec<bool>,
    cx: &'a PassContext<'a>,
}

impl Fusing<'_> {
    /// Whether regions of the rule's kind are to be formed in this dtype.
    fn wants(&self, ty: &TensorType) -> bool {
        self.options.force || self.cx.capabilities.has_region(self.kind, ty.dtype)
    }

    /// Whether the value is computed in every execution and has exactly one use, so that it may become
    /// internal to a region.
    fn is_interior(&self, view: &View, value: ValueId) -> bool {
        view.uses().is_single(value) && !self.prologue.is_fixed(value)
    }

    /// Forms a region before `anchor` and returns its outputs. `None` if the kind does not accept operands
    /// of these types.
    fn form(
        &self,
        view: &View,
        anchor: NodeId,
        kind: &impl KnownRegion,
        operands: &[ValueId],
        patch: &mut Patch,
    ) -> Result<Option<Vec<ValueId>>, GraphError> {
        let types: Vec<&TensorType> = operands.iter().map(|&v| view.ty(v)).collect();
        let Ok(region) = Region::known(kind, &types) else {
            return Ok(None);
        };
        patch.at(anchor).push(region, operands).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use mirage_ir::{
        regions,
        target::{Capabilities, Capability, Subject},
        text,
    };
    use mirage_pass::Options as Values;

    use super::*;

    fn everything() -> Capabilities {
        let line = |kind| Capability::new(Subject::region(kind), [DType::F32, DType::F16]);
        Capabilities {
            lines: Kind::NAMES.iter().map(|kind| line(kind)).collect(),
        }
    }

    #[test]
    fn examples() {
        for source in [
            include_str!("fuse.rs"),
            include_str!("fuse/elementwise.rs"),
            include_str!("fuse/norm.rs"),
            include_str!("fuse/norm_product.rs"),
            include_str!("fuse/product.rs"),
        ] {
            crate::example::check_on(&Fuse, &everything(), source);
        }
    }

    #[test]
    fn every_known_kind_has_a_rule_and_is_formed_by_default() {
        let known = regions::KINDS.iter().map(|k| k.name);
        let mut known: Vec<&str> = known.chain([regions::ELEMENTWISE]).collect();
        known.sort_unstable();
        assert_eq!(Kind::NAMES, known);
        let mut ruled: Vec<&str> = RULES.iter().map(|(kind, _)| kind.name()).collect();
        ruled.sort_unstable();
        assert_eq!(Kind::NAMES, ruled);
        let defaults = Options::read(&Values::defaults(&INFO)).unwrap();
        assert!(defaults.kinds.iter().eq(Kind::ALL.iter().copied()));
    }

    const CHAIN: &str = r#"graph "g" {
      input %0 "x": f32[4]
      %1: f32[4] = exp(%0)
      %2: f32[4] = tanh(%1)
      output "y" = %2
    }"#;

    fn outcome(options: &[(&str, &str)], capabilities: &Capabilities) -> Outcome {
        let mut graph = text::parse(CHAIN).unwrap();
        let options = Values::from_pairs(&INFO, options.iter().copied()).unwrap();
        Fuse.run(&mut graph, &PassContext::new(capabilities, &options))
            .unwrap()
    }

    #[test]
    fn a_backend_without_kernels_gets_regions_by_force_alone() {
        let none = Capabilities::default();
        let refused = outcome(&[], &none);
        assert!(
            refused.lines()[0].contains("no kernel for conv_norm_act, layer_norm_linear"),
            "{refused:?}"
        );
        assert_eq!(outcome(&[("force", "true")], &none).rewrites(), 1);
        assert_eq!(outcome(&[], &everything()).rewrites(), 1);
    }

    #[test]
    fn a_larger_region_without_a_kernel_takes_nothing_from_a_kernel() {
        let source = r#"graph "g" {
          input %0 "x": f32[1,4,2,2]
          param %1 "w": f32[4,4,1,1]
          param %2 "gamma": f32[4]
          param %3 "beta": f32[4]
          %4: f32[1,4,2,2] = conv(%0, %1) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}
          %5: f32[1,4,2,2] = group_norm(%4, %2, %3) {eps = 1e-5, groups = 2}
          %6: f32[1,4,2,2] = silu(%5)
          output "y" = %6
        }"#;
        let options = Values::from_pairs(&INFO, [("force", "true")]).unwrap();
        let kinds = |capabilities: &Capabilities| -> Vec<String> {
            let mut graph = text::parse(source).unwrap();
            Fuse.run(&mut graph, &PassContext::new(capabilities, &options))
                .unwrap();
            let regions = graph.nodes().iter().filter_map(|n| n.op.get::<Region>());
            regions.map(|r| r.kind.clone()).collect()
        };
        assert_eq!(kinds(&everything()), ["conv_norm_act"]);
        assert_eq!(kinds(&Capabilities::default()), ["conv_norm_act"]);
        let mut some = everything();
        some.lines
            .retain(|l| l.subject == Subject::region("group_norm_silu"));
        assert_eq!(kinds(&some), ["group_norm_silu"]);
    }

    #[test]
    fn only_the_kinds_asked_for_are_formed() {
        let outcome = outcome(&[("kinds", "conv_act")], &everything());
        assert_eq!(
            outcome.lines(),
            ["0 matches: the graph has no operations that form a region"]
        );
    }
}
