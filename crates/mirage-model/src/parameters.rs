//! The parameters of a model by name.

use burn::{
    module::{Module, ModuleVisitor, Param, ParamId},
    tensor::{DType, Tensor},
};

/// A parameter of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterInfo {
    /// Path in the module tree, e.g. `down.0.block.1.conv1.weight`: its name in weight files and graphs.
    pub path: String,
    /// burn's identity of the parameter in this process.
    pub id: ParamId,
    /// Shape, as burn lays it out: convolutions `[out, in, height, width]`, linear layers `[in, out]`.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: DType,
    /// Number of elements.
    pub count: usize,
}

/// The parameters of `model` in the order of its module tree.
pub fn named_parameters<M: Module>(model: &M) -> Vec<ParameterInfo> {
    let mut collector = Collector::default();
    model.visit(&mut collector);
    collector.parameters
}

/// Number of weights in all parameters of `model`.
pub fn parameter_count<M: Module>(model: &M) -> usize {
    model.num_params()
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
        self.parameters.push(ParameterInfo {
            path: self.path.join("."),
            id: param.id,
            count: shape.num_elements(),
            shape: shape.to_vec(),
            dtype: param.val().dtype(),
        });
    }
}
