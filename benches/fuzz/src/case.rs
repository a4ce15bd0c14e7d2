//! A graph, passes on it and a backend to please.

use std::{fmt, sync::LazyLock};

use arbitrary::{Arbitrary, Result, Unstructured};
use mirage_ir::{
    DType, GraphFlag,
    generate::{self, Generated, generate},
    ops, regions,
    target::{Capabilities, Capability, Subject},
};
use mirage_pass::{OptionKind, Options, PassInfo, Plan, Registry, Step, plan};

use crate::network::network;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    mirage_passes::link();
    Registry::linked().expect("the built-in passes can be in one registry")
});

/// What one run of the target `passes` does.
pub struct Case {
    /// The graph and what it runs on.
    pub generated: Generated,
    /// The passes in the order in which they run.
    pub plan: Plan,
    /// What the backend can do.
    pub capabilities: Capabilities,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "passes: {}\n{:?}\n{}",
            self.plan.spec(),
            self.capabilities,
            self.generated.graph
        )
    }
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        // What is decided first keeps its meaning when bytes are added at the end.
        let plan = a_plan(u)?;
        let capabilities = capabilities(u)?;
        let generated = if u.arbitrary()? {
            network(u)?
        } else {
            operations(u)?
        };
        Ok(Case {
            generated,
            plan,
            capabilities,
        })
    }
}

/// What a user would get for some passes, or any passes one after the other: each may run at any
/// time on any valid graph.
fn a_plan(u: &mut Unstructured<'_>) -> Result<Plan> {
    if u.arbitrary()? {
        let all: Vec<_> = REGISTRY.iter().collect();
        let count = u.int_in_range(1..=6)?;
        let steps = (0..count).map(|_| {
            let pass = *u.choose(&all)?;
            Ok(Step::new(pass, options(u, pass.info())?))
        });
        let steps = steps.collect::<Result<_>>()?;
        return Ok(Plan { steps });
    }
    let mut asked = Vec::new();
    for pass in REGISTRY.iter().filter(|p| !p.info().always) {
        if u.arbitrary()? {
            asked.push(Step::new(pass, options(u, pass.info())?));
        }
    }
    let spec = asked.iter().map(Step::spec).collect();
    plan(&REGISTRY, &spec).map_err(|_| arbitrary::Error::IncorrectFormat)
}

/// Options at their defaults, and now and then others that are legal.
fn options(u: &mut Unstructured<'_>, info: &'static PassInfo) -> Result<Options> {
    let mut given: Vec<(&str, String)> = Vec::new();
    for option in info.options {
        if u.ratio(1, 3)? {
            given.push((option.name, value(u, &option.kind, option.default)?));
        }
    }
    let pairs = given.iter().map(|(name, value)| (*name, value.as_str()));
    Ok(Options::from_pairs(info, pairs).expect("the values are legal"))
}

fn value(u: &mut Unstructured<'_>, kind: &OptionKind, default: &str) -> Result<String> {
    Ok(match *kind {
        OptionKind::Bool => u.arbitrary::<bool>()?.to_string(),
        OptionKind::Int { min, max } => u.int_in_range(min..=max)?.to_string(),
        OptionKind::Float { min, max } => {
            let part = f64::from(u.int_in_range(0..=16_u8)?) / 16.0;
            (min + (max - min) * part).to_string()
        }
        OptionKind::Choice(choices) => (*u.choose(choices)?).to_owned(),
        OptionKind::Set(choices) => {
            let mut set = Vec::new();
            for choice in choices {
                if u.arbitrary()? {
                    set.push(*choice);
                }
            }
            set.join("+")
        }
        OptionKind::Str => default.to_owned(),
    })
}

/// A backend with all kernels or none, which may want channels in multiples.
fn capabilities(u: &mut Unstructured<'_>) -> Result<Capabilities> {
    let kinds = regions::KINDS.iter().map(|k| k.name);
    let regions = kinds.chain([regions::ELEMENTWISE]).map(Subject::region);
    let mut subjects = vec![Subject::AllOperations];
    if u.arbitrary()? {
        subjects.extend(regions);
        subjects.extend(GraphFlag::ALL.map(Subject::flag));
        subjects.extend(["group_norm", "layer_norm"].map(Subject::f32_inside));
    }
    let dtypes = if u.arbitrary()? {
        DType::ALL.to_vec()
    } else {
        vec![DType::F64, DType::F32, DType::I64, DType::Bool]
    };
    let channel_multiple = *u.choose(&[1, 4, 8])?;
    let line = |subject| {
        Capability::new(subject, dtypes.iter().copied()).in_multiples_of(channel_multiple)
    };
    Ok(Capabilities {
        lines: subjects.into_iter().map(line).collect(),
    })
}

/// A graph of random operations, all of them or a few; continuous, for else the smallest error
/// would become a large one.
fn operations(u: &mut Unstructured<'_>) -> Result<Generated> {
    let dtypes = match u.int_in_range(0..=3)? {
        0 => vec![DType::F16],
        1 => vec![DType::F64, DType::F32, DType::BF16],
        _ => vec![DType::F32],
    };
    let mut chosen = None;
    if u.ratio(1, 3)? {
        let mut names = Vec::new();
        for name in ops::names() {
            if u.arbitrary()? {
                names.push(name.to_owned());
            }
        }
        chosen = Some(names);
    }
    let options = generate::Options {
        max_nodes: u.int_in_range(1..=32)?,
        dtypes,
        ops: chosen,
        range: 1.0,
        continuous: true,
        calls: u.ratio(1, 4)?,
    };
    let seed = u.arbitrary()?;
    Ok(generate(seed, &options).expect("the options are right"))
}
