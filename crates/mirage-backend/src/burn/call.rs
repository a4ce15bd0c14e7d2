//! Bodies that are called: compiled once, run at every call.

use std::sync::{Arc, Mutex, PoisonError};

use burn_backend::Backend;
use mirage_ir::{Graph, Params};

use super::{
    Engine, Instruction, Kernel, Prepared, Tensor,
    compile::{Compiled, compile},
    program::run,
};
use crate::BackendError;

/// The compiled bodies of a program, one for each that it calls however often it does.
pub(super) struct Bodies<'a, B: Backend> {
    params: &'a Params,
    compiled: Vec<(Arc<Graph>, Shared<B>)>,
    weight_bytes: u64,
}

impl<'a, B: Backend> Bodies<'a, B> {
    /// None so far, of a program with these parameters.
    pub(super) fn new(params: &'a Params) -> Self {
        Bodies {
            params,
            compiled: Vec::new(),
            weight_bytes: 0,
        }
    }

    /// The bytes of all their weights.
    pub(super) fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// The kernel that calls a body.
    pub(super) fn kernel(
        &mut self,
        engine: &Engine<B>,
        body: &Arc<Graph>,
    ) -> Result<Kernel<B>, BackendError> {
        let body = self.body(engine, body)?;
        Ok(Box::new(move |args| {
            let inputs = (0..args.count()).map(|i| args.take(i)).collect();
            let mut body = body.lock().unwrap_or_else(PoisonError::into_inner);
            let outputs = body.run(inputs)?;
            let all = outputs.into_iter().enumerate();
            all.for_each(|(i, output)| args.set(i, output));
            Ok(())
        }))
    }

    fn body(&mut self, engine: &Engine<B>, graph: &Arc<Graph>) -> Result<Shared<B>, BackendError> {
        if let Some((_, body)) = self.compiled.iter().find(|(g, _)| Arc::ptr_eq(g, graph)) {
            return Ok(body.clone());
        }
        let mut prepared = Prepared::new(engine, graph, self.params)?;
        let compiled = compile(&mut prepared, self)?;
        let flat = prepared.graph();
        let slot = |v: mirage_ir::ValueId| compiled.slot_of[v.index()];
        let inputs = flat.inputs().iter();
        let body = Body {
            inputs: inputs
                .map(|p| (slot(p.value), flat.ty(p.value).physical_shape()))
                .collect(),
            outputs: flat.outputs().iter().map(|p| slot(p.value)).collect(),
            compiled,
        };
        self.weight_bytes += prepared.weight_bytes();
        let body = Arc::new(Mutex::new(body));
        self.compiled.push((graph.clone(), body.clone()));
        Ok(body)
    }
}

/// A compiled body, shared by the instructions that call it.
type Shared<B> = Arc<Mutex<Body<B>>>;

/// A compiled body.
struct Body<B: Backend> {
    compiled: Compiled<B>,
    /// The slot of each input and its physical shape, which an argument may have otherwise in
    /// dimensions of size 1.
    inputs: Vec<(usize, Vec<usize>)>,
    outputs: Vec<usize>,
}

impl<B: Backend> Body<B> {
    fn run(&mut self, inputs: Vec<Tensor<B>>) -> Result<Vec<Tensor<B>>, String> {
        let Compiled {
            instructions,
            slots,
            weights,
            ..
        } = &mut self.compiled;
        for ((slot, shape), input) in self.inputs.iter().zip(inputs) {
            let fits = input.shape() == *shape;
            slots[*slot] = Some(if fits { input } else { input.reshape(shape) });
        }
        let instructions: &[Instruction<B>] = instructions;
        let result = run(instructions, slots, None);
        let outputs = self.outputs.iter().map(|&slot| slots[slot].clone());
        let outputs: Option<Vec<_>> = outputs.collect();
        slots[*weights..].fill(None);
        result?;
        outputs.ok_or_else(|| "a body gave no result".to_owned())
    }
}
