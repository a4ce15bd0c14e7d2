//! Every set of the main passes on `lsd-tiny` and `stress-light`: refused by a rule that the error names, or run on the CPU
//! backend within the bound that its passes promise, against the f64 interpreter. The long run writes `docs/reference/pass-sets.md`.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use burn::tensor::Device;
use mirage_capture::Captured;
use mirage_ir::interp::{Difference, Tensor};
use mirage_model::{ModelConfig, Size, build};
use mirage_pass::{Numerics, Options, PipelineReport, Plan, Registry, plan};
use mirage_stream::capture_forward;

use crate::common::{F32, Named, acting, backend, execute, inputs, interpret, prepared, registry};

/// The main passes; bit i of a set's number is pass i.
const PASSES: [&str; 9] = [
    "sdpa",
    "fold_batch_norm",
    "merge_qkv",
    "fp16",
    "bf16",
    "pad_channels",
    "channels_last",
    "fuse",
    "graph_capture",
];

/// The command that writes the page.
const COMMAND: &str =
    "cargo test --release --workspace --test stream pass_sets -- --ignored --nocapture";

/// The least side of a picture that both networks take.
const SIZE: Size = Size {
    width: 16,
    height: 16,
};

fn names(set: usize) -> impl Iterator<Item = &'static str> {
    let chosen = move |(bit, name): (usize, &'static str)| (set >> bit & 1 == 1).then_some(name);
    PASSES.into_iter().enumerate().filter_map(chosen)
}

/// The plan of a set, or the rule that refuses it.
fn planned(registry: &Registry, set: usize) -> Result<Plan, String> {
    let passes: Vec<String> = names(set).map(acting).collect();
    plan(registry, &passes.join(",").parse().unwrap()).map_err(|refusal| refusal.to_string())
}

/// A network with one input and what the interpreter makes of it.
struct Reference {
    captured: Captured,
    inputs: Vec<Named>,
    output: Tensor,
    /// What the backend makes of it without passes.
    plain: Tensor,
}

impl Reference {
    fn new(model: &str, timestep: i64) -> Self {
        let config = ModelConfig::load(model).unwrap();
        let model = build(&config, &Device::flex(), 3).unwrap();
        let specs = model.input_specs(1, SIZE.height, SIZE.width).unwrap();
        let captured = capture_forward(&model, 1, SIZE).unwrap();
        let inputs = inputs(&specs, timestep);
        let output = interpret(&captured, &inputs);
        let mut plain = prepared(&captured, &Plan::default()).executable;
        let plain = execute(plain.as_mut(), &inputs);
        Reference {
            captured,
            inputs,
            output,
            plain,
        }
    }

    /// Runs a legal set. The second execution counts too: a static plan is replayed.
    fn run(&self, set: usize, plan: &Plan) -> Held {
        let prepared = prepared(&self.captured, plan);
        let mut executable = prepared.executable;
        let (mut error, mut from_plain) = (0.0_f64, 0.0_f64);
        for _ in 0..2 {
            let output = execute(executable.as_mut(), &self.inputs);
            let from = |reference| Difference::between(&output, reference).unwrap().max_rel;
            error = error.max(from(&self.output));
            from_plain = from_plain.max(from(&self.plain));
        }
        let rewrites = |name| rewrites(&prepared.pipeline, name);
        Held {
            class: Class::of(plan),
            error,
            from_plain,
            rewrites: names(set).map(rewrites).collect(),
        }
    }
}

fn rewrites(report: &PipelineReport, name: &str) -> usize {
    let runs = report.passes.iter().filter(|run| run.name == name);
    runs.map(|run| run.rewrites).sum()
}

/// What passes of the class "same definition" may change on a backend: the sequence of sums in other kernels.
const SAME_DEFINITION: f64 = 1e-5;

/// What the passes of a set promise together.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Class {
    SameDefinition,
    Reassociates,
    Lowers(f64),
}

