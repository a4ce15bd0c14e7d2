//! The C ABI: the declarations of `include/mirage_plugin.h`, which documents them.
//!
//! Every struct is `repr(C)` and consists of integers and pointers, so any bytes are a valid value.

use std::ffi::c_void;

/// The version of the functions and structs. Both sides must have the same.
pub const ABI_VERSION: u32 = 1;
/// The version of the messages. Both sides must have the same.
pub const SCHEMA_VERSION: u32 = 1;

/// In [`Table::flags`]: graphs come in text form and messages as JSON.
pub const FLAG_TEXT: u32 = 1;

/// The result of a call that succeeded.
pub const OK: i32 = 0;
/// The result of a call that failed; its `out` has the error.
pub const ERROR: i32 = 1;

/// Bytes that belong to the caller.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Bytes {
    /// The first byte; may be null if `len` is 0.
    pub data: *const u8,
    /// The number of bytes.
    pub len: usize,
}

/// A writer of the host, for answers of a plugin. The host keeps the bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Writer {
    /// Context of the host.
    pub context: *mut c_void,
    /// Appends bytes; returns nonzero if the host accepts no more.
    pub write:
        Option<unsafe extern "C" fn(context: *mut c_void, data: *const u8, len: usize) -> i32>,
}

/// A tensor of the host, borrowed for a call.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Tensor {
    /// The name of a parameter; empty otherwise.
    pub name: Bytes,
    /// The type in text form.
    pub ty: Bytes,
    /// The elements in logical row-major sequence, little endian, one byte for a bool.
    pub data: Bytes,
    /// The owner of the elements, for [`Host::retain`] and [`Host::release`].
    pub owner: *const c_void,
}

/// The functions of the host. Lives as long as the process.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Host {
    /// [`ABI_VERSION`] of the host.
    pub abi_version: u32,
    /// [`SCHEMA_VERSION`] of the host.
    pub schema_version: u32,
    /// The newest version of the wire form of graphs that the host reads and writes.
    pub graph_version: u32,
    /// Reserved; 0.
    pub flags: u32,
    /// The size of this struct in bytes; later versions append fields.
    pub size: usize,
    /// The context for `log_enabled` and `log`.
    pub context: *const c_void,
    /// Whether a message of this level would be logged.
    pub log_enabled: Option<unsafe extern "C" fn(context: *const c_void, level: u32) -> i32>,
    /// Logs a message.
    pub log: Option<
        unsafe extern "C" fn(context: *const c_void, level: u32, target: Bytes, message: Bytes),
    >,
    /// Keeps a tensor's elements alive after the call.
    pub retain: Option<unsafe extern "C" fn(owner: *const c_void)>,
    /// Releases what was retained.
    pub release: Option<unsafe extern "C" fn(owner: *const c_void)>,
}

/// A plugin's executable; opaque to the host.
pub type ExecutableHandle = *mut c_void;
/// A plugin's tensor on its device; opaque to the host.
pub type BufferHandle = *mut c_void;

/// `describe`.
pub type DescribeFn = unsafe extern "C" fn(out: *const Writer) -> i32;
/// `pass_run`.
pub type PassRunFn = unsafe extern "C" fn(
    pass: u32,
    graph: Bytes,
    context: Bytes,
    graph_out: *const Writer,
    out: *const Writer,
) -> i32;
/// `backend_devices`.
pub type DevicesFn = unsafe extern "C" fn(backend: u32, out: *const Writer) -> i32;
/// `backend_capabilities`.
pub type CapabilitiesFn =
    unsafe extern "C" fn(backend: u32, device: u64, out: *const Writer) -> i32;
/// `backend_compile`.
pub type CompileFn = unsafe extern "C" fn(
    backend: u32,
    graph: Bytes,
    options: Bytes,
    params: *const Tensor,
    count: usize,
    executable: *mut ExecutableHandle,
    out: *const Writer,
) -> i32;
/// `executable_free`.
pub type ExecutableFreeFn = unsafe extern "C" fn(executable: ExecutableHandle);
/// `executable_memory`, `executable_synchronize`, `states_reset`.
pub type ExecutableFn =
    unsafe extern "C" fn(executable: ExecutableHandle, out: *const Writer) -> i32;
/// `buffer_upload`.
pub type UploadFn = unsafe extern "C" fn(
    executable: ExecutableHandle,
    tensor: *const Tensor,
    buffer: *mut BufferHandle,
    out: *const Writer,
) -> i32;
/// `buffer_download`.
pub type DownloadFn = unsafe extern "C" fn(
    executable: ExecutableHandle,
    buffer: BufferHandle,
    data: *mut u8,
    len: usize,
    out: *const Writer,
) -> i32;
/// `buffer_free`.
pub type BufferFreeFn = unsafe extern "C" fn(buffer: BufferHandle);
/// `execute`, `execute_into`, `profile`.
pub type ExecuteFn = unsafe extern "C" fn(
    executable: ExecutableHandle,
    inputs: *const BufferHandle,
    input_count: usize,
    outputs: *mut BufferHandle,
    output_count: usize,
    out: *const Writer,
) -> i32;
/// `state_export`.
pub type StateExportFn = unsafe extern "C" fn(
    executable: ExecutableHandle,
    name: Bytes,
    data: *mut u8,
    len: usize,
    out: *const Writer,
) -> i32;
/// `state_import`.
pub type StateImportFn = unsafe extern "C" fn(
    executable: ExecutableHandle,
    name: Bytes,
    tensor: *const Tensor,
    out: *const Writer,
) -> i32;

/// The functions of a plugin. Its first five fields are the same in every version of the ABI.
#[derive(Clone, Copy)]
#[repr(C)]
#[allow(missing_docs, reason = "the header documents the functions")]
pub struct Table {
    pub abi_version: u32,
    pub schema_version: u32,
    pub graph_version: u32,
    pub flags: u32,
    pub size: usize,
    pub describe: Option<DescribeFn>,
    pub pass_run: Option<PassRunFn>,
    pub backend_devices: Option<DevicesFn>,
    pub backend_capabilities: Option<CapabilitiesFn>,
    pub backend_compile: Option<CompileFn>,
    pub executable_free: Option<ExecutableFreeFn>,
    pub executable_memory: Option<ExecutableFn>,
    pub executable_synchronize: Option<ExecutableFn>,
    pub buffer_upload: Option<UploadFn>,
    pub buffer_download: Option<DownloadFn>,
    pub buffer_free: Option<BufferFreeFn>,
    pub execute: Option<ExecuteFn>,
    pub execute_into: Option<ExecuteFn>,
    pub profile: Option<ExecuteFn>,
    pub state_export: Option<StateExportFn>,
    pub state_import: Option<StateImportFn>,
    pub states_reset: Option<ExecutableFn>,
}

/// The function that a plugin exports under the name `mirage_plugin`.
pub type EntryFn = unsafe extern "C" fn(host: *const Host) -> *const Table;

impl Bytes {
    /// Returns a view of bytes, valid as long as the slice.
    pub fn of(bytes: &[u8]) -> Self {
        Bytes {
            data: bytes.as_ptr(),
            len: bytes.len(),
        }
    }

    /// Returns the bytes.
    ///
    /// # Safety
    /// `data` points at `len` bytes that stay as they are for `'a`, or `len` is 0.
    pub unsafe fn get<'a>(self) -> &'a [u8] {
        if self.len == 0 || self.data.is_null() {
            return &[];
        }
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}
