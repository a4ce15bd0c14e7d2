//! Backends, as C calls them.

use mirage_backend::{Backend, CompileOptions};
use mirage_ir::{Params, wire};

use super::{argument, catch::answer, executable::LiveExecutable, session, tensor};
use crate::{
    abi::{Bytes, ExecutableHandle, Tensor, Writer},
    message::{self, CompileForm, CompiledForm, DeviceForm, ErrorForm},
};

fn backend(number: u32) -> Result<&'static dyn Backend, ErrorForm> {
    let known = session()?.plugin.backends;
    known.get(number as usize).copied().ok_or_else(|| {
        argument(format!(
            "no backend has the index {number}: the plugin has {}",
            known.len()
        ))
    })
}

fn index(device: u64) -> Result<usize, ErrorForm> {
    usize::try_from(device).map_err(|_| argument(format!("no device has the number {device}")))
}

/// # Safety
/// `out` is the host's, lent for this call.
pub(super) unsafe extern "C" fn devices(number: u32, out: *const Writer) -> i32 {
    answer(out, |out| {
        let devices = backend(number)?.devices()?;
        let forms: Vec<DeviceForm> = devices.into_iter().map(DeviceForm::from).collect();
        out.message(&forms)
    })
}

/// # Safety
/// `out` is the host's, lent for this call.
pub(super) unsafe extern "C" fn capabilities(number: u32, device: u64, out: *const Writer) -> i32 {
    answer(out, |out| {
        out.message(&backend(number)?.capabilities(index(device)?))
    })
}

/// # Safety
/// The bytes, the parameters and the writer are the host's, lent for this call; `executable` is a
/// place for one handle.
pub(super) unsafe extern "C" fn compile(
    number: u32,
    graph: Bytes,
    options: Bytes,
    params: *const Tensor,
    count: usize,
    executable: *mut ExecutableHandle,
    out: *const Writer,
) -> i32 {
    answer(out, |out| {
        let backend = backend(number)?;
        // SAFETY: the host lends both for this call.
        let (graph, options) = unsafe { (graph.get(), options.get()) };
        let graph = wire::decode(graph).map_err(|e| argument(e.to_string()))?;
        let options: CompileForm = message::decode(options).map_err(argument)?;
        let lent: &[Tensor] = match count {
            0 => &[],
            // SAFETY: the host lends `count` tensors for this call.
            _ => unsafe { std::slice::from_raw_parts(params, count) },
        };
        let mut params = Params::new();
        for tensor in lent {
            // SAFETY: as above.
            let (name, _, data) = unsafe { tensor::borrow(tensor) }?;
            params.insert(name, data);
        }
        let options = CompileOptions {
            device: index(options.device)?,
        };
        let compiled = backend.compile(&graph, &params, &options)?;
        let notes = compiled.notes().to_vec();
        let node_clock = compiled.node_clock().into();
        let live = Box::new(LiveExecutable::new(compiled));
        out.message(&CompiledForm { notes, node_clock })?;
        // SAFETY: the host's place for one handle, which is freed by `executable_free` alone.
        unsafe { executable.write(Box::into_raw(live).cast()) };
        Ok(())
    })
}
