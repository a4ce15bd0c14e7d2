//! What the tests share: one closure run on burn's own engine and as a captured graph.

mod eval;

use std::collections::BTreeSet;

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{BackendPrimitive, Bool, Device, Int, Tensor, TensorData, kind::Basic},
};
use burn_capture::{CaptureBackend, CaptureClient};
use burn_router::RouterTensor;
use mirage_capture::{Captured, Inputs, Spec, capture};
use mirage_ir::{DType, interp, ops::Extern};

pub use eval::{evaluate, from_burn};

/// Largest difference to burn's f32 result, in units of its largest element.
const TOLERANCE: f64 = 1e-5;

/// A named input and its value.
pub type Given = (&'static str, TensorData);

/// Inputs by name, recorded or real.
pub enum X<'a> {
    Recorded(&'a Inputs),
    Real(&'a [Given], &'a Device),
}

impl X<'_> {
    fn data(given: &[Given], name: &str) -> TensorData {
        given.iter().find(|(n, _)| *n == name).unwrap().1.clone()
    }

    pub fn float<const D: usize>(&self, name: &str) -> Tensor<D> {
        match self {
            X::Recorded(inputs) => inputs.float(name),
            X::Real(given, device) => {
                let data = Self::data(given, name);
                let dtype = data.dtype();
                Tensor::from_data(data, (*device, dtype))
            }
        }
    }

    pub fn int<const D: usize>(&self, name: &str) -> Tensor<D, Int> {
        match self {
            X::Recorded(inputs) => inputs.int(name),
            X::Real(given, device) => {
                let data = Self::data(given, name);
                let dtype = data.dtype();
                Tensor::from_data(data, (*device, dtype))
            }
        }
    }

    pub fn bool<const D: usize>(&self, name: &str) -> Tensor<D, Bool> {
        match self {
            X::Recorded(inputs) => inputs.bool(name),
            X::Real(given, device) => Tensor::from_data(Self::data(given, name), *device),
        }
    }

    pub fn device(&self) -> Device {
        match self {
            X::Recorded(inputs) => inputs.device().clone(),
            X::Real(_, device) => (*device).clone(),
        }
    }
}

/// Numbers that look random and are the same in every run (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [-1, 1).
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// Floats in [-1, 1).
pub fn floats<const D: usize>(seed: u64, shape: [usize; D]) -> TensorData {
    let mut numbers = Numbers(seed);
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| numbers.unit())
        .collect();
    TensorData::new(values, shape)
}

/// Integers in 0..n.
pub fn ints<const D: usize>(seed: u64, shape: [usize; D], n: u64) -> TensorData {
    let mut numbers = Numbers(seed);
    let values: Vec<i64> = (0..shape.iter().product())
        .map(|_| numbers.below(n) as i64)
        .collect();
    TensorData::new(values, shape)
}

/// Bools, a third of them true.
pub fn bools<const D: usize>(seed: u64, shape: [usize; D]) -> TensorData {
    let mut numbers = Numbers(seed);
    let values: Vec<bool> = (0..shape.iter().product())
        .map(|_| numbers.below(3) == 0)
        .collect();
    TensorData::new(values, shape)
}

/// The module with every parameter drawn anew, so that none is 0 or 1 as initialisations are.
/// Variances are positive.
pub fn seeded<M: Module>(module: M, seed: u64) -> M {
    struct Mapper {
        numbers: Numbers,
        path: Vec<String>,
    }
    impl ModuleMapper for Mapper {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let variance = self.path.last().is_some_and(|n| n.contains("var"));
            param.map(|tensor| {
                let draw = |_| {
                    let x = self.numbers.unit() * 0.5;
                    if variance { x.abs() + 0.5 } else { x }
                };
                let shape = tensor.shape();
                let values: Vec<f32> = (0..shape.num_elements()).map(draw).collect();
                Tensor::from_data(TensorData::new(values, shape), &tensor.device())
            })
        }
    }
    module.map(&mut Mapper {
        numbers: Numbers(seed),
        path: Vec::new(),
    })
}

/// Captures the closure, evaluates the graph and compares it with what burn-flex gives. The
/// operations that stay burn's are exactly `externs`.
pub fn check<M: Module, const D: usize, K>(
    module: &M,
    given: &[Given],
    externs: &[&str],
    run: impl Fn(&M, &X) -> Tensor<D, K>,
) -> Captured
where
    K: Basic + BackendPrimitive<CaptureBackend, Primitive = RouterTensor<CaptureClient>>,
{
    check_within(TOLERANCE, module, given, externs, run)
}

