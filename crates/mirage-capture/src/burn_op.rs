//! burn's own operations inside of a graph: [`Extern`] nodes of engine `burn`, written and read.
//!
//! The payload is the JSON of burn's `OperationIr` with canonical tensor ids: the inputs are
//! 0, 1, …, the outputs go on from there, each tensor once. So equal operations have equal
//! payloads. Inputs are marked read-only, and bools stored natively.
//!
//! To run one on a backend `B: BackendIr`, with an `interpreter` of type
//! `burn_router::TensorInterpreter<B>`:
//!
//! 1. Draw a fresh `TensorId` for every input and output of the node.
//! 2. Register each input: `interpreter.register_tensor_to_device(id, HandleKind::Float(tensor))`,
//!    or `Int`, `Bool`. A handle is counted, so this copies nothing.
//! 3. `interpreter.register_op(decode(op, &inputs, &outputs, store)?)`, with the way in which the
//!    backend stores bools. It executes at once.
//! 4. Take each output: `interpreter.get_tensor(&ir)` with a `TensorIr` of the output's id, dtype
//!    and shape and status `ReadWrite`, which takes the handle out.
//! 5. Drop each input: `interpreter.register_op(OperationIr::Drop(ir))`; a read-only use left it
//!    there.

use std::collections::{BTreeMap, HashMap};

use burn_backend::{BoolStore, DType as BurnDType};
use burn_ir::{IrVisitorMut, OperationIr, ScalarIr, TensorId, TensorIr, TensorStatus};
use mirage_ir::{TensorType, ops::Extern};
use serde::{Deserialize, Serialize};

use crate::dtype::tensor_type;

/// The engine's name in [`Extern::engine`].
pub const ENGINE: &str = "burn";

/// The version of burn whose form the payloads have.
pub const VERSION: &str = "0.22.1";

/// Why an [`Extern`] is not an operation of this burn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It is of another engine.
    #[error("{name} is an operation of the engine `{engine}`, not of `{ENGINE}`")]
    Engine {
        /// The operation.
        name: String,
        /// Its engine.
        engine: String,
    },
    /// It was captured with another version of burn, whose operations may have another form.
    #[error(
        "{name} was captured with burn {captured}, this build has burn {VERSION}: capture it again"
    )]
    Version {
        /// The operation.
        name: String,
        /// The version it was captured with.
        captured: String,
    },
    /// The payload cannot be read, or contradicts the types that stand beside it.
    #[error("the payload of {name} is damaged: {message}")]
    Payload {
        /// The operation.
        name: String,
        /// What is wrong.
        message: String,
    },
}

/// An operation that has no [`Extern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(String);

/// JSON has no infinities and no NaN, and readers of it round, so float scalars stand beside the
/// operation, which has 0 in their place.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    op: OperationIr,
    /// Float scalars by their position, in the shortest digits that give the same bits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    scalars: BTreeMap<usize, String>,
}

/// An operation in canonical form, with the recorded tensors behind its inputs and outputs in the
/// order of [`Extern::inputs`] and [`Extern::outputs`].
pub fn encode(op: &OperationIr) -> Result<(Extern, Vec<TensorId>, Vec<TensorId>), EncodeError> {
    let (inputs, input_types) = distinct(op.inputs())?;
    let (outputs, output_types) = distinct(op.outputs())?;
    let canonical: HashMap<TensorId, usize> = inputs
        .iter()
        .chain(&outputs)
        .enumerate()
        .map(|(i, id)| (*id, i))
        .collect();
    let mut op = op.clone();
    let mut writer = Canonical {
        canonical,
        inputs: inputs.len(),
        position: 0,
        scalars: BTreeMap::new(),
    };
    op.visit_mut(&mut writer);
    let payload = Payload {
        op,
        scalars: writer.scalars,
    };
    let value = serde_json::to_value(&payload).map_err(|e| EncodeError(e.to_string()))?;
    let encoded = Extern {
        engine: ENGINE.to_owned(),
        version: VERSION.to_owned(),
        name: name(&payload.op),
        payload: value.to_string(),
        inputs: input_types,
        outputs: output_types,
    };
    Ok((encoded, inputs, outputs))
}

