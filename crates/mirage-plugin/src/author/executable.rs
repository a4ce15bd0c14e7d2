//! Executables and buffers, as C calls them.
//!
//! An executable's handle is a `Box<LiveExecutable>`, a buffer's a `Box<Option<Buffer>>`, which is empty while an
//! execution has the buffer in its list of arguments.

use mirage_backend::{Buffer, Executable, NodeTime};

use super::{
    argument,
    catch::{Out, answer, catch},
    tensor,
};
use crate::{
    abi::{BufferHandle, Bytes, ExecutableHandle, Tensor, Writer},
    message::{ErrorForm, MemoryForm, NodeTimeForm},
};

/// An executable, and its lists of arguments, whose memory is reused in every call.
pub(super) struct LiveExecutable {
    executable: Box<dyn Executable>,
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
    /// Whether a panic left it in an unknown state.
    is_broken: bool,
}

impl LiveExecutable {
    pub(super) fn new(executable: Box<dyn Executable>) -> Self {
        LiveExecutable {
            executable,
            inputs: Vec::new(),
            outputs: Vec::new(),
            is_broken: false,
        }
    }
}

/// Calls an executable. After a panic, it is not called again.
///
/// # Safety
/// `handle` is an executable's, in no other call now; `out` is lent for this call.
unsafe fn call(
    handle: ExecutableHandle,
    out: *const Writer,
    f: impl FnOnce(&mut LiveExecutable, &Out) -> Result<(), ErrorForm>,
) -> i32 {
    answer(out, |out| {
        // SAFETY: the caller's promise: a `Box<LiveExecutable>` that nobody else looks at now.
        let live = unsafe { handle.cast::<LiveExecutable>().as_mut() };
        let live = live.ok_or_else(|| argument("the host gave no executable"))?;
        if live.is_broken {
            return Err(argument("an earlier call panicked: compile again"));
        }
        let result = catch(|| f(live, out));
        live.is_broken = matches!(result, Err(ErrorForm::Panic { .. }));
        result
    })
}

fn into_handle(buffer: Buffer) -> BufferHandle {
    Box::into_raw(Box::new(Some(buffer))).cast()
}

/// # Safety
/// `handle` is a buffer's that is in no other call now.
unsafe fn slot<'a>(handle: BufferHandle) -> Result<&'a mut Option<Buffer>, ErrorForm> {
    // SAFETY: the caller's promise.
    let slot = unsafe { handle.cast::<Option<Buffer>>().as_mut() };
    slot.ok_or_else(|| argument("the host gave no buffer"))
}

/// Moves the buffers of handles into a list; moves none if a handle occurs twice.
///
/// # Safety
/// The handles are buffers', in no other call now.
unsafe fn take(handles: &[BufferHandle], list: &mut Vec<Buffer>) -> Result<(), ErrorForm> {
    for (i, &handle) in handles.iter().enumerate() {
        // SAFETY: the caller's promise.
        let taken = unsafe { slot(handle) }.map(Option::take);
        match taken {
            Ok(Some(buffer)) => list.push(buffer),
            other => {
                // SAFETY: as above; these are the handles that were just emptied.
                unsafe { put_back(&handles[..i], list) };
                return Err(other
                    .err()
                    .unwrap_or_else(|| argument("a buffer is given twice")));
            }
        }
    }
    Ok(())
}

/// Moves buffers back to where [`take`] found them.
///
/// # Safety
/// As [`take`].
unsafe fn put_back(handles: &[BufferHandle], list: &mut Vec<Buffer>) {
    for (&handle, buffer) in handles.iter().zip(list.drain(..)) {
        // SAFETY: the caller's promise.
        if let Ok(slot) = unsafe { slot(handle) } {
            *slot = Some(buffer);
        }
    }
}

/// # Safety
/// `data` points at `count` handles, or `count` is 0.
unsafe fn list<'a>(data: *const BufferHandle, count: usize) -> &'a [BufferHandle] {
    if count == 0 || data.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(data, count) }
}