impl Class {
    /// The loosest promise of the passes that were asked for.
    fn of(plan: &Plan) -> Self {
        let asked = plan.steps.iter().filter(|step| !step.automatic);
        let classes = asked.map(|step| match step.info().numerics {
            Numerics::BitIdentical | Numerics::SameDefinition => Class::SameDefinition,
            Numerics::Reassociates => Class::Reassociates,
            Numerics::LowersPrecision { tolerance } => Class::Lowers(tolerance),
            Numerics::Lossy { .. } => panic!("no main pass is lossy"),
        });
        classes.fold(Class::SameDefinition, |a, b| if b > a { b } else { a })
    }

    /// The largest error relative to the output's largest value. In f32 it is the kernels' rounding: the backend computes in
    /// sequences of its own with every set.
    fn bound(self) -> f64 {
        match self {
            Class::SameDefinition | Class::Reassociates => F32,
            Class::Lowers(tolerance) => tolerance,
        }
    }

    fn name(self) -> String {
        match self {
            Class::SameDefinition => "same definition".to_owned(),
            Class::Reassociates => "reassociates".to_owned(),
            Class::Lowers(tolerance) => format!("lowers precision ({tolerance:e})"),
        }
    }
}

/// What a legal set did.
struct Held {
    class: Class,
    /// The largest of both executions, relative to the output's largest value.
    error: f64,
    /// The same from what the backend gives without passes.
    from_plain: f64,
    /// Of each pass of the set, in the order of its names.
    rewrites: Vec<usize>,
}

impl Held {
    /// NaN is outside every bound.
    fn is_within(&self) -> bool {
        let keeps = self.class != Class::SameDefinition || self.from_plain < SAME_DEFINITION;
        keeps && self.error < self.class.bound()
    }
}

/// One network's part of the table, by the set's number.
type Column = BTreeMap<usize, Held>;

fn column(reference: &Reference, plans: &[Result<Plan, String>]) -> Column {
    let sets = plans.iter().enumerate();
    let legal = sets.filter_map(|(set, plan)| Some((set, plan.as_ref().ok()?)));
    legal
        .map(|(set, plan)| (set, reference.run(set, plan)))
        .collect()
}

fn outside(column: &Column) -> Vec<String> {
    let outside = column.iter().filter(|(_, held)| !held.is_within());
    outside
        .map(|(set, held)| {
            let Held {
                error, from_plain, ..
            } = held;
            format!("`{}`: {error:e}, from no passes {from_plain:e}", show(*set))
        })
        .collect()
}

fn show(set: usize) -> String {
    let names: Vec<&str> = names(set).collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(" ")
}

fn plans() -> Vec<Result<Plan, String>> {
    let registry = registry();
    (0..1 << PASSES.len())
        .map(|set| planned(&registry, set))
        .collect()
}

/// Refused is what asks for two precisions, by a rule that names both, and nothing else.
fn check_refusals(plans: &[Result<Plan, String>]) {
    for (set, plan) in plans.iter().enumerate() {
        let both = names(set)
            .filter(|name| matches!(*name, "fp16" | "bf16"))
            .count()
            == 2;
        match plan {
            Ok(_) => assert!(!both, "{} has two precisions", show(set)),
            Err(rule) => {
                assert!(both, "{} is refused: {rule}", show(set));
                assert!(
                    rule.contains("`fp16`") && rule.contains("`bf16`"),
                    "the rule names both: {rule}"
                );
            }
        }
    }
}

#[test]
fn sets_of_main_passes_hold_their_bounds_on_lsd_tiny() {
    let plans = plans();
    check_refusals(&plans);
    let column = column(&Reference::new("lsd-tiny", 400), &plans);
    let outside = outside(&column);
    assert!(outside.is_empty(), "{outside:?}");
    assert_eq!(column.len(), 384, "all but those with both precisions");
}

