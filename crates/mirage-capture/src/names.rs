//! Names of parameters: their paths in the module tree.

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Bool, Int, Tensor},
};
use burn_ir::TensorId;

use crate::{CaptureError, outputs::recorded_id};

/// Returns the parameters of a module on the recording device in the order of its tree: the recorded id
/// and the path, such as `down.0.block.1.conv1.weight`.
pub(crate) fn parameters<M: Module>(module: &M) -> Result<Vec<(TensorId, String)>, CaptureError> {
    let mut visitor = Visitor::default();
    module.visit(&mut visitor);
    visitor
        .found
        .into_iter()
        .map(|(id, name)| match id {
            Some(id) => Ok((id, name)),
            None => Err(CaptureError::NotRecorded(name)),
        })
        .collect()
}

#[derive(Default)]
struct Visitor {
    path: Vec<String>,
    found: Vec<(Option<TensorId>, String)>,
}

impl Visitor {
    fn add(&mut self, id: Option<TensorId>) {
        self.found.push((id, self.path.join(".")));
    }
}

impl ModuleVisitor for Visitor {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.add(recorded_id(&param.base()));
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.add(recorded_id(&param.base()));
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.add(recorded_id(&param.base()));
    }
}
