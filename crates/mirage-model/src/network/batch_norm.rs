//! Batch norm for inference.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Device, Tensor, module::batch_norm},
};

const EPSILON: f64 = 1e-5;
/// The fields that are statistics of the training data, not weights.
const STATISTICS: [&str; 2] = ["running_mean", "running_var"];

/// `(x − mean)/√(var + 1e-5)·gamma + beta` for each channel, with the statistics of training.
///
/// Replaces burn's batch norm, whose statistics are shared by clones of a module, so that loading weights into a clone
/// would change the original. Weight files of both layouts are translated by the names of the type and its fields.
#[derive(Module, Debug)]
pub(crate) struct BatchNorm {
    /// `[channels]`, and so are the others.
    gamma: Param<Tensor<1>>,
    beta: Param<Tensor<1>>,
    running_mean: Param<Tensor<1>>,
    running_var: Param<Tensor<1>>,
}

impl BatchNorm {
    pub(crate) fn new(channels: usize, device: &Device) -> Self {
        let all = |value: Initializer| value.init([channels], device);
        Self {
            gamma: all(Initializer::Ones),
            beta: all(Initializer::Zeros),
            running_mean: all(Initializer::Zeros),
            running_var: all(Initializer::Ones),
        }
    }

    /// `x` is `[B, channels, H, W]`, and so is the result.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        batch_norm(
            x,
            self.gamma.val(),
            self.beta.val(),
            self.running_mean.val(),
            self.running_var.val(),
            EPSILON,
        )
    }

    /// Whether the parameter of this path is a statistic. Statistics are part of weight files and graphs, but not counted as
    /// weights.
    pub(crate) fn is_statistic(path: &str) -> bool {
        path.rsplit('.')
            .next()
            .is_some_and(|name| STATISTICS.contains(&name))
    }
}
