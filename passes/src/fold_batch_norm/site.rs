//! Nodes that scale or shift channels, and the layers that they can be folded into.

use mirage_ir::{
    DType, GraphError, Node, TensorType, ValueId,
    analysis::Prologue,
    ops::{BatchNorm, Binary, Expand, Reshape, Unary, WithScalar},
};
use mirage_pass::rewrite::{At, View};

use super::layer::Layer;

/// Why a scale or a shift cannot be folded; the reason is absent if there is no layer.
pub(super) struct Refusal(pub(super) Option<&'static str>);

impl Refusal {
    const NO_LAYER: Refusal = Refusal(None);

    fn because(reason: &'static str) -> Self {
        Refusal(Some(reason))
    }
}

/// A node that scales or shifts the channels of `x` by fixed values.
pub(super) struct Site<'v> {
    view: &'v View<'v>,
    prologue: &'v Prologue,
    pub(super) x: ValueId,
    pub(super) out: ValueId,
    pub(super) step: AffineStep,
    /// The channel dimension; `None` if all channels have the same value.
    axis: Option<usize>,
}

/// The scale or shift of each channel.
pub(super) enum AffineStep {
    Norm {
        eps: f64,
        /// gamma, beta, mean, variance
        params: [ValueId; 4],
    },
    With(Binary, ValueId),
}

impl<'v> Site<'v> {
    pub(super) fn of(view: &'v View<'v>, prologue: &'v Prologue, node: &Node) -> Option<Self> {
        let out = node.outputs.first().copied()?;
        if prologue.is_fixed(out) {
            return None;
        }
        let (x, step, axis) = if let Some(norm) = node.op.get::<BatchNorm>() {
            let [x, gamma, beta, mean, variance] = node.inputs[..] else {
                return None;
            };
            let params = [gamma, beta, mean, variance];
            let step = AffineStep::Norm {
                eps: norm.eps,
                params,
            };
            params
                .iter()
                .all(|&p| prologue.is_fixed(p))
                .then_some((x, step, Some(1)))?
        } else {
            let f = *node.op.get::<Binary>()?;
            let [a, b] = node.inputs[..] else { return None };
            let (x, by) = match f {
                Binary::Mul | Binary::Add if prologue.is_fixed(a) => (b, a),
                Binary::Mul | Binary::Add | Binary::Div | Binary::Sub if prologue.is_fixed(b) => {
                    (a, b)
                }
                _ => return None,
            };
            (x, AffineStep::With(f, by), channel_axis(view.ty(by))?)
        };
        (view.ty(x) == view.ty(out)).then_some(Site {
            view,
            prologue,
            x,
            out,
            step,
            axis,
        })
    }

    /// Returns the layer before, if the node can be folded into it.
    pub(super) fn producer(&self) -> Result<Layer<'v>, Refusal> {
        let (id, node) = self.view.node(self.x).ok_or(Refusal::NO_LAYER)?;
        let layer = Layer::of(self.view.graph(), id, node).ok_or(Refusal::NO_LAYER)?;
        if !self.view.uses().is_single(self.x) {
            return Err(Refusal::because("the layer's result has other uses"));
        }
        self.check(&layer)?;
        Ok(layer)
    }

    /// Returns the layer after, if the node can be folded into it.
    pub(super) fn consumer(&self) -> Result<Layer<'v>, Refusal> {
        let &id = self
            .view
            .uses()
            .users(self.out)
            .first()
            .ok_or(Refusal::NO_LAYER)?;
        let graph = self.view.graph();
        let layer = Layer::of(graph, id, graph.node(id))
            .filter(|l| l.node.inputs[0] == self.out)
            .ok_or(Refusal::NO_LAYER)?;
        if !self.view.uses().is_single(self.out) {
            return Err(Refusal::because("the result has other uses"));
        }
        self.check(&layer)?;
        if self.step.shifts() && !layer.reaches_every_element() {
            return Err(Refusal::because(
                "the layer after pads with zeros, which would have to stay zero under the shift",
            ));
        }
        Ok(layer)
    }

    fn check(&self, layer: &Layer) -> Result<(), Refusal> {
        if self.axis.is_some_and(|axis| axis != layer.axis) {
            return Err(Refusal::because(
                "it varies along another dimension than the layer's channels",
            ));
        }
        let weights = &layer.node.inputs[1..];
        if !weights.iter().all(|&w| self.prologue.is_fixed(w)) {
            return Err(Refusal::because(
                "the layer's weights are computed in every execution",
            ));
        }
        if !matches!(self.view.ty(self.out).dtype, DType::F32 | DType::F64) {
            return Err(Refusal::because(
                "the 16-bit weights would be rounded a second time: fold before lowering the precision",
            ));
        }
        Ok(())
    }
}

/// Returns the only dimension that is not 1; `Some(None)` if all are 1.
fn channel_axis(ty: &TensorType) -> Option<Option<usize>> {
    let mut wide = (0..ty.rank()).filter(|&d| ty.shape[d] != 1);
    let axis = wide.next();
    wide.next().is_none().then_some(axis)
}

impl AffineStep {
    fn shifts(&self) -> bool {
        matches!(
            self,
            AffineStep::Norm { .. } | AffineStep::With(Binary::Add | Binary::Sub, _)
        )
    }

    /// Returns the scale and the shift, each of shape `[channels]`.
    pub(super) fn emit(
        &self,
        at: &mut At,
        channels: usize,
    ) -> Result<(Option<ValueId>, Option<ValueId>), GraphError> {
        match *self {
            AffineStep::Norm {
                eps,
                params: [gamma, beta, mean, variance],
            } => {
                let variance = at.op(WithScalar::float(Binary::Add, eps), &[variance])?;
                let inverse = at.op(Unary::Rsqrt, &[variance])?;
                let scale = at.op(Binary::Mul, &[gamma, inverse])?;
                let mean = at.op(Binary::Mul, &[mean, scale])?;
                let shift = at.op(Binary::Sub, &[beta, mean])?;
                Ok((Some(scale), Some(shift)))
            }
            AffineStep::With(f, by) => {
                let count = at.ty(by).numel();
                let mut v = at.op(Reshape::to([count]), &[by])?;
                if count != channels {
                    let shape = vec![channels];
                    v = at.op(Expand { shape }, &[v])?;
                }
                Ok(match f {
                    Binary::Mul => (Some(v), None),
                    Binary::Div => (Some(at.op(Unary::Recip, &[v])?), None),
                    Binary::Sub => (None, Some(at.op(Unary::Neg, &[v])?)),
                    _ => (None, Some(v)),
                })
            }
        }
    }
}