/// The operation with the given ids for its inputs and outputs, and bools stored as `store` says.
///
/// # Errors
///
/// If the operation is of another engine or version, or was tampered with.
pub fn decode(
    op: &Extern,
    inputs: &[TensorId],
    outputs: &[TensorId],
    store: BoolStore,
) -> Result<OperationIr, DecodeError> {
    let name = || op.name.clone();
    if op.engine != ENGINE {
        return Err(DecodeError::Engine {
            name: name(),
            engine: op.engine.clone(),
        });
    }
    if op.version != VERSION {
        return Err(DecodeError::Version {
            name: name(),
            captured: op.version.clone(),
        });
    }
    let damaged = |message: String| DecodeError::Payload {
        name: name(),
        message,
    };
    if (inputs.len(), outputs.len()) != (op.inputs.len(), op.outputs.len()) {
        return Err(damaged(format!(
            "{} inputs and {} outputs are given for {} and {}",
            inputs.len(),
            outputs.len(),
            op.inputs.len(),
            op.outputs.len()
        )));
    }
    let payload: Payload = serde_json::from_str(&op.payload).map_err(|e| damaged(e.to_string()))?;
    let ids: Vec<TensorId> = inputs.iter().chain(outputs).copied().collect();
    let types: Vec<&TensorType> = op.inputs.iter().chain(&op.outputs).collect();
    let mut reader = Bind {
        ids,
        types,
        inputs: inputs.len(),
        store,
        scalars: payload.scalars,
        position: 0,
        damage: None,
    };
    let mut decoded = payload.op;
    decoded.visit_mut(&mut reader);
    match reader.damage {
        Some(message) => Err(damaged(message)),
        None => Ok(decoded),
    }
}

/// What burn calls an operation: the innermost variant's name, such as `CumSum`; a custom
/// operation's id.
pub fn name(op: &OperationIr) -> String {
    if let OperationIr::Custom(custom) = op {
        return custom.id.clone();
    }
    // The derived Debug form is `Family(…, Variant(Fields { … }))`: the variant stands before the
    // second opening bracket, after the dtype that some families carry.
    let debug = format!("{op:?}");
    let inner = debug
        .split('(')
        .find(|part| !part.contains('{') && part.contains(", "))
        .map_or_else(
            || debug.split('(').nth(1).unwrap_or(&debug),
            |part| part.rsplit(", ").next().unwrap_or(part),
        );
    inner.split([' ', '{']).next().unwrap_or(inner).to_owned()
}

/// Each tensor once, in order, with its type.
fn distinct<'a>(
    tensors: impl Iterator<Item = &'a TensorIr>,
) -> Result<(Vec<TensorId>, Vec<TensorType>), EncodeError> {
    let (mut ids, mut types) = (Vec::new(), Vec::new());
    for tensor in tensors {
        if !ids.contains(&tensor.id) {
            let ty = tensor_type(tensor).ok_or_else(|| {
                EncodeError(format!(
                    "a tensor has element type {:?}, which a graph cannot hold",
                    tensor.dtype
                ))
            })?;
            ids.push(tensor.id);
            types.push(ty);
        }
    }
    Ok((ids, types))
}

/// Rewrites an operation into canonical form.
struct Canonical {
    canonical: HashMap<TensorId, usize>,
    inputs: usize,
    position: usize,
    scalars: BTreeMap<usize, String>,
}

impl IrVisitorMut for Canonical {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        let Some(&id) = self.canonical.get(&tensor.id) else {
            return;
        };
        tensor.id = TensorId::new(id as u64);
        tensor.status = if id < self.inputs {
            TensorStatus::ReadOnly
        } else {
            TensorStatus::NotInit
        };
        if matches!(tensor.dtype, BurnDType::Bool(_)) {
            tensor.dtype = BurnDType::Bool(BoolStore::Native);
        }
    }

    fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
        if let ScalarIr::Float(x) = scalar {
            self.scalars.insert(self.position, format!("{x:?}"));
            *x = 0.0;
        }
        self.position += 1;
    }
}

/// Gives an operation in canonical form its ids.
struct Bind<'a> {
    ids: Vec<TensorId>,
    types: Vec<&'a TensorType>,
    inputs: usize,
    store: BoolStore,
    scalars: BTreeMap<usize, String>,
    position: usize,
    damage: Option<String>,
}

impl IrVisitorMut for Bind<'_> {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        let position = usize::try_from(tensor.id.value()).unwrap_or(usize::MAX);
        let Some((&id, &ty)) = self.ids.get(position).zip(self.types.get(position)) else {
            self.damage = Some(format!("it names tensor {position} of {}", self.ids.len()));
            return;
        };
        if tensor_type(tensor).as_ref() != Some(ty) {
            self.damage = Some(format!(
                "tensor {position} is {:?}{:?}, must be {ty}",
                tensor.dtype, tensor.shape
            ));
        }
        if (tensor.status == TensorStatus::NotInit) != (position >= self.inputs) {
            self.damage = Some(format!("tensor {position} has status {:?}", tensor.status));
        }
        tensor.id = id;
        if matches!(tensor.dtype, BurnDType::Bool(_)) {
            tensor.dtype = BurnDType::Bool(self.store);
        }
    }

    fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
        if let (ScalarIr::Float(x), Some(digits)) = (scalar, self.scalars.get(&self.position)) {
            match digits.parse() {
                Ok(value) => *x = value,
                Err(_) => self.damage = Some(format!("scalar `{digits}` is not a number")),
            }
        }
        self.position += 1;
    }
}
