//! Extern operations: operations of burn that the graph does not model, in burn's own form.

#[cfg(feature = "flex")]
use std::sync::Arc;
use std::{collections::BTreeMap, marker::PhantomData};

use burn_backend::{Backend, BoolStore, tensor::Device};
use burn_ir::{
    BackendIr, HandleKind, IrVisitorMut, OperationIr, ScalarIr, TensorId, TensorIr, TensorStatus,
};
use burn_router::TensorInterpreter;
use mirage_ir::{DType, TensorType, ops::Extern};

use super::{Storage, Tensor, dtype::from_burn};

/// The engine whose operations can run.
pub const ENGINE: &str = "burn";

/// The version whose form of operations can run, because that form is not stable.
pub const ENGINE_VERSION: &str = "0.22.1";

/// An operation in burn's own form. Operand i has the tensor id i, result j the id operands + j.
#[derive(Clone, Debug)]
pub struct ExternOp {
    ir: OperationIr,
    inputs: Vec<TensorType>,
    outputs: Vec<(TensorIr, DType)>,
}

impl ExternOp {
    /// Decodes and checks an operation; the error says why it cannot run. `store` is the form of bools on
    /// the backend that will run it.
    pub fn decode(op: &Extern, store: BoolStore) -> Result<Self, String> {
        if op.engine != ENGINE || op.version != ENGINE_VERSION {
            return Err(format!(
                "it is an operation of {} {}, and this build runs those of {ENGINE} \
                 {ENGINE_VERSION}: capture the model again",
                op.engine, op.version
            ));
        }
        let mut ir = read(&op.payload).map_err(|e| format!("its payload cannot be read: {e}"))?;
        let types: Vec<&TensorType> = op.inputs.iter().chain(&op.outputs).collect();
        let mut bind = Bind {
            types: &types,
            inputs: op.inputs.len(),
            store,
            damage: None,
        };
        ir.visit_mut(&mut bind);
        if let Some(damage) = bind.damage {
            return Err(format!("its payload is damaged: {damage}"));
        }
        let mut outputs = Vec::with_capacity(op.outputs.len());
        for (j, want) in op.outputs.iter().enumerate() {
            let id = TensorId::new((op.inputs.len() + j) as u64);
            let written = ir.outputs().find(|t| t.id == id).cloned();
            let mut tensor = written.ok_or("its payload does not define all of its results")?;
            tensor.status = TensorStatus::ReadWrite;
            outputs.push((tensor, want.dtype));
        }
        Ok(ExternOp {
            ir,
            inputs: op.inputs.clone(),
            outputs,
        })
    }
}

/// An operation's form in which scalars that JSON cannot represent are replaced, by position.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WithScalars {
    op: OperationIr,
    scalars: BTreeMap<usize, String>,
}

fn read(payload: &str) -> Result<OperationIr, String> {
    let json = |e: serde_json::Error| e.to_string();
    let value: serde_json::Value = serde_json::from_str(payload).map_err(json)?;
    if value.get("op").is_none() {
        return serde_json::from_value(value).map_err(json);
    }
    let WithScalars { mut op, scalars } = serde_json::from_value(value).map_err(json)?;
    let mut put = PutScalars {
        scalars,
        position: 0,
        damage: None,
    };
    op.visit_mut(&mut put);
    match put.damage {
        Some(damage) => Err(damage),
        None => Ok(op),
    }
}

struct PutScalars {
    scalars: BTreeMap<usize, String>,
    position: usize,
    damage: Option<String>,
}

impl IrVisitorMut for PutScalars {
    fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
        if let (ScalarIr::Float(x), Some(digits)) = (scalar, self.scalars.get(&self.position)) {
            match digits.parse() {
                Ok(value) => *x = value,
                Err(_) => self.damage = Some(format!("`{digits}` is not a number")),
            }
        }
        self.position += 1;
    }
}

/// Checks an operation's tensors against the graph's types and puts the backend's bool in them.
struct Bind<'a> {
    types: &'a [&'a TensorType],
    inputs: usize,
    store: BoolStore,
    damage: Option<String>,
}

impl IrVisitorMut for Bind<'_> {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        let at = usize::try_from(tensor.id.value()).unwrap_or(usize::MAX);
        let Some(want) = self.types.get(at) else {
            self.damage = Some(format!(
                "it refers to tensor {at}, but has {}",
                self.types.len()
            ));
            return;
        };
        let (dtype, shape) = (tensor.dtype, tensor.shape.to_vec());
        if from_burn(dtype) != Some(want.dtype) || shape != want.shape {
            self.damage = Some(format!("tensor {at} is {dtype:?}{shape:?}, must be {want}"));
        }
        // Ownership as recorded by capture applies to burn's program, not to the graph.
        if at < self.inputs {
            tensor.status = TensorStatus::ReadOnly;
        }
        if matches!(dtype, burn_backend::DType::Bool(_)) {
            tensor.dtype = burn_backend::DType::Bool(self.store);
        }
    }
}

