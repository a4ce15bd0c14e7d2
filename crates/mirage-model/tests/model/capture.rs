//! burn's capture device records a whole forward pass: no random numbers, nothing read back, and only inputs, parameters
//! and two constants as initial values.

use crate::common::{SIDE, inputs, tiny};
use burn::{
    module::Module,
    tensor::{CapturedGraph, Device, TensorId},
};
use burn_capture::CaptureBackend;
use burn_ir::{FloatOperationIr, NumericOperationIr, OperationIr};
use mirage_model::{AnyTensor, named_parameters};

/// The timestep's frequencies and the memory's slot numbers.
const CONSTANTS: usize = 2;

fn id(tensor: &AnyTensor) -> TensorId {
    macro_rules! id {
        ($tensor:ident) => {
            $tensor
                .clone()
                .try_into_primitive::<CaptureBackend>()
                .expect("on the capture device")
                .id()
        };
    }
    match tensor {
        AnyTensor::Float3(tensor) => id!(tensor),
        AnyTensor::Float4(tensor) => id!(tensor),
        AnyTensor::Int1(tensor) => id!(tensor),
        other => panic!("no input or output is {other:?}"),
    }
}

fn captured() -> (CapturedGraph, usize) {
    let host = Device::flex();
    let model = tiny(&host);
    let device = Device::capture();
    let graph = device.capture_scope(|scope| {
        let moved = model.clone().to_device(&device);
        let inputs: Vec<_> = inputs(&model, SIDE, 1, &host)
            .into_iter()
            .map(|(name, tensor)| (name, tensor.to_device(&device)))
            .collect();
        let input_ids: Vec<_> = inputs.iter().map(|(_, tensor)| id(tensor)).collect();
        let outputs = moved.forward_named(inputs).expect("forward");
        let output_ids: Vec<_> = outputs.iter().map(|(_, tensor)| id(tensor)).collect();
        scope.complete(input_ids, output_ids)
    });
    (graph.expect("captured"), named_parameters(&model).len())
}

#[test]
fn a_forward_pass_is_captured_whole() {
    let (CapturedGraph { graph, values }, parameters) = captured();
    assert_eq!((graph.inputs.len(), graph.outputs.len()), (6, 3));
    let count =
        |wanted: fn(&OperationIr) -> bool| graph.operations.iter().filter(|op| wanted(op)).count();

    let random = count(|op| {
        matches!(
            op,
            OperationIr::Float(_, FloatOperationIr::Random(_))
                | OperationIr::NumericInt(_, NumericOperationIr::IntRandom(_))
        )
    });
    assert_eq!(random, 0);
    let initial = count(|op| matches!(op, OperationIr::Init(_)));
    assert_eq!(values.len(), parameters + CONSTANTS + graph.inputs.len());
    assert_eq!(initial, values.len());
    // Pinned: it changes when the network does, and with it every graph that anyone has dumped.
    let computing = graph.operations.len() - initial;
    assert_eq!(computing, 631);
}

#[test]
fn capture_is_repeatable() {
    let (first, _) = captured();
    let (second, _) = captured();
    let kinds = |graph: &CapturedGraph| -> Vec<_> {
        graph
            .graph
            .operations
            .iter()
            .map(std::mem::discriminant)
            .collect()
    };
    assert_eq!(kinds(&first), kinds(&second));
}
