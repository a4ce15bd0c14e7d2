//! Translates a record to a graph.

use std::collections::{BTreeMap, HashMap, HashSet};

use burn_backend::TensorData as BurnData;
use burn_ir::{FloatOperationIr, NumericOperationIr, OperationIr, TensorId, TensorIr};
use mirage_ir::{GraphBuilder, Params, TensorType, ValueId};

use crate::{
    CaptureError, Captured, Role, Spec, burn_op, data,
    dtype::tensor_type,
    inputs::list,
    paths,
    record::Record,
    translate::{Refusal, Sketch, translate},
};

/// Translates a record.
pub(crate) fn build(name: &str, specs: &[Spec], record: Record) -> Result<Captured, CaptureError> {
    let results: Vec<TensorId> = record
        .outputs
        .iter()
        .chain(&record.states)
        .map(|(_, id)| *id)
        .collect();
    let (operations, used) = live(record.operations, &results);
    let paths = paths::infer(&operations, &record.parameters);
    let mut build = Build::new(name, record.values);
    build.inputs(specs, &record.inputs);
    build.parameters(&record.parameters, &used)?;
    for (operation, path) in operations.iter().zip(paths) {
        build.operation(operation, path)?;
    }
    build.builder.set_path("");
    for (name, id) in record.outputs {
        let value = build.value(id, || format!("output `{name}`"))?;
        build.builder.output(name, value);
    }
    build.states(specs, &record.inputs, record.states)?;
    Ok(Captured {
        graph: build.builder.finish()?,
        params: build.params,
    })
}

/// The operations that the results depend on, and the tensors that these operations and the results use.
fn live(
    operations: Vec<OperationIr>,
    results: &[TensorId],
) -> (Vec<OperationIr>, HashSet<TensorId>) {
    let mut used: HashSet<TensorId> = results.iter().copied().collect();
    let mut kept = Vec::with_capacity(operations.len());
    for operation in operations.into_iter().rev() {
        let defines = operation.outputs().any(|t| used.contains(&t.id));
        if defines && !matches!(operation, OperationIr::Init(_)) {
            used.extend(operation.inputs().map(|t| t.id));
            kept.push(operation);
        }
    }
    kept.reverse();
    (kept, used)
}

struct Build {
    builder: GraphBuilder,
    /// Recorded tensors that are in the graph already.
    values: HashMap<TensorId, ValueId>,
    /// Initial values that are not in the graph yet.
    initial: BTreeMap<TensorId, BurnData>,
    params: Params,
    /// The number of parameters called `constant.N` so far.
    constants: usize,
}

impl Build {
    fn new(name: &str, initial: BTreeMap<TensorId, BurnData>) -> Self {
        Build {
            builder: GraphBuilder::new(name),
            values: HashMap::new(),
            initial,
            params: Params::new(),
            constants: 0,
        }
    }

    fn inputs(&mut self, specs: &[Spec], ids: &[TensorId]) {
        for (spec, id) in specs.iter().zip(ids) {
            let value = match spec.role {
                Role::Input => self.builder.input(spec.name.as_str(), spec.ty.clone()),
                Role::State => self.builder.state(spec.name.as_str(), spec.ty.clone()),
            };
            self.values.insert(*id, value);
            self.initial.remove(id);
        }
    }

    fn parameters(
        &mut self,
        parameters: &[(TensorId, String)],
        used: &HashSet<TensorId>,
    ) -> Result<(), CaptureError> {
        for (id, name) in parameters.iter().filter(|(id, _)| used.contains(id)) {
            if let Some(data) = self.initial.remove(id) {
                let what = format!("parameter `{name}`");
                let ty = data::data_type(&data, &what)?;
                let value = self.parameter(name, ty, data, &what)?;
                self.values.insert(*id, value);
            }
        }
        Ok(())
    }

    fn parameter(
        &mut self,
        name: &str,
        ty: TensorType,
        data: BurnData,
        what: &str,
    ) -> Result<ValueId, CaptureError> {
        self.params.insert(name, data::share(data, what)?);
        Ok(self.builder.param(name, ty))
    }

