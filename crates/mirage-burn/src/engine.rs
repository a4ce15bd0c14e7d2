//! Burn backends as engines of the runtime.

use std::{ops::Deref, sync::Arc};

use burn_backend::{Backend, tensor::Device};
use mirage_ir::{DType, Graph, Node, Order, Scalar, TensorData, TensorType, ops::Extern};
use mirage_runtime::{Packing, Stopwatch};

use crate::{Kernel, Kernels, Storage, Tensor, lower::lower};

/// A burn backend on a device, with its kernels.
pub struct Engine<B: Backend> {
    name: &'static str,
    device: Device<B>,
    kernels: Arc<dyn Kernels<B>>,
    storage: Storage,
}

impl<B: Backend> Engine<B> {
    /// `name` is the backend's name in errors.
    pub fn new(name: &'static str, device: Device<B>, kernels: Arc<dyn Kernels<B>>) -> Self {
        Engine {
            name,
            storage: Storage::of::<B>(&device),
            device,
            kernels,
        }
    }

    /// The device.
    pub fn device(&self) -> &Device<B> {
        &self.device
    }

    /// The backend's own kernels.
    pub fn kernels(&self) -> &dyn Kernels<B> {
        &*self.kernels
    }

    /// How the device stores elements.
    pub fn storage(&self) -> Storage {
        self.storage
    }

    fn context<'a>(&'a self, cx: &'a mirage_runtime::NodeContext<'a>) -> NodeContext<'a, B> {
        NodeContext {
            node: cx,
            engine: self,
            storage: self.storage,
        }
    }
}

impl<B: Backend> Clone for Engine<B> {
    fn clone(&self) -> Self {
        Engine {
            name: self.name,
            device: self.device.clone(),
            kernels: self.kernels.clone(),
            storage: self.storage,
        }
    }
}

/// A node for which a kernel is chosen, and its burn backend.
pub struct NodeContext<'a, B: Backend> {
    node: &'a mirage_runtime::NodeContext<'a>,
    /// The backend.
    pub engine: &'a Engine<B>,
    /// How the device stores elements.
    pub storage: Storage,
}

impl<'a, B: Backend> Deref for NodeContext<'a, B> {
    type Target = mirage_runtime::NodeContext<'a>;

    fn deref(&self) -> &Self::Target {
        self.node
    }
}

impl<B: Backend> mirage_runtime::Engine for Engine<B> {
    type Tensor = Tensor<B>;

    fn name(&self) -> &'static str {
        self.name
    }

    fn holds(&self, dtype: DType) -> bool {
        self.storage.holds(dtype)
    }

    fn upload(&self, data: &TensorData) -> Result<Tensor<B>, String> {
        Ok(Tensor::from_data(data, &self.storage, &self.device))
    }

    fn download(&self, tensor: Tensor<B>, dtype: DType) -> Result<TensorData, String> {
        tensor.to_data(dtype)
    }

    fn zeros(&self, shape: &[usize], dtype: DType) -> Result<Tensor<B>, String> {
        let zero = Scalar::Int(0);
        Ok(Tensor::full(
            shape,
            zero,
            dtype,
            &self.storage,
            &self.device,
        ))
    }

    fn kernel(&self, cx: &mirage_runtime::NodeContext<'_>) -> Option<Kernel<B>> {
        self.kernels.lower(&self.context(cx))
    }

    fn generic(&self, cx: &mirage_runtime::NodeContext<'_>) -> Result<Kernel<B>, String> {
        lower(&self.context(cx))
    }

    fn weight_order(&self, graph: &Graph, node: &Node, operand: usize) -> Option<Order> {
        self.kernels.weight_order(graph, node, operand)
    }

    fn packing(&self, graph: &Graph, node: &Node, operand: usize) -> Option<Packing> {
        self.kernels.packing(graph, node, operand)
    }

    fn pack(&self, packing: Packing, ty: &TensorType, weight: Tensor<B>) -> Tensor<B> {
        self.kernels.pack(packing, ty, weight)
    }

    fn takes_views(&self, graph: &Graph, node: &Node) -> bool {
        self.kernels.takes_views(graph, node)
    }

    fn run(&self, execution: &mut (dyn FnMut() + Send)) {
        self.kernels.run(execution);
    }

    fn synchronize(&self) -> Result<(), String> {
        B::sync(&self.device).map_err(|e| format!("cannot synchronize: {e:?}"))
    }

    fn stopwatch(&self) -> Option<Box<dyn Stopwatch>> {
        self.kernels.stopwatch()
    }

    /// Returns the backend's notes, and one on how extern operations of burn run.
    fn notes(&self, graph: &Graph, flat: &Graph) -> Vec<String> {
        let mut notes = self.kernels.notes(graph);
        let mut names: Vec<&str> = flat
            .nodes()
            .iter()
            .filter_map(|n| n.op.get::<Extern>())
            .map(|e| e.name.as_str())
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        if let Some(runner) = self.kernels.externs().filter(|_| count > 0) {
            notes.push(format!(
                "{count} operations run {}: {}",
                runner.place(),
                names.join(", ")
            ));
        }
        notes
    }
}

impl<B: Backend> mirage_runtime::Tensor for Tensor<B> {
    fn shape(&self) -> Vec<usize> {
        Tensor::shape(self)
    }

    fn bytes(&self) -> u64 {
        Tensor::bytes(self)
    }

    fn reshape(self, shape: &[usize]) -> Self {
        Tensor::reshape(self, shape)
    }

    fn permute(self, axes: &[usize]) -> Self {
        Tensor::permute(self, axes)
    }

    fn contiguous(self) -> Self {
        Tensor::contiguous(self)
    }
}
