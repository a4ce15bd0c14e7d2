//! The border of a capture: names, states, constants, errors; and burn's operations in a graph.

use burn::{
    module::Module,
    nn::{
        Linear, LinearConfig, Relu,
        conv::{Conv2d, Conv2dConfig},
    },
    tensor::{Device, Distribution, Int, IntDType, Tensor},
};
use burn_backend::BoolStore;
use burn_ir::{CustomOpIr, OperationIr, ScalarIr, TensorId, TensorIr};
use mirage_capture::{CaptureError, Captured, Outputs, Spec, burn_op, capture};
use mirage_ir::{
    DType, Scalar, interp,
    ops::{Constant, Extern, Full},
};

use crate::common::*;

fn linear() -> Linear {
    seeded(LinearConfig::new(3, 3).init(&Device::flex()), 1)
}

fn x(shape: impl Into<Vec<usize>>) -> Spec {
    Spec::input("x", DType::F32, shape)
}

#[derive(Module, Debug)]
struct Residual {
    inner: Vec<Conv2d>,
    activation: Relu,
}

#[test]
fn nodes_carry_the_modules_they_came_from() {
    let device = Device::flex();
    let conv = || {
        Conv2dConfig::new([2, 2], [1, 1])
            .with_bias(false)
            .init(&device)
    };
    let module = Residual {
        inner: vec![conv(), conv()],
        activation: Relu::new(),
    };
    let Captured { graph, .. } = capture("residual", &module, &[x([1, 2, 4, 4])], |m, x| {
        let x = x.float::<4>("x");
        let y = m.activation.forward(m.inner[0].forward(x.clone()));
        m.inner[1].forward(y) + x
    })
    .unwrap();
    insta::assert_snapshot!(mirage_ir::text::print(&graph), @r#"
    graph "residual" {
      input %0 "x": f32[1,2,4,4]
      param %1 "inner.0.weight": f32[2,2,1,1]
      param %2 "inner.1.weight": f32[2,2,1,1]
      %3: f32[1,2,4,4] = conv(%0, %1) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]} @ "inner.0"
      %4: f32[1,2,4,4] = relu(%3) @ "inner"
      %5: f32[1,2,4,4] = conv(%4, %2) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]} @ "inner.1"
      %6: f32[1,2,4,4] = add(%5, %0)
      output "out" = %6
    }
    "#);
    let again = mirage_ir::text::parse(&mirage_ir::text::print(&graph)).unwrap();
    assert_eq!(again, graph);
}

#[test]
fn states_inputs_and_outputs_keep_their_names() {
    let specs = [
        x([2, 3]),
        Spec::state("memory", DType::F32, [2, 3]),
        Spec::state("frozen", DType::F32, [1]),
    ];
    let captured = capture("frame", &linear(), &specs, |m, x| {
        let mut memory = x.float::<2>("memory");
        // The module runs several times in one program.
        for _ in 0..3 {
            memory = m.forward(memory + x.float("x"));
        }
        Outputs::new()
            .output("frame", memory.clone() * 0.5)
            .state("memory", memory)
    })
    .unwrap();
    let graph = &captured.graph;
    assert_eq!(graph.name(), "frame");
    let names: Vec<&str> = graph.states().iter().map(|s| s.name.as_ref()).collect();
    assert_eq!(names, ["memory", "frozen"]);
    assert_eq!(graph.states()[1].input, graph.states()[1].output);
    assert_eq!(param_names(&captured), ["weight", "bias"]);

    // Two frames: the second starts from the state of the first.
    let input = from_burn(&floats(2, [2, 3]));
    let first = interp::run(graph, &captured.params, std::slice::from_ref(&input), &[]).unwrap();
    let second = interp::run(graph, &captured.params, &[input], &first.states).unwrap();
    let device = Device::flex();
    let real = Tensor::<2>::from_data(floats(2, [2, 3]), &device);
    let mut memory = Tensor::<2>::zeros([2, 3], &device);
    for _ in 0..6 {
        memory = linear().forward(memory + real.clone());
    }
    let expected = from_burn(&(memory * 0.5).into_data());
    let difference = interp::Difference::between(&second.outputs[0], &expected).unwrap();
    assert!(difference.max_rel < 1e-5, "{difference:?}");
}