/// Runs extern operations of burn.
pub trait ExternRunner<B: Backend>: Send + Sync {
    /// Returns how they run, to follow "operations run" in notes: "on burn-flex, through host copies".
    fn place(&self) -> String;

    /// Returns the form of bools where they run.
    fn bool_store(&self, device: &Device<B>) -> BoolStore;

    /// Runs one on row-major operands; returns row-major results. May panic.
    fn run(
        &self,
        op: &ExternOp,
        operands: Vec<Tensor<B>>,
        device: &Device<B>,
    ) -> Result<Vec<Tensor<B>>, String>;
}

/// Runs extern operations on the backend itself, through burn's interpreter.
#[derive(Clone, Copy, Debug, Default)]
pub struct InterpreterRunner;

impl<B: BackendIr> ExternRunner<B> for InterpreterRunner {
    fn place(&self) -> String {
        "through burn's interpreter".to_owned()
    }

    fn bool_store(&self, device: &Device<B>) -> BoolStore {
        Storage::of::<B>(device).bool()
    }

    fn run(
        &self,
        op: &ExternOp,
        operands: Vec<Tensor<B>>,
        device: &Device<B>,
    ) -> Result<Vec<Tensor<B>>, String> {
        let mut interpreter = TensorInterpreter::<B>::new(device.clone());
        for (i, operand) in operands.into_iter().enumerate() {
            let handle = match operand {
                Tensor::Float(t) => HandleKind::Float(t),
                Tensor::Int(t) => HandleKind::Int(t),
                Tensor::Bool(t) => HandleKind::Bool(t),
            };
            interpreter.register_tensor_to_device(TensorId::new(i as u64), handle);
        }
        interpreter.register_op(op.ir.clone());
        let mut results = Vec::with_capacity(op.outputs.len());
        for (tensor, _) in &op.outputs {
            results.push(match interpreter.get_tensor(tensor) {
                HandleKind::Float(t) => Tensor::Float(t),
                HandleKind::Int(t) => Tensor::Int(t),
                HandleKind::Bool(t) => Tensor::Bool(t),
                HandleKind::Quantized(_) => return Err("its result is quantized".to_owned()),
            });
        }
        Ok(results)
    }
}

/// Runs extern operations on another backend `F`, copying operands and results through the host: for a
/// backend that burn's interpreter does not support.
pub struct HostRunner<F: BackendIr> {
    name: &'static str,
    device: Device<F>,
    backend: PhantomData<fn() -> F>,
}

impl<F: BackendIr> HostRunner<F> {
    /// Uses this device of `F`, which is called `name` in notes.
    pub fn new(name: &'static str, device: Device<F>) -> Self {
        HostRunner {
            name,
            device,
            backend: PhantomData,
        }
    }
}

impl<B: Backend, F: BackendIr> ExternRunner<B> for HostRunner<F> {
    fn place(&self) -> String {
        format!("on {}, through host copies", self.name)
    }

    fn bool_store(&self, _device: &Device<B>) -> BoolStore {
        Storage::of::<F>(&self.device).bool()
    }

    fn run(
        &self,
        op: &ExternOp,
        operands: Vec<Tensor<B>>,
        device: &Device<B>,
    ) -> Result<Vec<Tensor<B>>, String> {
        let there = Storage::of::<F>(&self.device);
        let mut moved = Vec::with_capacity(operands.len());
        for (operand, ty) in operands.into_iter().zip(&op.inputs) {
            moved.push(Tensor::<F>::from_data(
                &operand.to_data(ty.dtype)?,
                &there,
                &self.device,
            ));
        }
        let here = Storage::of::<B>(device);
        let results = InterpreterRunner.run(op, moved, &self.device)?;
        let back = results
            .into_iter()
            .zip(&op.outputs)
            .map(|(result, (_, dtype))| {
                Ok(Tensor::from_data(&result.to_data(*dtype)?, &here, device))
            });
        back.collect()
    }
}

/// Runs extern operations on burn-flex, through host copies.
#[cfg(feature = "flex")]
pub fn on_flex<B: Backend>() -> Arc<dyn ExternRunner<B>> {
    Arc::new(HostRunner::<burn_flex::Flex>::new(
        "burn-flex",
        burn_flex::FlexDevice,
    ))
}
