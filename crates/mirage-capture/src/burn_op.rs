//! Extern operations of burn: [`Extern`] nodes of the engine `burn`.
//!
//! The payload is the JSON of burn's `OperationIr` with canonical tensor ids: 0, 1, … for the inputs, then
//! the outputs, each tensor once, so that equal operations have equal payloads. Inputs are read-only, and
//! bools native. A scalar that JSON cannot represent exactly (∞, NaN, too many digits) is stored beside the
//! operation by its position among the scalars: `{"op": …, "scalars": {"0": "-inf"}}`.
//!
//! To run one on a backend `B: BackendIr`, with an `interpreter` of type
//! `burn_router::TensorInterpreter<B>`:
//!
//! 1. Draw a fresh `TensorId` for every input and output of the node.
//! 2. Register each input: `interpreter.register_tensor_to_device(id, HandleKind::Float(tensor))`,
//!    or `Int`, `Bool`. A handle is counted, so this copies nothing.
//! 3. `interpreter.register_op(decode(op, &inputs, &outputs, store)?)`, with the backend's form of bools.
//!    It executes at once.
//! 4. Take each output: `interpreter.get_tensor(&ir)` with a `TensorIr` of the output's id, dtype
//!    and shape and status `ReadWrite`, which takes the handle out.
//! 5. Drop each input: `interpreter.register_op(OperationIr::Drop(ir))`; a read-only use does not.

use std::collections::{BTreeMap, HashMap};

use burn_backend::{BoolStore, DType as BurnDType};
use burn_ir::{IrVisitorMut, OperationIr, ScalarIr, TensorId, TensorIr, TensorStatus};
use mirage_ir::{TensorType, ops::Extern};
use serde::{Deserialize, Serialize};

use crate::dtype::tensor_type;

/// The engine's name in [`Extern::engine`].
pub const ENGINE: &str = "burn";

/// The version of burn that defines the form of the payloads.
pub const VERSION: &str = "0.22.1";

/// Why an [`Extern`] cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It is an operation of another engine.
    #[error("{name} is an operation of the engine `{engine}`, not of `{ENGINE}`")]
    Engine {
        /// The operation.
        name: String,
        /// Its engine.
        engine: String,
    },
    /// It was captured with another version of burn, whose form may differ.
    #[error(
        "{name} was captured with burn {captured}, this build has burn {VERSION}: capture it again"
    )]
    Version {
        /// The operation.
        name: String,
        /// The version that it was captured with.
        captured: String,
    },
    /// The payload cannot be read, or contradicts the stated types.
    #[error("the payload of {name} is damaged: {message}")]
    Payload {
        /// The operation.
        name: String,
        /// What is wrong.
        message: String,
    },
}

/// An operation that cannot be an [`Extern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(String);

/// An operation's form in which scalars that JSON cannot represent are stored separately.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    op: OperationIr,
    /// Every float scalar by its position, in the shortest digits that give the same bits; the operation
    /// has 0 instead.
    scalars: BTreeMap<usize, Digits>,
}

/// An operation in canonical form, and the recorded tensors of its inputs and outputs in the order of
/// [`Extern::inputs`] and [`Extern::outputs`].
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
    op.visit_mut(&mut Canonical {
        canonical,
        inputs: inputs.len(),
    });
    let encoded = Extern {
        engine: ENGINE.to_owned(),
        version: VERSION.to_owned(),
        name: name(&op),
        payload: write(&op)?,
        inputs: input_types,
        outputs: output_types,
    };
    Ok((encoded, inputs, outputs))
}

/// Decodes an operation with the given ids for its inputs and outputs, and bools in the form `store`.
///
/// # Errors
///
/// If the operation is of another engine or version, or its payload is damaged.
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
    let mut decoded = read(&op.payload).map_err(|e| damaged(e.to_string()))?;
    let ids: Vec<TensorId> = inputs.iter().chain(outputs).copied().collect();
    let types: Vec<&TensorType> = op.inputs.iter().chain(&op.outputs).collect();
    let mut reader = Bind {
        ids,
        types,
        inputs: inputs.len(),
        store,
        damage: None,
    };
    decoded.visit_mut(&mut reader);
    match reader.damage {
        Some(message) => Err(damaged(message)),
        None => Ok(decoded),
    }
}

