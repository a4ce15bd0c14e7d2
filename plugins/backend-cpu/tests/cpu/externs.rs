//! Operations that only burn knows.

use std::sync::Arc;

use crate::support::{compile, execute, noise, ty};
use burn_backend::{BoolStore, DType as BurnDType, Shape};
use burn_flex::{Flex, FlexDevice};
use burn_ir::{
    BaseOperationIr, DimOpIr, NumericOperationIr, OperationIr, ScalarIr, SortWithIndicesOpIr,
    TensorId, TensorIr, TensorStatus,
};
use mirage_backend::Executable;
use mirage_burn::{Engine, Executor, ExternRunner, Generic, HostRunner, Kernels};
use mirage_ir::{
    Graph, Params, TensorType,
    interp::Tensor,
    ops::{Extern, Unary},
};

fn tensor(id: u64, ty: &TensorType, written: bool) -> TensorIr {
    let status = if written {
        TensorStatus::NotInit
    } else {
        TensorStatus::ReadOnly
    };
    let dtype = match ty.dtype {
        mirage_ir::DType::I64 => BurnDType::I64,
        mirage_ir::DType::Bool => BurnDType::Bool(BoolStore::Native),
        _ => BurnDType::F32,
    };
    TensorIr {
        id: TensorId::new(id),
        shape: Shape::from(ty.shape.clone()),
        status,
        dtype,
    }
}

fn external(name: &str, payload: String, inputs: &[&str], outputs: &[&str]) -> Extern {
    Extern {
        engine: "burn".into(),
        version: "0.22.1".into(),
        name: name.into(),
        payload,
        inputs: inputs.iter().map(|t| ty(t)).collect(),
        outputs: outputs.iter().map(|t| ty(t)).collect(),
    }
}

fn json(op: OperationIr) -> String {
    serde_json::to_string(&op).unwrap()
}

fn cumsum() -> Extern {
    let x = ty("f32[2,3]");
    let op = DimOpIr {
        input: tensor(0, &x, false),
        out: tensor(1, &x, true),
        axis: 1,
    };
    let op = OperationIr::NumericFloat(BurnDType::F32, NumericOperationIr::CumSum(op));
    external("CumSum", json(op), &["f32[2,3]"], &["f32[2,3]"])
}

/// relu before and after, so that the operand and the result pass through the executor.
fn graph(op: Extern) -> Graph {
    let mut b = Graph::builder("external");
    let inputs: Vec<_> = op
        .inputs
        .clone()
        .into_iter()
        .enumerate()
        .map(|(i, t)| b.input(format!("x{i}"), t))
        .collect();
    let first = b.op(Unary::Neg, &[inputs[0]]).unwrap();
    b.set_path("head.scan");
    let outputs = b.push(op, &[&[first], &inputs[1..]].concat()).unwrap();
    for (i, y) in outputs.into_iter().enumerate() {
        b.output(format!("y{i}"), y);
    }
    b.finish().unwrap()
}

#[test]
fn a_cumulative_sum_runs() {
    let mut executable = compile(&graph(cumsum()), &Params::new()).unwrap();
    let x = Tensor::float([2, 3], [1.0, 2.0, 3.0, 4.0, -5.0, 6.0]).unwrap();
    let got = execute(executable.as_mut(), &[x], &[]).unwrap();
    assert_eq!(
        got.outputs[0].floats().unwrap(),
        [-1.0, -3.0, -6.0, -4.0, 1.0, -5.0]
    );
    assert_eq!(
        executable.notes(),
        ["1 operations run through burn's interpreter: CumSum"]
    );
}

#[test]
fn two_results_keep_their_places() {
    let (x, i) = (ty("f32[2,3]"), ty("i64[2,3]"));
    let op = SortWithIndicesOpIr {
        input: tensor(0, &x, false),
        dim: 1,
        descending: true,
        out: tensor(1, &x, true),
        out_indices: tensor(2, &i, true),
    };
    let op = OperationIr::NumericFloat(BurnDType::F32, NumericOperationIr::SortWithIndices(op));
    let op = external(
        "SortWithIndices",
        json(op),
        &["f32[2,3]"],
        &["f32[2,3]", "i64[2,3]"],
    );
    let mut executable = compile(&graph(op), &Params::new()).unwrap();
    let x = Tensor::float([2, 3], [1.0, 2.0, 3.0, 4.0, -5.0, 6.0]).unwrap();
    let got = execute(executable.as_mut(), &[x], &[]).unwrap();
    assert_eq!(
        got.outputs[0].floats().unwrap(),
        [-1.0, -2.0, -3.0, 5.0, -4.0, -6.0]
    );
    assert_eq!(got.outputs[1].ints().unwrap(), [0, 1, 2, 1, 0, 2]);
}

