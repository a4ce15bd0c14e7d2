//! Evaluation of a captured graph: the graph's own operations by their definition in f64, burn's by
//! burn's interpreter on burn-flex.

use burn_backend::{BoolStore, DType as BurnDType, TensorData as BurnData, read_sync};
use burn_flex::{Flex, FlexDevice};
use burn_ir::{OperationIr, TensorId, TensorIr, TensorStatus};
use burn_router::TensorInterpreter;
use mirage_capture::{Captured, burn_op};
use mirage_ir::{
    DType, TensorData, TensorType,
    interp::{self, Tensor},
    ops::Extern,
};

/// The outputs for these inputs. States are zeros.
pub fn evaluate(captured: &Captured, inputs: &[Tensor]) -> Vec<Tensor> {
    let graph = &captured.graph;
    if !graph.nodes().iter().any(|n| n.op.is::<Extern>()) {
        return interp::run(graph, &captured.params, inputs, &[])
            .expect("runs")
            .outputs;
    }
    let mut values: Vec<Option<Tensor>> = vec![None; graph.values().len()];
    for (port, input) in graph.inputs().iter().zip(inputs) {
        values[port.value.index()] = Some(input.clone());
    }
    for port in graph.params() {
        let data = captured.params.get(&port.name).expect("has a value");
        values[port.value.index()] = Some(Tensor::from_data(data).expect("is readable"));
    }
    for node in graph.nodes() {
        let operands: Vec<&Tensor> = node
            .inputs
            .iter()
            .map(|v| values[v.index()].as_ref().expect("is defined"))
            .collect();
        let results = match node.op.get::<Extern>() {
            Some(op) => run_extern(op, &operands),
            None => node
                .op
                .eval(&operands, &graph.output_types(node))
                .expect("evaluates"),
        };
        for (v, result) in node.outputs.iter().zip(results) {
            values[v.index()] = Some(result);
        }
    }
    graph
        .outputs()
        .iter()
        .map(|p| values[p.value.index()].clone().expect("is defined"))
        .collect()
}

/// The recipe that `burn_op` documents.
fn run_extern(op: &Extern, operands: &[&Tensor]) -> Vec<Tensor> {
    let mut interpreter = TensorInterpreter::<Flex>::new(FlexDevice);
    // Any ids do: these are not the canonical ones.
    let ids: Vec<TensorId> = (0..op.inputs.len() + op.outputs.len())
        .map(|i| TensorId::new(1000 + 7 * i as u64))
        .collect();
    let (inputs, outputs) = ids.split_at(op.inputs.len());
    for ((id, ty), operand) in inputs.iter().zip(&op.inputs).zip(operands) {
        interpreter.register_tensor_data_id(*id, to_burn(operand, ty));
    }
    interpreter
        .register_op(burn_op::decode(op, inputs, outputs, BoolStore::Native).expect("decodes"));
    let results = outputs
        .iter()
        .zip(&op.outputs)
        .map(|(id, ty)| {
            let data = read_sync(interpreter.read_tensor_async(tensor_ir(*id, ty))).expect("reads");
            from_burn(&data)
        })
        .collect();
    for (id, ty) in inputs.iter().zip(&op.inputs) {
        interpreter.register_op(OperationIr::Drop(tensor_ir(*id, ty)));
    }
    results
}

fn tensor_ir(id: TensorId, ty: &TensorType) -> TensorIr {
    TensorIr {
        id,
        shape: ty.shape.clone().into(),
        status: TensorStatus::ReadWrite,
        dtype: burn_dtype(ty.dtype),
    }
}

fn burn_dtype(dtype: DType) -> BurnDType {
    match dtype {
        DType::F32 => BurnDType::F32,
        DType::F16 => BurnDType::F16,
        DType::I64 => BurnDType::I64,
        DType::Bool => BurnDType::Bool(BoolStore::Native),
        other => panic!("no test has {other}"),
    }
}

fn to_burn(tensor: &Tensor, ty: &TensorType) -> BurnData {
    let data = tensor.to_data(ty.dtype).expect("fits");
    BurnData::from_bytes_vec(
        data.bytes().to_vec(),
        ty.shape.clone(),
        burn_dtype(ty.dtype),
    )
}

/// burn's data for the interpreter.
pub fn from_burn(data: &BurnData) -> Tensor {
    let dtype = match data.dtype() {
        BurnDType::F32 => DType::F32,
        BurnDType::F16 => DType::F16,
        BurnDType::I64 => DType::I64,
        BurnDType::I32 => DType::I32,
        BurnDType::Bool(_) => DType::Bool,
        other => panic!("no test has {other:?}"),
    };
    let data = TensorData::new(dtype, data.shape().to_vec(), data.as_bytes().to_vec());
    Tensor::from_data(&data.expect("fits")).expect("is readable")
}