/// Writes a canonical operation as JSON, with separate scalars only if it would not be read back the same.
fn write(op: &OperationIr) -> Result<String, EncodeError> {
    let failed = |e: serde_json::Error| EncodeError(e.to_string());
    let plain = serde_json::to_string(op).map_err(failed)?;
    if serde_json::from_str::<OperationIr>(&plain).is_ok_and(|back| back == *op) {
        return Ok(plain);
    }
    let mut payload = Payload {
        op: op.clone(),
        scalars: BTreeMap::new(),
    };
    let mut take = TakeScalars::default();
    payload.op.visit_mut(&mut take);
    payload.scalars = take.scalars;
    serde_json::to_string(&payload).map_err(failed)
}

/// The inverse of [`write`].
fn read(payload: &str) -> Result<OperationIr, serde_json::Error> {
    let value: serde_json::Value = serde_json::from_str(payload)?;
    if value.get("op").is_none() {
        return serde_json::from_value(value);
    }
    let mut payload: Payload = serde_json::from_value(value)?;
    payload.op.visit_mut(&mut PutScalars {
        scalars: payload.scalars,
        position: 0,
    });
    Ok(payload.op)
}

#[derive(Default)]
struct TakeScalars {
    scalars: BTreeMap<usize, Digits>,
    position: usize,
}

impl IrVisitorMut for TakeScalars {
    fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
        if let ScalarIr::Float(x) = scalar {
            self.scalars
                .insert(self.position, Digits(std::mem::take(x)));
        }
        self.position += 1;
    }
}

struct PutScalars {
    scalars: BTreeMap<usize, Digits>,
    position: usize,
}

impl IrVisitorMut for PutScalars {
    fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
        if let (ScalarIr::Float(x), Some(digits)) = (scalar, self.scalars.get(&self.position)) {
            *x = digits.0;
        }
        self.position += 1;
    }
}

/// Formats a float so that parsing gives the same bits, except those of a NaN.
struct Digits(f64);

impl Serialize for Digits {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(d)?;
        digits.parse().map(Digits).map_err(serde::de::Error::custom)
    }
}

/// Returns burn's name of an operation: the innermost variant's name, such as `CumSum`, or the id of a
/// custom operation.
pub fn name(op: &OperationIr) -> String {
    if let OperationIr::Custom(custom) = op {
        return custom.id.clone();
    }
    // `{"Family": {"Variant": …}}`, or `{"Family": [dtype, {"Variant": …}]}`.
    let variant = |value: &serde_json::Value| match value {
        serde_json::Value::Object(fields) => {
            fields.iter().next().map(|(k, v)| (k.clone(), v.clone()))
        }
        serde_json::Value::String(unit) => Some((unit.clone(), serde_json::Value::Null)),
        _ => None,
    };
    let family = serde_json::to_value(op).ok().as_ref().and_then(variant);
    let Some((family, inner)) = family else {
        return "an operation".to_owned();
    };
    let inner = match &inner {
        serde_json::Value::Array(parts) => parts.last().and_then(variant),
        inner => variant(inner),
    };
    inner.map_or(family, |(name, _)| name)
}

/// Returns each tensor once, in order, with its type.
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

/// Rewrites an operation to canonical form.
struct Canonical {
    canonical: HashMap<TensorId, usize>,
    inputs: usize,
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
}

/// Sets the ids of an operation in canonical form.
struct Bind<'a> {
    ids: Vec<TensorId>,
    types: Vec<&'a TensorType>,
    inputs: usize,
    store: BoolStore,
    damage: Option<String>,
}

impl IrVisitorMut for Bind<'_> {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        let position = usize::try_from(tensor.id.value()).unwrap_or(usize::MAX);
        let Some((&id, &ty)) = self.ids.get(position).zip(self.types.get(position)) else {
            self.damage = Some(format!(
                "it refers to tensor {position}, but has {}",
                self.ids.len()
            ));
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
}
