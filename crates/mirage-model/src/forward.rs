//! One forward pass with named inputs and outputs: a frame of a single step.

use burn::tensor::{DType, Int, Tensor};

use crate::{
    AnyModel, AnyTensor, ModelError, StateTensors, StepInput, StreamModel, TensorSpec,
    config::Size, error::nearest_hint,
};

/// Channels of a picture.
const RGB: usize = 3;

impl AnyModel {
    /// The inputs of [`forward_named`](Self::forward_named), in order: `sample`, `frame` and `previous`, f32
    /// `[batch, 3, height, width]`; `timestep`, i64 `[batch]`; then the declared state.
    ///
    /// # Errors
    /// A size that the network cannot run at.
    pub fn input_specs(
        &self,
        batch: usize,
        height: usize,
        width: usize,
    ) -> Result<Vec<TensorSpec>, ModelError> {
        self.config().validate_size(Size { width, height })?;
        if batch == 0 {
            return Err(ModelError::Input {
                name: "sample".to_owned(),
                reason: "the batch is empty; it takes one picture or more".to_owned(),
            });
        }
        let picture = |name: &str| TensorSpec::new(name, [batch, RGB, height, width], DType::F32);
        let mut specs = vec![picture("sample"), picture("frame"), picture("previous")];
        specs.push(TensorSpec::new("timestep", [batch], DType::I64));
        specs.extend(self.state_specs(batch));
        Ok(specs)
    }

    /// The outputs of [`forward_named`](Self::forward_named), in order: `output`, f32 `[batch, 3, height, width]`, which is
    /// the next frame's `previous`; then the updated state under the names of the inputs.
    ///
    /// # Errors
    /// As [`input_specs`](Self::input_specs).
    pub fn output_specs(
        &self,
        batch: usize,
        height: usize,
        width: usize,
    ) -> Result<Vec<TensorSpec>, ModelError> {
        let mut specs = self.input_specs(batch, height, width)?;
        specs.drain(..4);
        specs.insert(
            0,
            TensorSpec::new("output", [batch, RGB, height, width], DType::F32),
        );
        Ok(specs)
    }

    /// One step as a whole frame: denoise, blend with `previous`, update the state. The shape of `sample` sets batch and
    /// size. Inputs may come in any order.
    ///
    /// # Errors
    /// An input that is missing, unknown, or of another shape or type than [`input_specs`](Self::input_specs) says.
    pub fn forward_named(
        &self,
        inputs: Vec<(String, AnyTensor)>,
    ) -> Result<Vec<(String, AnyTensor)>, ModelError> {
        let [batch, height, width] = picture_dims(&inputs)?;
        let specs = self.input_specs(batch, height, width)?;
        let mut ordered = in_order(inputs, &specs)?;
        let state = StateTensors::new(ordered.split_off(4));
        let mut ordered = ordered.into_iter();
        let (sample, frame) = (next(&mut ordered)?, next(&mut ordered)?);
        let previous: Tensor<4> = next(&mut ordered)?;
        let timestep: Tensor<1, Int> = next(&mut ordered)?;

        let result = self.denoise(StepInput {
            sample,
            frame,
            previous: previous.clone(),
            timestep,
            state: state.clone(),
        });
        let output = self.blend(result.picture.clone(), previous, &state);
        let state = self.update_state(state, &result);
        let mut outputs = vec![("output".to_owned(), output.into())];
        outputs.extend(state.into_inner());
        Ok(outputs)
    }
}

/// Batch, height and width, from `sample`.
fn picture_dims(inputs: &[(String, AnyTensor)]) -> Result<[usize; 3], ModelError> {
    let sample = inputs
        .iter()
        .find(|(name, _)| name == "sample")
        .map(|(_, tensor)| tensor.shape())
        .ok_or_else(|| missing("sample"))?;
    match sample[..] {
        [batch, RGB, height, width] => Ok([batch, height, width]),
        _ => Err(ModelError::Input {
            name: "sample".to_owned(),
            reason: format!("has shape {sample:?}; it takes [batch, 3, height, width]"),
        }),
    }
}

/// The inputs in the order of `specs`, checked against them.
fn in_order(
    mut inputs: Vec<(String, AnyTensor)>,
    specs: &[TensorSpec],
) -> Result<Vec<(String, AnyTensor)>, ModelError> {
    let mut ordered = Vec::with_capacity(specs.len());
    for spec in specs {
        let at = inputs
            .iter()
            .position(|(name, _)| *name == spec.name)
            .ok_or_else(|| missing(&spec.name))?;
        let (name, tensor) = inputs.swap_remove(at);
        if tensor.shape() != spec.shape || tensor.dtype() != spec.dtype {
            return Err(ModelError::Input {
                reason: format!(
                    "is {:?} of shape {:?}; it takes {:?} of shape {:?}",
                    tensor.dtype(),
                    tensor.shape(),
                    spec.dtype,
                    spec.shape
                ),
                name,
            });
        }
        ordered.push((name, tensor));
    }
    match inputs.into_iter().next() {
        None => Ok(ordered),
        Some((name, _)) if specs.iter().any(|spec| spec.name == name) => Err(ModelError::Input {
            name,
            reason: "is given twice".to_owned(),
        }),
        Some((name, _)) => Err(ModelError::Input {
            reason: format!(
                "is not an input of this model; {}",
                nearest_hint(&name, specs.iter().map(|spec| spec.name.as_str()))
            ),
            name,
        }),
    }
}

/// The next input as kind and rank `T`. [`in_order`] has checked kind and rank, so the error is for completeness.
fn next<T: TryFrom<AnyTensor>>(
    inputs: &mut impl Iterator<Item = (String, AnyTensor)>,
) -> Result<T, ModelError> {
    let (name, tensor) = inputs.next().ok_or_else(|| missing("sample"))?;
    T::try_from(tensor).map_err(|_| ModelError::Input {
        name,
        reason: "is of another kind or rank than it takes".to_owned(),
    })
}

fn missing(name: &str) -> ModelError {
    ModelError::Input {
        name: name.to_owned(),
        reason: "is missing".to_owned(),
    }
}
