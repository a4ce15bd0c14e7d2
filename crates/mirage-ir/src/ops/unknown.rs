//! Operations that this build does not know.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Attrs, Graph, OpError, Operation, TensorType, interp::Tensor, op_bail};

/// An operation of a text or wire form whose name is unknown. All of it is kept, so that the graph
/// survives a round trip. Its stated types are trusted; it cannot be executed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unknown {
    name: String,
    attrs: Attrs,
    outputs: Vec<TensorType>,
    #[serde(skip)]
    body: Option<Arc<Graph>>,
}

impl Unknown {
    pub(super) fn new(
        name: &str,
        attrs: Attrs,
        body: Option<Arc<Graph>>,
        outputs: &[TensorType],
    ) -> Self {
        Unknown {
            name: name.to_owned(),
            attrs,
            outputs: outputs.to_vec(),
            body,
        }
    }
}

impl Operation for Unknown {
    const NAMES: &'static [&'static str] = &[];

    fn name(&self) -> Cow<'static, str> {
        self.name.clone().into()
    }

    fn attrs(&self) -> Attrs {
        self.attrs.clone()
    }

    fn infer(&self, _inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        Ok(self.outputs.clone())
    }

    fn eval(&self, _inputs: &[&Tensor], _outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        op_bail!("is unknown to this build: a newer version or a plugin made this graph")
    }

    fn body(&self) -> Option<&Arc<Graph>> {
        self.body.as_ref()
    }
}
