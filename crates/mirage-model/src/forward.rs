//! Single forward passes with named inputs and outputs.

use crate::{AnyModel, AnyTensor, ModelError, NamedTensors, TensorSpec, config::Size};

/// A network's own forward pass with named inputs and outputs.
pub(crate) trait NamedForward {
    /// The input whose shape `[batch, 3, height, width]` determines the sizes of the others.
    fn picture_input(&self) -> &'static str;

    /// Returns the inputs in order.
    fn input_specs(&self, batch: usize, size: Size) -> Vec<TensorSpec>;

    /// Returns the outputs in order.
    fn output_specs(&self, batch: usize, size: Size) -> Vec<TensorSpec>;

    /// Computes the outputs from the inputs, which are those of [`input_specs`](Self::input_specs).
    ///
    /// # Errors
    /// If the inputs are not those.
    fn forward_ordered(&self, inputs: Ordered) -> Result<Vec<(String, AnyTensor)>, ModelError>;
}

impl AnyModel {
    /// Returns the input of [`forward_named`](Self::forward_named) whose shape `[batch, 3, height, width]` sets batch and size.
    #[must_use]
    pub fn picture_input(&self) -> &'static str {
        self.named_forward().picture_input()
    }

    /// Returns the inputs of [`forward_named`](Self::forward_named) in order, with the network's names.
    ///
    /// [`LiveStreamUNet`](crate::LiveStreamUNet): `sample`, `frame` and `previous`, f32 `[batch, 3, height, width]`;
    /// `timestep`, i64 `[batch]`; then the declared state. [`StressNetwork`](crate::StressNetwork): `input` and `previous`,
    /// f32 `[batch, 3, height, width]`; `timestep`, i64 `[batch]`.
    ///
    /// # Errors
    /// If the network does not support the size, or the batch is empty.
    pub fn input_specs(
        &self,
        batch: usize,
        height: usize,
        width: usize,
    ) -> Result<Vec<TensorSpec>, ModelError> {
        let size = self.check_size(batch, height, width)?;
        Ok(self.named_forward().input_specs(batch, size))
    }

    /// Returns the outputs of [`forward_named`](Self::forward_named) in order: `output`, f32 `[batch, 3, height, width]`; then
    /// the updated state, if the network declares one, with the names of the inputs.
    ///
    /// # Errors
    /// See [`input_specs`](Self::input_specs).
    pub fn output_specs(
        &self,
        batch: usize,
        height: usize,
        width: usize,
    ) -> Result<Vec<TensorSpec>, ModelError> {
        let size = self.check_size(batch, height, width)?;
        Ok(self.named_forward().output_specs(batch, size))
    }

    /// Runs one forward pass. The shape of [`picture_input`](Self::picture_input) sets batch and size. Inputs may be in any
    /// order.
    ///
    /// A [`LiveStreamUNet`](crate::LiveStreamUNet) computes a whole frame of one step: denoise, blend with `previous`, update
    /// the state; `output` is the next frame's `previous`. A [`StressNetwork`](crate::StressNetwork) runs without a
    /// sampler.
    ///
    /// # Errors
    /// If an input is missing, unknown, or has another shape or type than in [`input_specs`](Self::input_specs).
    pub fn forward_named(
        &self,
        inputs: Vec<(String, AnyTensor)>,
    ) -> Result<Vec<(String, AnyTensor)>, ModelError> {
        let [batch, height, width] = picture_dims(&inputs, self.picture_input())?;
        let specs = self.input_specs(batch, height, width)?;
        let inputs = Ordered(in_order(inputs, &specs)?.into_iter());
        self.named_forward().forward_ordered(inputs)
    }

    fn check_size(&self, batch: usize, height: usize, width: usize) -> Result<Size, ModelError> {
        let size = Size { width, height };
        self.config().validate_size(size)?;
        if batch > 0 {
            return Ok(size);
        }
        Err(ModelError::Input {
            name: self.picture_input().to_owned(),
            reason: "the batch is empty; at least one image is required".to_owned(),
        })
    }
}

/// Checked inputs in the order of the specs.
pub(crate) struct Ordered(std::vec::IntoIter<(String, AnyTensor)>);

impl Ordered {
    /// The next input as kind and rank `T`.
    ///
    /// # Errors
    /// Does not occur where the specs have an input of that kind and rank next.
    pub(crate) fn take<T: TryFrom<AnyTensor>>(&mut self) -> Result<T, ModelError> {
        let (name, tensor) = self.0.next().ok_or_else(|| missing("the next one"))?;
        T::try_from(tensor).map_err(|_| ModelError::Input {
            name,
            reason: "has another kind or rank than the network expects".to_owned(),
        })
    }

    /// The inputs that are left, as the state.
    pub(crate) fn state(self) -> NamedTensors {
        NamedTensors::new(self.0.collect())
    }
}

/// Batch, height and width, from the input called `name`.
fn picture_dims(inputs: &[(String, AnyTensor)], name: &str) -> Result<[usize; 3], ModelError> {
    let shape = inputs
        .iter()
        .find(|(given, _)| given == name)
        .map(|(_, tensor)| tensor.shape())
        .ok_or_else(|| missing(name))?;
    match shape[..] {
        [batch, 3, height, width] => Ok([batch, height, width]),
        _ => Err(ModelError::Input {
            name: name.to_owned(),
            reason: format!("has the shape {shape:?}; expected [batch, 3, height, width]"),
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
                    "is {:?} of shape {:?}; expected {:?} of shape {:?}",
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
                mirage_suggest::advice(&name, specs.iter().map(|spec| spec.name.as_str()))
            ),
            name,
        }),
    }
}

fn missing(name: &str) -> ModelError {
    ModelError::Input {
        name: name.to_owned(),
        reason: "is missing".to_owned(),
    }
}
