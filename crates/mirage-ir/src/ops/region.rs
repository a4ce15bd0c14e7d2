//! Fused regions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{
    Attrs, Graph, OpError, Operation, TensorType, interp::Tensor, op_ensure, regions::KnownRegion,
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Region>()];

/// Several operations as one, with their definition: a backend that has a kernel for the kind uses it,
/// another runs the body. Inputs and outputs are those of the body, in order. A body has neither
/// parameters nor states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// What the region computes, such as `group_norm_silu`. For a kind in [`crate::regions`] the
    /// body must equal the kind's expansion; any other kind is defined by its body alone.
    pub kind: String,
    /// The attributes of the kind, for its kernels.
    #[serde(default, skip_serializing_if = "Attrs::is_empty")]
    pub attributes: Attrs,
    /// The definition.
    #[serde(skip)]
    body: Option<Arc<Graph>>,
}

impl Region {
    /// Returns a region of this kind, defined by this body.
    pub fn new(kind: impl Into<String>, attributes: Attrs, body: Arc<Graph>) -> Self {
        Region {
            kind: kind.into(),
            attributes,
            body: Some(body),
        }
    }

    /// Returns a region of a known kind for inputs of these types; its body is the kind's expansion.
    ///
    /// # Errors
    ///
    /// If the kind does not accept inputs of these types with these attributes.
    pub fn known<T: KnownRegion>(kind: &T, inputs: &[&TensorType]) -> Result<Self, OpError> {
        let body = Arc::new(kind.expand(inputs)?);
        let attributes = Attrs::try_from(kind).map_err(|e| OpError::new(e.to_string()))?;
        Ok(Region::new(T::KIND, attributes, body))
    }

    fn definition(&self) -> Result<&Arc<Graph>, OpError> {
        self.body
            .as_ref()
            .ok_or_else(|| OpError::new("has no body"))
    }
}

impl Operation for Region {
    const NAMES: &'static [&'static str] = &["region"];

    fn decode(_name: &str, attrs: Attrs, body: Option<Arc<Graph>>) -> Result<Self, OpError> {
        let mut region: Region = attrs
            .try_into()
            .map_err(|e: toml::de::Error| OpError::new(e.message()))?;
        region.body = body;
        region.definition()?;
        Ok(region)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        let body = self.definition()?;
        op_ensure!(
            body.params().is_empty() && body.states().is_empty(),
            "the body of a region has neither parameters nor states"
        );
        rules::body(body, inputs)
    }

    fn eval(&self, inputs: &[&Tensor], _outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        crate::interp::eval_body(self.definition()?, &crate::Params::new(), inputs)
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        self.body.as_ref().map_or(0, |body| {
            body.nodes()
                .iter()
                .map(|n| n.op.flops(&body.input_types(n), &body.output_types(n)))
                .fold(0, u64::saturating_add)
        })
    }

    fn body(&self) -> Option<&Arc<Graph>> {
        self.body.as_ref()
    }
}