/// Runs with the inputs taken out of their handles; they are always moved back.
///
/// # Safety
/// The handles are buffers', in no other call now.
unsafe fn with_inputs<T>(
    live: &mut LiveExecutable,
    handles: &[BufferHandle],
    run: impl FnOnce(&mut LiveExecutable) -> Result<T, ErrorForm>,
) -> Result<T, ErrorForm> {
    // SAFETY: the caller's promise.
    unsafe { take(handles, &mut live.inputs) }?;
    let result = catch(|| run(live));
    // SAFETY: the same handles, emptied above.
    unsafe { put_back(handles, &mut live.inputs) };
    result
}

/// Passes an execution's outputs to the host.
///
/// # Safety
/// `places` points at `count` places for handles.
unsafe fn hand_over(
    outputs: Vec<Buffer>,
    places: *mut BufferHandle,
    count: usize,
) -> Result<(), ErrorForm> {
    if outputs.len() != count {
        return Err(argument(format!(
            "the execution returned {} outputs, but the host has space for {count}",
            outputs.len()
        )));
    }
    for (i, buffer) in outputs.into_iter().enumerate() {
        // SAFETY: `i` is below `count`.
        unsafe { places.add(i).write(into_handle(buffer)) };
    }
    Ok(())
}

/// # Safety
/// `executable` is a handle that `compile` gave and that is not used again.
pub(super) unsafe extern "C" fn free(executable: ExecutableHandle) {
    if !executable.is_null() {
        // SAFETY: the caller's promise.
        let live = unsafe { Box::from_raw(executable.cast::<LiveExecutable>()) };
        dropped(live);
    }
}

/// # Safety
/// `buffer` is a handle that this library gave and that is not used again.
pub(super) unsafe extern "C" fn free_buffer(buffer: BufferHandle) {
    if !buffer.is_null() {
        // SAFETY: the caller's promise.
        let buffer = unsafe { Box::from_raw(buffer.cast::<Option<Buffer>>()) };
        dropped(buffer);
    }
}

/// Drops what the host returns. There is no answer for an error, so a panic becomes a log event.
fn dropped<T>(value: T) {
    let result = catch(|| {
        drop(value);
        Ok(())
    });
    if let Err(error) = result {
        tracing::error!("a destructor failed: {error:?}");
    }
}

/// Checks that the host has space for each output, before anything runs, so that an error leaves the
/// states unchanged.
fn check_places(live: &LiveExecutable, count: usize) -> Result<(), ErrorForm> {
    match live.executable.outputs().len() {
        wanted if wanted == count => Ok(()),
        wanted => Err(argument(format!(
            "the graph has {wanted} outputs, but the host has space for {count}"
        ))),
    }
}

/// # Safety
/// The handle and the writer are the host's to use, now in no other call. So in all that follow.
pub(super) unsafe extern "C" fn memory(executable: ExecutableHandle, out: *const Writer) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        call(executable, out, |live, out| {
            out.message(&MemoryForm::from(live.executable.memory()))
        })
    }
}

/// # Safety
/// As [`memory`].
pub(super) unsafe extern "C" fn synchronize(
    executable: ExecutableHandle,
    out: *const Writer,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        call(executable, out, |live, _| {
            Ok(live.executable.synchronize()?)
        })
    }
}

/// # Safety
/// As [`memory`].
pub(super) unsafe extern "C" fn reset_states(
    executable: ExecutableHandle,
    out: *const Writer,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        call(executable, out, |live, _| {
            Ok(live.executable.reset_states()?)
        })
    }
}

/// # Safety
/// As [`memory`]; the tensor is lent, and `buffer` is a place for a handle.
pub(super) unsafe extern "C" fn upload(
    executable: ExecutableHandle,
    tensor: *const Tensor,
    buffer: *mut BufferHandle,
    out: *const Writer,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        call(executable, out, |live, _| {
            let lent = tensor
                .as_ref()
                .ok_or_else(|| argument("the host gave no tensor"))?;
            let (_, ty, data) = tensor::borrow(lent)?;
            buffer.write(into_handle(live.executable.upload(&data, &ty)?));
            Ok(())
        })
    }
}

