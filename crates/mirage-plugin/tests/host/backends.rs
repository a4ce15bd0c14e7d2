//! Backends.

use std::sync::Arc;

use mirage_backend::{Backend, BackendError, CompileOptions, Executable, find};
use mirage_ir::{DType, Graph, Params, TensorData, TensorType, generate, interp, text};
use mirage_plugin::host::{Origin, origin_of_backend};

use crate::plugins;

pub(crate) fn backend(name: &str) -> &'static dyn Backend {
    plugins();
    find(name).unwrap()
}

const SUM: &str = "graph \"sum\" {
  input %0 \"x\": f32[2,2]
  param %1 \"w\": f32[2,2]
  state %2 \"total\": f32[2,2] -> %4
  %3: f32[2,2] = matmul(%0, %1)
  %4: f32[2,2] = add(%3, %2)
  output \"y\" = %4
}
";

fn data(values: &[f32]) -> TensorData {
    TensorData::from_f32([2, 2], values).unwrap()
}

fn sum() -> (Graph, Params) {
    let weights = data(&[1.0, 2.0, 3.0, 4.0]);
    let params = Params::from_iter([("w".to_owned(), weights)]);
    (text::parse(SUM).unwrap(), params)
}

fn compile(backend: &dyn Backend) -> Result<Box<dyn Executable>, BackendError> {
    let (graph, params) = sum();
    backend.compile(&graph, &params, &CompileOptions::default())
}

#[test]
fn a_backend_in_a_plugin_is_as_any_other() {
    let backend = backend("reference");
    assert_eq!(
        backend.info().summary,
        "computes a graph by its definition, in f64; for comparisons"
    );
    assert_eq!(backend.devices().unwrap()[0].details, "1 thread");
    assert_eq!(
        backend.capabilities(0).lines[0].subject,
        mirage_ir::target::Subject::AllOperations
    );
    assert_eq!(backend.tolerance(), 1e-6);
    assert!(
        matches!(origin_of_backend("reference"), Origin::Plugin(p) if p.name() == "mirage-example-backend")
    );
    assert!(matches!(origin_of_backend("cpu"), Origin::BuiltIn));

    let mut executable = compile(backend).unwrap();
    let ty = executable.inputs()[0].ty.clone();
    let x = executable
        .upload(&data(&[1.0, 0.0, 0.0, 1.0]), &ty)
        .unwrap();
    let inputs = [x];
    let mut outputs = executable.execute(&inputs).unwrap();
    assert_eq!(
        executable.download(&outputs[0]).unwrap(),
        data(&[1.0, 2.0, 3.0, 4.0])
    );
    // The state has moved on; the buffers are used again.
    executable.execute_into(&inputs, &mut outputs).unwrap();
    assert_eq!(
        executable.download(&outputs[0]).unwrap(),
        data(&[2.0, 4.0, 6.0, 8.0])
    );

    let (outputs, times) = executable.profile(&inputs).unwrap();
    assert_eq!(
        executable.download(&outputs[0]).unwrap(),
        data(&[3.0, 6.0, 9.0, 12.0])
    );
    assert_eq!(
        times.iter().map(|t| t.node.index()).collect::<Vec<_>>(),
        [0, 1]
    );

    assert_eq!(
        executable.export_state("total").unwrap(),
        data(&[3.0, 6.0, 9.0, 12.0])
    );
    executable.import_state("total", &data(&[10.0; 4])).unwrap();
    let outputs = executable.execute(&inputs).unwrap();
    assert_eq!(
        executable.download(&outputs[0]).unwrap(),
        data(&[11.0, 12.0, 13.0, 14.0])
    );
    executable.reset_states().unwrap();
    assert_eq!(executable.export_state("total").unwrap(), data(&[0.0; 4]));
    executable.synchronize().unwrap();
    assert_eq!(executable.memory().state_bytes, 16);
    assert!(executable.notes()[0].contains("in f64"));

    // Buffers outlive what made them.
    drop(executable);
    let again = compile(backend).unwrap();
    assert_eq!(
        again.download(&outputs[0]).unwrap(),
        data(&[11.0, 12.0, 13.0, 14.0])
    );
}

/// The plugin keeps the parameters and the host drops its own: nothing is copied, nothing dangles.
#[test]
fn parameters_are_lent_as_long_as_the_plugin_holds_them() {
    struct Watched {
        bytes: Vec<u8>,
        _alive: Arc<()>,
    }
    impl AsRef<[u8]> for Watched {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }
    let (graph, _) = sum();
    let alive = Arc::new(());
    let bytes = data(&[1.0, 2.0, 3.0, 4.0]).bytes().to_vec();
    let watched = Watched {
        bytes,
        _alive: alive.clone(),
    };
    let weights = TensorData::new(DType::F32, [2, 2], watched).unwrap();
    let params = Params::from_iter([("w".to_owned(), weights)]);
    let mut executable = backend("reference")
        .compile(&graph, &params, &CompileOptions::default())
        .unwrap();
    drop(params);
    assert_eq!(
        Arc::strong_count(&alive),
        2,
        "the plugin holds the very bytes"
    );
    let ty = executable.inputs()[0].ty.clone();
    let x = executable
        .upload(&data(&[1.0, 0.0, 0.0, 1.0]), &ty)
        .unwrap();
    let outputs = executable.execute(&[x]).unwrap();
    assert_eq!(
        executable.download(&outputs[0]).unwrap(),
        data(&[1.0, 2.0, 3.0, 4.0])
    );
    drop(executable);
    assert_eq!(Arc::strong_count(&alive), 1, "it has given them back");
}