/// [`check`] with another tolerance.
pub fn check_within<M: Module, const D: usize, K>(
    tolerance: f64,
    module: &M,
    given: &[Given],
    externs: &[&str],
    run: impl Fn(&M, &X) -> Tensor<D, K>,
) -> Captured
where
    K: Basic + BackendPrimitive<CaptureBackend, Primitive = RouterTensor<CaptureClient>>,
{
    let specs: Vec<Spec> = given.iter().map(|(name, data)| spec(name, data)).collect();
    let captured =
        capture("test", module, &specs, |m, x| run(m, &X::Recorded(x))).expect("captures");
    assert_eq!(
        extern_names(&captured),
        externs.iter().map(|s| (*s).to_owned()).collect()
    );

    let expected = from_burn(&run(&module.valid(), &X::Real(given, &Device::flex())).into_data());
    let inputs: Vec<interp::Tensor> = given.iter().map(|(_, data)| from_burn(data)).collect();
    let results = evaluate(&captured, &inputs);
    let difference = interp::Difference::between(&results[0], &expected).expect("same type");
    assert!(
        difference.max_rel <= tolerance,
        "{difference:?}\n{}",
        mirage_ir::text::print(&captured.graph)
    );
    assert_varied(&expected);
    captured
}

/// A result whose elements are all alike would be matched by much that is wrong.
fn assert_varied(tensor: &interp::Tensor) {
    let varied = match tensor.elements() {
        interp::Elements::Float(v) => v.iter().any(|x| *x != v[0]) || (v.len() == 1 && v[0] != 0.0),
        interp::Elements::Int(v) => v.iter().any(|x| *x != v[0]) || v.len() == 1,
        interp::Elements::Bool(v) => v.iter().any(|x| *x != v[0]) || v.len() == 1,
    };
    assert!(
        varied,
        "the expected result is the same everywhere: {tensor:?}"
    );
}

fn spec(name: &str, data: &TensorData) -> Spec {
    let dtype = match data.dtype() {
        burn::tensor::DType::F32 => DType::F32,
        burn::tensor::DType::F16 => DType::F16,
        burn::tensor::DType::I64 => DType::I64,
        burn::tensor::DType::I32 => DType::I32,
        burn::tensor::DType::Bool(_) => DType::Bool,
        other => panic!("no spec for {other:?}"),
    };
    Spec::input(name, dtype, data.shape().to_vec())
}

/// The names of the operations that stayed burn's.
pub fn extern_names(captured: &Captured) -> BTreeSet<String> {
    captured
        .graph
        .nodes()
        .iter()
        .filter_map(|n| n.op.get::<Extern>())
        .map(|e| e.name.clone())
        .collect()
}

/// The names of the graph's operations, in order.
pub fn op_names(captured: &Captured) -> Vec<String> {
    captured
        .graph
        .nodes()
        .iter()
        .map(|n| n.op.name().into_owned())
        .collect()
}

/// The module paths of the nodes with this operation, in order.
pub fn paths_of(captured: &Captured, op: &str) -> Vec<String> {
    captured
        .graph
        .nodes()
        .iter()
        .filter(|n| n.op.name() == op)
        .map(|n| n.path.to_string())
        .collect()
}

/// The names of the graph's parameters, in order.
pub fn param_names(captured: &Captured) -> Vec<String> {
    captured
        .graph
        .params()
        .iter()
        .map(|p| p.name.to_string())
        .collect()
}

/// Asserts that the result depends on every parameter but `without_effect`.
pub fn every_parameter_matters(captured: &Captured, given: &[Given], without_effect: &[&str]) {
    let inputs: Vec<interp::Tensor> = given.iter().map(|(_, data)| from_burn(data)).collect();
    let expected = evaluate(captured, &inputs);
    for port in captured.graph.params() {
        let mut changed = captured.clone();
        let ty = captured.graph.ty(port.value);
        let zeros = interp::Tensor::zeros(ty).to_data(ty.dtype).unwrap();
        changed.params.insert(port.name.as_ref(), zeros);
        let results = evaluate(&changed, &inputs);
        let moved = interp::Difference::between(&results[0], &expected[0])
            .unwrap()
            .max_rel;
        let matters = !without_effect
            .iter()
            .any(|suffix| port.name.ends_with(suffix));
        assert_eq!(
            moved > 10.0 * TOLERANCE,
            matters,
            "`{}` moves the result by {moved}",
            port.name
        );
    }
}