/// # Safety
/// As [`memory`]; `data` points at `len` initialized bytes.
pub(super) unsafe extern "C" fn download(
    executable: ExecutableHandle,
    buffer: BufferHandle,
    data: *mut u8,
    len: usize,
    out: *const Writer,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        call(executable, out, |live, _| {
            let buffer = slot(buffer)?.as_ref();
            let buffer = buffer.ok_or_else(|| argument("the buffer is in another call"))?;
            tensor::give(&live.executable.download(buffer)?, data, len)
        })
    }
}

/// # Safety
/// As [`memory`]; the handles are buffers', and `outputs` has place for `output_count` new ones.
pub(super) unsafe extern "C" fn execute(
    executable: ExecutableHandle,
    inputs: *const BufferHandle,
    input_count: usize,
    outputs: *mut BufferHandle,
    output_count: usize,
    out: *const Writer,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        call(executable, out, |live, _| {
            check_places(live, output_count)?;
            let results = with_inputs(live, list(inputs, input_count), |live| {
                Ok(live.executable.execute(&live.inputs)?)
            })?;
            hand_over(results, outputs, output_count)
        })
    }
}

/// # Safety
/// As [`memory`]; all handles are buffers'.
pub(super) unsafe extern "C" fn execute_into(
    executable: ExecutableHandle,
    inputs: *const BufferHandle,
    input_count: usize,
    outputs: *mut BufferHandle,
    output_count: usize,
    out: *const Writer,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        call(executable, out, |live, _| {
            let places = list(outputs, output_count);
            with_inputs(live, list(inputs, input_count), |live| {
                take(places, &mut live.outputs)?;
                let result = catch(|| {
                    let LiveExecutable {
                        executable,
                        inputs,
                        outputs,
                        ..
                    } = live;
                    Ok(executable.execute_into(inputs, outputs)?)
                });
                put_back(places, &mut live.outputs);
                result
            })
        })
    }
}

/// # Safety
/// As [`execute`].
pub(super) unsafe extern "C" fn profile(
    executable: ExecutableHandle,
    inputs: *const BufferHandle,
    input_count: usize,
    outputs: *mut BufferHandle,
    output_count: usize,
    out: *const Writer,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        call(executable, out, |live, out| {
            check_places(live, output_count)?;
            let (results, times): (_, Vec<NodeTime>) =
                with_inputs(live, list(inputs, input_count), |live| {
                    Ok(live.executable.profile(&live.inputs)?)
                })?;
            let times: Vec<NodeTimeForm> = times.into_iter().map(NodeTimeForm::from).collect();
            out.message(&times)?;
            hand_over(results, outputs, output_count)
        })
    }
}

/// # Safety
/// As [`download`]; `name` is lent.
pub(super) unsafe extern "C" fn export_state(
    executable: ExecutableHandle,
    name: Bytes,
    data: *mut u8,
    len: usize,
    out: *const Writer,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        call(executable, out, |live, _| {
            tensor::give(&live.executable.export_state(text(name)?)?, data, len)
        })
    }
}

/// # Safety
/// As [`memory`]; `name` and `tensor` are lent.
pub(super) unsafe extern "C" fn import_state(
    executable: ExecutableHandle,
    name: Bytes,
    tensor: *const Tensor,
    out: *const Writer,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        call(executable, out, |live, _| {
            let lent = tensor
                .as_ref()
                .ok_or_else(|| argument("the host gave no tensor"))?;
            let (_, _, data) = tensor::borrow(lent)?;
            Ok(live.executable.import_state(text(name)?, &data)?)
        })
    }
}

/// # Safety
/// The bytes are lent for this call.
unsafe fn text<'a>(bytes: Bytes) -> Result<&'a str, ErrorForm> {
    // SAFETY: the caller's promise.
    std::str::from_utf8(unsafe { bytes.get() }).map_err(|_| argument("a text is not UTF-8"))
}