#[test]
fn bit_identical_passes_leave_the_backends_bits() {
    let (registry, reference) = (registry(), Reference::new("lsd-tiny", 400));
    let mut checked = Vec::new();
    for pass in registry.iter() {
        let info = pass.info();
        if info.numerics != Numerics::BitIdentical {
            continue;
        }
        let plan = Plan::single(pass, Options::defaults(info));
        let mut executable = prepared(&reference.captured, &plan).executable;
        let output = execute(executable.as_mut(), &reference.inputs);
        assert!(output.same_bits(&reference.plain), "{}", info.name);
        checked.push(info.name);
    }
    assert!(checked.contains(&"eliminate_common"), "{checked:?}");
}

#[test]
#[ignore = "takes long; writes docs/reference/pass-sets.md"]
fn all_sets_of_main_passes_hold_their_bounds() {
    let plans = plans();
    check_refusals(&plans);
    let networks = [("lsd-tiny", 400), ("stress-light", 20)];
    let columns: Vec<Column> = networks
        .into_iter()
        .map(|(model, timestep)| column(&Reference::new(model, timestep), &plans))
        .collect();
    let page = Page {
        networks: networks.map(|(model, _)| model),
        plans: &plans,
        columns: &columns,
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/pass-sets.md");
    std::fs::write(path, page.text()).unwrap();
    for (model, column) in page.networks.iter().zip(&columns) {
        let outside = outside(column);
        assert!(outside.is_empty(), "{model}: {outside:?}");
    }
    for (bit, name) in PASSES.iter().enumerate() {
        assert!(acted(bit, &columns), "`{name}` never acted");
    }
}

/// Whether a pass rewrote anything in any set of any network.
fn acted(bit: usize, columns: &[Column]) -> bool {
    let acts = |(set, held): (&usize, &Held)| {
        let position = names(*set).position(|name| name == PASSES[bit]);
        position.is_some_and(|at| held.rewrites[at] > 0)
    };
    columns.iter().any(|column| column.iter().any(acts))
}

/// The page: what the long run found.
struct Page<'a> {
    networks: [&'static str; 2],
    plans: &'a [Result<Plan, String>],
    columns: &'a [Column],
}

impl Page<'_> {
    fn text(&self) -> String {
        [
            self.head(),
            self.refusals(),
            self.classes(),
            self.actions(),
            self.table(),
        ]
        .join("\n")
    }

    fn head(&self) -> String {
        let device = backend().devices().unwrap().swap_remove(0);
        let passes: Vec<String> = PASSES.map(|name| format!("`{}`", acting(name))).into();
        format!(
            "# Every set of the main passes\n\n\
             All {sets} sets of {count} passes, on `{a}` and `{b}` with seeded weights, one forward pass of one {w}×{h} picture.\n\
             A set is refused by the planner, with the rule in its error, or it is legal; then the network runs with it on the\n\
             CPU backend twice, and the larger error of the two is in the table: the largest difference from the output that the\n\
             f64 interpreter gives for the graph without passes, relative to that output's largest value.\n\n\
             Passes: {passes}.\n\
             Options are such that a pass acts also where it would find that the gain is not worth it.\n\n\
             This page is written by\n\n    {COMMAND}\n\n\
             and this one on: {name} ({details}), backend `cpu` ({engine}), Mirage {version}.\n\
             The test fails where a set is outside its bound.\n",
            sets = self.plans.len(),
            count = PASSES.len(),
            a = self.networks[0],
            b = self.networks[1],
            w = SIZE.width,
            h = SIZE.height,
            passes = passes.join(", "),
            name = device.name,
            details = device.details,
            engine = backend().info().engine,
            version = env!("CARGO_PKG_VERSION"),
        )
    }

    /// How many sets each rule refuses.
    fn refusals(&self) -> String {
        let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
        for refusal in self.plans.iter().filter_map(|plan| plan.as_ref().err()) {
            *rules.entry(refusal).or_default() += 1;
        }
        let legal = self.plans.iter().filter(|plan| plan.is_ok()).count();
        let mut text =
            format!("## Verdicts\n\n| Verdict | Sets |\n|---|---|\n| legal | {legal} |\n");
        for (rule, sets) in rules {
            writeln!(text, "| refused: {rule} | {sets} |").unwrap();
        }
        text
    }

    /// The worst error of each class of numerics.
    fn classes(&self) -> String {
        let mut classes: Vec<Class> = Vec::new();
        for held in self.columns[0].values() {
            if !classes.contains(&held.class) {
                classes.push(held.class);
            }
        }
        classes.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let [a, b] = self.networks;
        let mut text = format!(
            "## The worst error of each class\n\nA set's class is the loosest of its passes'.\n\n\
             | Class | Sets | Bound | `{a}` | with | `{b}` | with |\n|---|---|---|---|---|---|---|\n"
        );
        for class in classes {
            let of_class = |column: &Column| -> Vec<(usize, f64)> {
                let held = column.iter().filter(|(_, held)| held.class == class);
                held.map(|(set, held)| (*set, held.error)).collect()
            };
            let sets = of_class(&self.columns[0]).len();
            write!(text, "| {} | {sets} | {:e} ", class.name(), class.bound()).unwrap();
            for column in self.columns {
                let all = of_class(column).into_iter();
                let (set, error) = all.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
                write!(text, "| {error:.1e} | {} ", show(set)).unwrap();
            }
            text.push_str("|\n");
        }
        text
    }

    /// What each pass rewrites, at least and at most, over the legal sets that have it.
    fn actions(&self) -> String {
        let [a, b] = self.networks;
        let mut text = format!(
            "## What each pass rewrites\n\nThe least and the most places in any legal set with it.\n\n\
             | Pass | `{a}` | `{b}` |\n|---|---|---|\n"
        );
        for name in PASSES {
            write!(text, "| `{name}` ").unwrap();
            for column in self.columns {
                let count = |(set, held): (&usize, &Held)| {
                    let at = names(*set).position(|other| other == name)?;
                    Some(held.rewrites[at])
                };
                let counts: Vec<usize> = column.iter().filter_map(count).collect();
                let least = counts.iter().min().unwrap();
                let most = counts.iter().max().unwrap();
                if least == most {
                    write!(text, "| {most} ").unwrap();
                } else {
                    write!(text, "| {least}–{most} ").unwrap();
                }
            }
            text.push_str("|\n");
        }
        text
    }

    fn table(&self) -> String {
        let [a, b] = self.networks;
        let mut text = format!(
            "## All sets\n\nRewrites are in the order of the set's passes. Sets that are refused have no numbers.\n\n\
             | Set | Verdict | Bound | `{a}`: error | rewrites | `{b}`: error | rewrites |\n\
             |---|---|---|---|---|---|---|\n"
        );
        let mut order: Vec<usize> = (0..self.plans.len()).collect();
        order.sort_by_key(|set| (self.plans[*set].is_err(), set.count_ones(), *set));
        for set in order {
            match &self.plans[set] {
                Err(_) => {
                    writeln!(text, "| {} | refused | | | | | |", show(set)).unwrap();
                }
                Ok(_) => self.legal(&mut text, set),
            }
        }
        text
    }

    fn legal(&self, text: &mut String, set: usize) {
        let held: Vec<&Held> = self.columns.iter().map(|column| &column[&set]).collect();
        let verdict = match held.iter().all(|held| held.is_within()) {
            true => "within",
            false => "**outside**",
        };
        let bound = held[0].class.bound();
        write!(text, "| {} | {verdict} | {bound:e} ", show(set)).unwrap();
        for held in held {
            let rewrites: Vec<String> = held.rewrites.iter().map(usize::to_string).collect();
            write!(text, "| {:.1e} | {} ", held.error, rewrites.join(" ")).unwrap();
        }
        text.push_str("|\n");
    }
}