#[test]
fn inputs_and_repeated_values_can_be_outputs() {
    let captured = capture("alias", &linear(), &[x([2, 3])], |m, x| {
        let x = x.float::<2>("x");
        let y = m.forward(x.clone());
        Outputs::new()
            .output("same", x.clone().reshape([2, 3]))
            .output("y", y.clone())
            .output("again", y)
            .output("x", x)
    })
    .unwrap();
    let graph = &captured.graph;
    let value = |i: usize| graph.outputs()[i].value;
    assert_eq!(
        (value(0), value(3)),
        (graph.inputs()[0].value, graph.inputs()[0].value)
    );
    assert_eq!(value(1), value(2));
    assert_eq!(
        op_names(&captured)
            .iter()
            .filter(|n| *n == "matmul")
            .count(),
        1
    );
}

#[test]
fn a_parameter_can_be_an_output_and_unused_ones_are_left_out() {
    let captured = capture("weight", &linear(), &[], |m, _| m.weight.val().transpose()).unwrap();
    assert_eq!(param_names(&captured), ["weight"]);
    let expected = from_burn(&linear().weight.val().transpose().into_data());
    assert_eq!(evaluate(&captured, &[])[0], expected);
}

#[test]
fn what_no_result_needs_is_left_out() {
    let captured = capture("dead", &linear(), &[x([2, 3])], |m, x| {
        let _ = m.forward(x.float::<2>("x"));
        let _ = Tensor::<2>::random([2, 3], Distribution::Default, x.device());
        x.float::<2>("x").neg()
    })
    .unwrap();
    assert_eq!(op_names(&captured), ["neg"]);
    assert!(captured.params.is_empty());
}

#[test]
fn constants_by_size() {
    let many: Vec<f32> = (0..2000).map(|i| i as f32 * 0.5).collect();
    let captured = capture("constants", &linear(), &[], |_, x| {
        let uniform = Tensor::<1>::from_data([2.5f32; 2000].as_slice(), x.device());
        let few = Tensor::<1, Int>::from_data([3, 1, 2], x.device());
        let large = Tensor::<1>::from_data(many.as_slice(), x.device());
        Outputs::new()
            .output("sum", uniform + large)
            .output("few", few)
    })
    .unwrap();
    assert_eq!(param_names(&captured), ["constant.0"]);
    let node = |i: usize| &captured.graph.nodes()[i].op;
    assert_eq!(node(0).get::<Full>().unwrap().value, Scalar::Float(2.5));
    assert_eq!(
        node(2).get::<Constant>().unwrap().values,
        [3, 1, 2].map(Scalar::Int)
    );
    let results = evaluate(&captured, &[]);
    assert_eq!(results[0].floats().unwrap()[1999], 1002.0);
}

#[test]
fn parameters_share_burns_memory_and_hold_its_values() {
    let module = linear();
    let captured = capture("linear", &module, &[x([1, 3])], |m, x| {
        m.forward(x.float::<2>("x"))
    })
    .unwrap();
    let weight = captured.params.get("weight").unwrap();
    assert_eq!(weight.bytes(), module.weight.val().into_data().as_bytes());
    assert!(std::ptr::eq(
        weight.bytes(),
        captured.params.clone().get("weight").unwrap().bytes()
    ));
}

#[test]
fn captures_run_side_by_side_and_inside_of_each_other() {
    let outer = capture("outer", &linear(), &[x([2, 3])], |m, x| {
        let inner = capture(
            "inner",
            &linear(),
            &[Spec::input("x", DType::F32, [4, 3])],
            |m, x| m.forward(x.float::<2>("x")).tanh(),
        );
        let names = op_names(&inner.unwrap());
        assert!(names.contains(&"matmul".to_owned()) && names.contains(&"tanh".to_owned()));
        m.forward(x.float::<2>("x"))
    });
    assert_eq!(paths_of(&outer.unwrap(), "tanh").len(), 0);
}