    /// Returns the value of a recorded tensor; adds an initial value to the graph at its first use.
    fn value(
        &mut self,
        id: TensorId,
        reader: impl Fn() -> String,
    ) -> Result<ValueId, CaptureError> {
        if let Some(&value) = self.values.get(&id) {
            return Ok(value);
        }
        let Some(data) = self.initial.remove(&id) else {
            return Err(CaptureError::Undefined {
                operation: reader(),
            });
        };
        let what = format!("a constant that {} reads", reader());
        let ty = data::data_type(&data, &what)?;
        let value = match data::as_operation(&data, &ty) {
            Some(op) => self.builder.op(op, &[])?,
            None => {
                let name = format!("constant.{}", self.constants);
                self.constants += 1;
                self.parameter(&name, ty, data, &what)?
            }
        };
        self.values.insert(id, value);
        Ok(value)
    }

    fn operation(&mut self, operation: &OperationIr, path: String) -> Result<(), CaptureError> {
        refuse(operation, &path)?;
        self.builder.set_path(path.as_str());
        let mut operands = Vec::new();
        for tensor in operation.inputs() {
            let value = self.value(tensor.id, || burn_op::name(operation))?;
            operands.push((tensor.id, value));
        }
        let mut sketch = {
            let builder = &self.builder;
            Sketch::new(
                operands
                    .iter()
                    .map(|&(id, value)| (id, value, builder.ty(value))),
            )
        };
        match translate(operation, &mut sketch) {
            Ok(()) if sketch.defines(operation.outputs()) => {
                for note in sketch.notes() {
                    tracing::warn!(path, "{}: {note}", burn_op::name(operation));
                }
                self.values.extend(sketch.commit(&mut self.builder)?);
                return Ok(());
            }
            Ok(()) => {
                tracing::warn!(
                    path,
                    "{} is kept as an operation of burn: not all of its outputs are translated",
                    burn_op::name(operation)
                );
            }
            Err(Refusal::Disagrees(why)) => {
                tracing::warn!(
                    path,
                    "{} is kept as an operation of burn: {why}",
                    burn_op::name(operation)
                );
            }
            Err(Refusal::NoRule) => {
                tracing::debug!(
                    path,
                    "{} is kept as an operation of burn",
                    burn_op::name(operation)
                );
            }
        }
        self.keep(operation)
    }

    /// Adds the operation as an extern operation of burn.
    fn keep(&mut self, operation: &OperationIr) -> Result<(), CaptureError> {
        let (op, inputs, outputs) =
            burn_op::encode(operation).map_err(|e| CaptureError::Encode {
                operation: burn_op::name(operation),
                message: e.to_string(),
            })?;
        let inputs: Vec<ValueId> = inputs
            .iter()
            .filter_map(|id| self.values.get(id).copied())
            .collect();
        let values = self.builder.push(op, &inputs)?;
        self.values.extend(outputs.into_iter().zip(values));
        Ok(())
    }

    fn states(
        &mut self,
        specs: &[Spec],
        ids: &[TensorId],
        contents: Vec<(String, TensorId)>,
    ) -> Result<(), CaptureError> {
        for (name, content) in contents {
            let declared = || specs.iter().zip(ids).filter(|(s, _)| s.role == Role::State);
            let Some((_, id)) = declared().find(|(s, _)| s.name == name) else {
                let declared = list(declared().map(|(s, _)| s.name.as_str()));
                return Err(CaptureError::UnknownState { name, declared });
            };
            let state = self.values[id];
            let value = self.value(content, || format!("state `{name}`"))?;
            self.builder.set_state(state, value)?;
        }
        Ok(())
    }
}

/// Rejects operations whose outputs are not a function of their inputs, because a graph merges equal nodes
/// and removes unused ones. Also rejects tensors of unsupported types, at the operation that creates them.
fn refuse(operation: &OperationIr, path: &str) -> Result<(), CaptureError> {
    let place = || {
        if path.is_empty() {
            String::new()
        } else {
            format!(" in `{path}`")
        }
    };
    match operation {
        OperationIr::Float(_, FloatOperationIr::Random(_))
        | OperationIr::NumericInt(_, NumericOperationIr::IntRandom(_)) => {
            Err(CaptureError::Random(place()))
        }
        OperationIr::Distributed(_) => Err(CaptureError::Collective(format!(
            "{}{}",
            burn_op::name(operation),
            place()
        ))),
        _ => match operation
            .outputs()
            .find(|t: &&TensorIr| tensor_type(t).is_none())
        {
            Some(t) => Err(CaptureError::DType {
                what: format!("the output of {}{}", burn_op::name(operation), place()),
                dtype: format!("{:?}", t.dtype),
            }),
            None => Ok(()),
        },
    }
}