/// JSON has no infinity: it stands beside the operation.
#[test]
fn scalars_beside_the_operation_are_put_in() {
    let (x, mask) = (ty("f32[2,3]"), ty("bool[2,3]"));
    let op = burn_ir::MaskFillOpIr {
        tensor: tensor(0, &x, false),
        mask: tensor(1, &mask, false),
        value: ScalarIr::Float(0.0),
        out: tensor(2, &x, true),
    };
    let op = json(OperationIr::BaseFloat(BaseOperationIr::MaskFill(op)));
    let payload = format!(r#"{{"op": {op}, "scalars": {{"0": "-inf"}}}}"#);
    let op = external(
        "MaskFill",
        payload,
        &["f32[2,3]", "bool[2,3]"],
        &["f32[2,3]"],
    );
    let mut executable = compile(&graph(op), &Params::new()).unwrap();
    let (x, mask) = (noise(&x, 1), noise(&mask, 2));
    let got = execute(executable.as_mut(), &[x.clone(), mask.clone()], &[]).unwrap();
    for ((y, x), masked) in got.outputs[0]
        .floats()
        .unwrap()
        .iter()
        .zip(x.floats().unwrap())
        .zip(mask.bools().unwrap())
    {
        assert_eq!(*y, if *masked { f64::NEG_INFINITY } else { -x });
    }
}

/// As a backend does that burn's interpreter cannot drive.
struct ThroughHost;

impl Kernels<Flex> for ThroughHost {
    fn externs(&self) -> Option<Arc<dyn ExternRunner<Flex>>> {
        Some(Arc::new(HostRunner::<Flex>::new(
            "another engine",
            FlexDevice,
        )))
    }
}

#[test]
fn operations_run_on_another_engine_through_host_copies() {
    let on = |kernels: Arc<dyn Kernels<Flex>>| {
        let engine = Engine::<Flex>::new("test", FlexDevice, kernels);
        Executor::compile(&engine, &graph(cumsum()), &Params::new())
    };
    let mut executor = on(Arc::new(ThroughHost)).unwrap();
    let x = Tensor::float([2, 3], [1.0, 2.0, 3.0, 4.0, -5.0, 6.0]).unwrap();
    let got = execute(&mut executor, &[x], &[]).unwrap();
    assert_eq!(
        got.outputs[0].floats().unwrap(),
        [-1.0, -3.0, -6.0, -4.0, 1.0, -5.0]
    );
    let note = "1 operations run on another engine, through host copies: CumSum";
    assert_eq!(executor.notes(), [note]);
    let error = on(Arc::new(Generic)).err().unwrap().to_string();
    assert!(
        error.contains("CumSum is an operation of burn, which this backend cannot run"),
        "{error}"
    );
}

fn refused(op: Extern) -> String {
    let message = compile(&graph(op), &Params::new())
        .err()
        .unwrap()
        .to_string();
    assert!(
        message.starts_with("backend `cpu` cannot run node 1 (extern at `head.scan`): "),
        "{message}"
    );
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn what_does_not_fit_is_refused_at_compile() {
    let old = Extern {
        version: "0.21.0".into(),
        ..cumsum()
    };
    assert!(refused(old).contains("burn 0.21.0"));
    let other = Extern {
        engine: "torch".into(),
        ..cumsum()
    };
    assert!(refused(other).contains("torch"));
    let garbage = Extern {
        payload: "{\"CumSum\": 3}".into(),
        ..cumsum()
    };
    assert!(refused(garbage).contains("cannot be read"));
    let wide = Extern {
        payload: cumsum().payload.replace("[2,3]", "[2,4]"),
        ..cumsum()
    };
    assert!(refused(wide).contains("must be f32[2,3]"));
    let deep = Extern {
        payload: cumsum().payload.replace("\"value\":1", "\"value\":7"),
        ..cumsum()
    };
    assert!(refused(deep).contains("tensor 7"));
}
