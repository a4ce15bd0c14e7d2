//! Calls of a body that is used many times.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{
    Attrs, Graph, OpError, Operation, TensorType, cost::graph_cost, interp::Tensor, op_ensure,
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Call>()];

/// A call of a body that is used many times, such as a sampler's step, and optimized once. Inputs and
/// outputs are those of the body, in order. A body has no states; its parameters are the program's
/// parameters of the same name.
///
/// Calls of one body share one `Arc`: [`Graph::callees`] lists the bodies, [`Graph::all_params`] the
/// parameters of a program and its bodies.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The body; `None` only during deserialization.
    #[serde(skip)]
    body: Option<Arc<Graph>>,
}

impl Call {
    /// Returns a call of this body.
    pub fn new(body: Arc<Graph>) -> Self {
        Call { body: Some(body) }
    }

    fn callee(&self) -> Result<&Arc<Graph>, OpError> {
        self.body
            .as_ref()
            .ok_or_else(|| OpError::new("has no body"))
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        match (&self.body, &other.body) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (a, b) => a.is_none() && b.is_none(),
        }
    }
}

impl Operation for Call {
    const NAMES: &'static [&'static str] = &["call"];

    fn decode(_name: &str, attrs: Attrs, body: Option<Arc<Graph>>) -> Result<Self, OpError> {
        let mut call: Call = attrs
            .try_into()
            .map_err(|e: toml::de::Error| OpError::new(e.message()))?;
        call.body = body;
        call.callee()?;
        Ok(call)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        let body = self.callee()?;
        op_ensure!(
            body.states().is_empty(),
            "the body of a call has no states, `{}` has `{}`: make it an input and an output",
            body.name(),
            body.states()[0].name
        );
        rules::body(body, inputs)
    }

    /// For a body without parameters; the interpreter evaluates one with parameters itself.
    fn eval(&self, inputs: &[&Tensor], _outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let body = self.callee()?;
        if let Some((name, _)) = body.all_params().first() {
            crate::op_bail!(
                "its body has the parameter `{name}`, whose value only the program knows"
            );
        }
        crate::interp::eval_body(body, &crate::Params::new(), inputs)
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        self.body.as_ref().map_or(0, |body| graph_cost(body).flops)
    }

    fn body(&self) -> Option<&Arc<Graph>> {
        self.body.as_ref()
    }
}
