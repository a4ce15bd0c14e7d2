//! Lazy parameters: values are computed when they are first used, on the device that uses them, in shared memory.
//!
//! burn copies the data of parameters when a module that is in use elsewhere is captured, and once more for the record. A
//! parameter that the capturing device itself creates from shared bytes is not copied.

use std::{collections::HashMap, sync::Arc};

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Device, Shape, Tensor, TensorData},
};

/// Returns the parameter with other values, which `values` computes when they are first used.
pub(crate) fn lazily<const D: usize>(
    param: &Param<Tensor<D>>,
    values: impl FnOnce(Shape) -> TensorData + Send + Sync + 'static,
) -> Param<Tensor<D>> {
    let shape = param.lazy_shape();
    let wanted = shape.clone();
    let init = move |device: &Device, require_grad: bool| {
        Tensor::from_data(shared(values(wanted)), device).set_require_grad(require_grad)
    };
    Param::uninitialized(param.id, init, param.lazy_device(), true, shape)
}

/// Moves the data to memory that copies share.
fn shared(data: TensorData) -> TensorData {
    let (bytes, shape, dtype) = data.into_parts();
    TensorData::from_bytes(bytes.shared(), shape, dtype)
}

/// Sets every parameter to zero. The system allocates pages of zeros only when they are written.
pub(crate) fn zeroed<M: Module>(module: M) -> M {
    module.map(&mut Zeroer)
}

struct Zeroer;

impl ModuleMapper for Zeroer {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        lazily(&param, |shape| {
            TensorData::new(vec![0_f32; shape.num_elements()], shape)
        })
    }
}

/// The data of a network's parameters by path, shared by all users.
pub(crate) type SharedData = Arc<HashMap<String, TensorData>>;

/// Returns the data of all parameters of a module, without a copy if the module is their only user.
pub(crate) fn keep<M: Module>(module: M) -> SharedData {
    let mut keeper = Keeper::default();
    module.map(&mut keeper);
    Arc::new(keeper.data)
}

/// Returns the module with the kept data; parameters without data do not change.
pub(crate) fn with_kept<M: Module>(module: M, kept: &SharedData) -> M {
    module.map(&mut Giver {
        path: Vec::new(),
        kept,
    })
}

#[derive(Default)]
struct Keeper {
    path: Vec<String>,
    data: HashMap<String, TensorData>,
}

impl ModuleMapper for Keeper {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, _) = param.consume();
        let device = value.device();
        let data = shared(value.into_data());
        self.data.insert(self.path.join("."), data.clone());
        Param::initialized(id, Tensor::from_data(data, &device))
    }
}

struct Giver<'a> {
    path: Vec<String>,
    kept: &'a SharedData,
}

impl ModuleMapper for Giver<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.kept.get(&self.path.join(".")).cloned() {
            Some(data) => lazily(&param, |_| data),
            None => param,
        }
    }
}
