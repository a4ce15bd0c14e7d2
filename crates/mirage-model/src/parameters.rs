//! The parameters of a model by name.

use burn::{
    module::{Module, ModuleVisitor, Param, ParamId},
    tensor::{DType, Tensor},
};

use crate::network::BatchNorm;

/// A parameter of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterInfo {
    /// Path in the module tree, e.g. `down.0.block.1.conv1.weight`: its name in weight files and graphs.
    pub path: String,
    /// burn's id of the parameter in this process.
    pub id: ParamId,
    /// Shape in burn's layout: convolutions `[out, in, height, width]`, linear layers `[in, out]`.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: DType,
    /// Number of elements.
    pub count: usize,
    /// Whether it is a batch norm's running mean or variance: part of weight files and graphs, but not counted as a weight.
    pub is_statistic: bool,
}

/// Returns the parameters of `model` in the order of its module tree.
pub fn named_parameters<M: Module>(model: &M) -> Vec<ParameterInfo> {
    let mut collector = Collector::default();
    model.visit(&mut collector);
    collector.parameters
}

/// Returns the number of weights in all parameters of `model`, without statistics. Computes and reads no
/// weights.
pub fn parameter_count<M: Module>(model: &M) -> usize {
    let parameters = named_parameters(model);
    let weights = parameters.iter().filter(|p| !p.is_statistic);
    weights.map(|p| p.count).sum()
}

#[derive(Default)]
struct Collector {
    path: Vec<String>,
    parameters: Vec<ParameterInfo>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape();
        let path = self.path.join(".");
        // A lazy parameter that is not computed yet will be f32; asking it would compute it.
        let dtype = if param.is_initialized() {
            param.base().dtype()
        } else {
            DType::F32
        };
        self.parameters.push(ParameterInfo {
            is_statistic: BatchNorm::is_statistic(&path),
            path,
            id: param.id,
            count: shape.num_elements(),
            shape: shape.to_vec(),
            dtype,
        });
    }
}