#[test]
fn it_computes_what_the_interpreter_does() {
    for seed in 0..20 {
        let options = generate::Options {
            calls: seed % 2 == 0,
            ..generate::Options::default()
        };
        let case = generate::generate(seed, &options).unwrap();
        let expected = interp::run(&case.graph, &case.params, &case.inputs, &case.states);
        let compiled =
            backend("reference").compile(&case.graph, &case.params, &CompileOptions::default());
        let mut executable = compiled.unwrap();
        let states = executable.states().to_vec();
        for (port, tensor) in states.iter().zip(&case.states) {
            let data = tensor.to_data(port.ty.dtype).unwrap();
            executable.import_state(&port.name, &data).unwrap();
        }
        let ports = executable.inputs().to_vec();
        let inputs: Vec<_> = ports
            .iter()
            .zip(&case.inputs)
            .map(|(port, tensor)| {
                let data = tensor.to_data(port.ty.dtype).unwrap();
                executable.upload(&data, &port.ty).unwrap()
            })
            .collect();
        let outputs = executable.execute(&inputs).unwrap();
        for ((buffer, tensor), port) in outputs
            .iter()
            .zip(expected.unwrap().outputs)
            .zip(executable.outputs())
        {
            let expected = tensor.to_data(port.ty.dtype).unwrap();
            assert_eq!(
                executable.download(buffer).unwrap(),
                expected,
                "seed {seed}"
            );
        }
    }
}

#[test]
fn wrong_arguments_are_told() {
    let mut executable = compile(backend("reference")).unwrap();
    let ty = executable.inputs()[0].ty.clone();
    let error = executable.execute(&[]).unwrap_err().to_string();
    assert!(error.contains("0 inputs given"), "{error}");
    let wrong = TensorType::new(ty.dtype, [4]);
    let error = executable
        .upload(&data(&[0.0; 4]), &wrong)
        .unwrap_err()
        .to_string();
    assert!(error.contains("f32[4]"), "{error}");
    let error = executable.export_state("sum").unwrap_err().to_string();
    assert!(
        error.contains("`sum`") && error.contains("total"),
        "{error}"
    );

    // A buffer of one plugin is not another's.
    let zeros = compile(backend("zeros")).unwrap();
    let foreign = zeros.upload(&data(&[0.0; 4]), &ty).unwrap();
    let error = executable.execute(&[foreign]).unwrap_err().to_string();
    assert!(error.contains("another backend"), "{error}");
    let (graph, _) = sum();
    let error = backend("reference")
        .compile(&graph, &Params::new(), &CompileOptions::default())
        .map(drop)
        .unwrap_err();
    assert!(error.to_string().contains("`w` has no value"), "{error}");
    let (graph, params) = sum();
    let error = backend("reference")
        .compile(&graph, &params, &CompileOptions { device: 3 })
        .map(drop)
        .unwrap_err();
    assert!(
        error.to_string().contains("has only device 0, not 3"),
        "{error}"
    );
}

/// A backend in C that leaves out what is optional.
#[test]
fn what_a_backend_leaves_out_is_made_good_or_told() {
    let mut executable = compile(backend("zeros")).unwrap();
    let ty = executable.inputs()[0].ty.clone();
    let inputs = [executable.upload(&data(&[1.0; 4]), &ty).unwrap()];
    let mut outputs = executable.execute(&inputs).unwrap();
    executable.execute_into(&inputs, &mut outputs).unwrap();
    assert_eq!(executable.download(&outputs[0]).unwrap(), data(&[0.0; 4]));
    executable.synchronize().unwrap();
    assert_eq!(executable.memory(), Default::default());
    assert_eq!(executable.notes(), ["all zeros"]);
    let error = executable
        .profile(&inputs)
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("has no function for profiles"), "{error}");
    let error = executable.export_state("total").unwrap_err().to_string();
    assert!(
        error.contains("has no function for exporting states"),
        "{error}"
    );
}

#[test]
fn panics_are_errors() {
    let backend = backend("panics");
    let error = backend.devices().unwrap_err().to_string();
    assert!(
        error.contains("panicked") && error.contains("the devices are out"),
        "{error}"
    );
    assert!(backend.capabilities(0).lines.is_empty());
    let error = compile(backend).map(drop).unwrap_err().to_string();
    assert!(
        error.contains("compiling is not my thing (panics.rs:"),
        "{error}"
    );
}