fn error<O: mirage_capture::IntoOutputs>(
    specs: &[Spec],
    run: impl FnOnce(&Linear, &mirage_capture::Inputs) -> O,
) -> CaptureError {
    capture("bad", &linear(), specs, run).unwrap_err()
}

#[test]
fn errors_say_what_and_where() {
    let e = error(&[x([2, 3])], |m, x| m.forward(x.float::<2>("y")));
    assert_eq!(
        e.to_string(),
        "`y` is not a declared input or state; declared: `x`"
    );
    let e = error(&[x([2, 3])], |m, x| m.forward(x.float::<4>("x")));
    assert_eq!(
        e.to_string(),
        "input `x` is f32[2,3], but is read as a floating-point tensor of rank 4"
    );
    let e = error(&[x([2, 3])], |_, x| x.int::<2>("x"));
    assert_eq!(
        e.to_string(),
        "input `x` is f32[2,3], but is read as an integer tensor of rank 2"
    );
    let e = error(&[x([2, 3]), x([1])], |m, x| m.forward(x.float::<2>("x")));
    assert_eq!(
        e.to_string(),
        "two inputs or states have the name `x`: rename one"
    );
    let e = error(&[x([2, 3])], |_, x| {
        Outputs::new().state("x", x.float::<2>("x"))
    });
    assert_eq!(e.to_string(), "`x` is not a declared state; declared: none");
    let e = error(&[x([2, 3])], |_, x| {
        x.float::<2>("x") + Tensor::random([2, 3], Distribution::Default, x.device())
    });
    assert!(matches!(e, CaptureError::Random(_)), "{e}");
    let e = error(&[], |_, _| Tensor::<1>::zeros([2], &Device::flex()));
    assert!(
        matches!(&e, CaptureError::NotRecorded(name) if name == "out"),
        "{e}"
    );
    let e = error(&[Spec::state("s", DType::F32, [2])], |m, _| {
        Outputs::new().state("s", m.weight.val())
    });
    assert!(matches!(e, CaptureError::Graph(_)), "{e}");
}

#[test]
fn a_panic_is_an_error_and_the_next_capture_works() {
    let e = error(&[x([2, 3])], |_, x| {
        assert!(x.device() == &Device::flex(), "a message");
        x.float::<2>("x")
    });
    assert_eq!(
        e.to_string(),
        "the module panicked while it was recorded: a message"
    );
    // Reading values is what no recording can do.
    let e = error(&[x([2, 3])], |_, x| {
        let doubled = x.float::<2>("x") * 2.0;
        let _ = doubled.clone().into_data();
        doubled
    });
    assert!(matches!(e, CaptureError::ReadsValues(_)), "{e}");
    assert!(
        capture("good", &linear(), &[x([2, 3])], |m, x| m
            .forward(x.float::<2>("x")))
        .is_ok()
    );
}

#[test]
fn one_hot_reads_values_and_what_the_error_says_instead_is_captured() {
    let indices = Spec::input("i", DType::I64, [5]);
    let e = error(&[indices], |_, x| x.int::<1>("i").one_hot::<2>(4));
    let text = e.to_string();
    assert!(matches!(e, CaptureError::ReadsValues(_)), "{text}");
    assert!(
        text.contains("one_hot") && text.contains("arange"),
        "{text}"
    );

    let given = [("i", ints(3, [5], 4))];
    let captured = check(&linear(), &given, &[], |_, x| {
        let classes = Tensor::<1, Int>::arange(0..4, &x.device()).cast(IntDType::I64);
        let rows = x.int::<1>("i").unsqueeze_dim::<2>(1);
        rows.equal(classes.unsqueeze()).float()
    });
    let inputs = [interp::Tensor::int([5], vec![3, 0, 2, 0, 1]).unwrap()];
    let run = interp::run(&captured.graph, &captured.params, &inputs, &[]).unwrap();
    let places = [3, 0, 2, 0, 1].map(|hot| (0..4).map(move |i| f64::from(u8::from(i == hot))));
    let expected: Vec<f64> = places.into_iter().flatten().collect();
    assert_eq!(run.outputs[0].floats().unwrap(), expected);
}

fn cumsum() -> Extern {
    let captured = capture("cumsum", &linear(), &[x([2, 3])], |_, x| {
        x.float::<2>("x").cumsum(0)
    })
    .unwrap();
    captured.graph.nodes()[0]
        .op
        .get::<Extern>()
        .unwrap()
        .clone()
}

#[test]
fn equal_operations_of_burn_have_equal_forms() {
    assert_eq!(cumsum(), cumsum());
    assert_eq!(
        (cumsum().engine.as_str(), cumsum().name.as_str()),
        ("burn", "CumSum")
    );
}

#[test]
fn operations_of_another_burn_are_refused_with_both_versions() {
    let ids = [TensorId::new(8), TensorId::new(9)];
    let decode = |op: &Extern| burn_op::decode(op, &ids[..1], &ids[1..], BoolStore::Native);
    assert!(decode(&cumsum()).is_ok());
    let old = Extern {
        version: "0.21.0".to_owned(),
        ..cumsum()
    };
    let message = decode(&old).unwrap_err().to_string();
    assert!(
        message.contains("0.21.0") && message.contains("0.22.1"),
        "{message}"
    );
    let other = Extern {
        engine: "onnx".to_owned(),
        ..cumsum()
    };
    assert!(matches!(
        decode(&other),
        Err(burn_op::DecodeError::Engine { .. })
    ));
    for payload in [
        "",
        "{}",
        "{\"BaseFloat\":{}}",
        &cumsum().payload.replace("\"value\":1", "\"value\":7"),
    ] {
        let damaged = Extern {
            payload: payload.to_owned(),
            ..cumsum()
        };
        assert!(
            matches!(decode(&damaged), Err(burn_op::DecodeError::Payload { .. })),
            "{payload}"
        );
    }
    let retyped = Extern {
        outputs: cumsum()
            .inputs
            .iter()
            .map(|t| t.clone().with_dtype(DType::F16))
            .collect(),
        ..cumsum()
    };
    assert!(matches!(
        decode(&retyped),
        Err(burn_op::DecodeError::Payload { .. })
    ));
}

#[test]
fn scalars_that_json_cannot_hold_come_back() {
    let ir = |id: u64| TensorIr::uninit(TensorId::new(id), [2].into(), burn_backend::DType::F32);
    let scalars = [f64::NEG_INFINITY, 0.1 + 0.2, f64::INFINITY, 1e-310].map(ScalarIr::Float);
    let mut op = CustomOpIr::with_scalars("mine", &[ir(70)], &[ir(71)], scalars.to_vec());
    op.scalars.push(ScalarIr::Int(-3));
    let (encoded, inputs, outputs) = burn_op::encode(&OperationIr::Custom(op.clone())).unwrap();
    assert_eq!(
        (encoded.name.as_str(), inputs[0], outputs[0]),
        ("mine", TensorId::new(70), TensorId::new(71))
    );
    let decoded = burn_op::decode(&encoded, &inputs, &outputs, BoolStore::Native).unwrap();
    let OperationIr::Custom(decoded) = decoded else {
        panic!("another operation")
    };
    assert_eq!(decoded.scalars, op.scalars);
}

#[test]
fn the_version_is_the_one_that_is_built() {
    let lock =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
    let version = format!("name = \"burn-ir\"\nversion = \"{}\"\n", burn_op::VERSION);
    assert!(
        lock.contains(&version),
        "burn_op::VERSION is not burn-ir's version"
    );
}
