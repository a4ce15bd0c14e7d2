//! Loads a library and checks its versions.

use std::{
    ffi::c_void,
    path::{Path, PathBuf},
    ptr,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use libloading::Library;
use mirage_ir::wire;

use super::{Refusal, call::Sink, describe, file, lend, loader, log};
use crate::{
    abi::{ABI_VERSION, EntryFn, Host, OK, SCHEMA_VERSION, Table},
    message::Description,
};

/// A library with its description.
pub(super) struct OpenLibrary {
    pub(super) table: Table,
    pub(super) description: Description,
}

/// The maximum number of bytes of a description.
const MAX_DESCRIPTION: usize = 16 << 20;

/// Loads a library, checks versions and reads its description; waits at most `patience`. A library that
/// takes longer keeps its thread, which ends with the process.
pub(super) fn open(path: &Path, patience: Duration) -> Result<OpenLibrary, Refusal> {
    file::check(path)?;
    let (said, answer) = mpsc::channel();
    let here = path.to_owned();
    let spawned = thread::Builder::new()
        .name("mirage-plugin".to_owned())
        .spawn(move || {
            // This fails if the caller has stopped waiting.
            let _ = said.send(open_here(here));
        });
    spawned.map_err(|e| Refusal::System(format!("no thread could be started: {e}")))?;
    match answer.recv_timeout(patience) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(Refusal::Hangs(patience)),
        Err(RecvTimeoutError::Disconnected) => Err(Refusal::Garbage(
            "reading it failed in this program".to_owned(),
        )),
    }
}

fn open_here(path: PathBuf) -> Result<OpenLibrary, Refusal> {
    let library = load(&path)?;
    // SAFETY: a function of this name is a plugin's entry; there is no way to know more.
    let entry = match unsafe { library.get::<EntryFn>(b"mirage_plugin\0") } {
        Ok(entry) => *entry,
        Err(_) => {
            never_unload(library);
            return Err(Refusal::NoEntry);
        }
    };
    never_unload(library);
    let host: &'static Host = Box::leak(Box::new(host(&path)));
    // SAFETY: the header says what an entry takes; the host lives as long as the process.
    let table = unsafe { entry(host) };
    // SAFETY: the header says that what an entry gives is null or a table.
    let table = unsafe { read(table) }?;
    let describe = table.describe.ok_or(Refusal::Silent)?;
    let mut sink = Sink::new(MAX_DESCRIPTION);
    let writer = sink.writer();
    // SAFETY: `describe` is the function that the header documents under its name.
    let status = unsafe { describe(&writer) };
    let bytes = sink.finish().map_err(Refusal::Garbage)?;
    if status != OK {
        return Err(Refusal::Declines(super::call::error_text(&bytes)));
    }
    let description = describe::read(&bytes)?;
    Ok(OpenLibrary { table, description })
}

/// A library is never unloaded, because threads, handles and messages of a plugin may be in use.
fn never_unload(library: Library) {
    std::mem::forget(library);
}

#[cfg(unix)]
fn load(path: &Path) -> Result<Library, Refusal> {
    use libloading::os::unix;
    // A bare name would be searched for in the system's folders.
    let path = path
        .canonicalize()
        .map_err(|e| Refusal::System(e.to_string()))?;
    // All symbols are resolved now, so that a missing one is an error here and does not abort the process later.
    // SAFETY: loading runs the library's initializers; who names a plugin lets its code run.
    match unsafe { unix::Library::open(Some(path), unix::RTLD_NOW | unix::RTLD_LOCAL) } {
        Ok(library) => Ok(library.into()),
        Err(error) => Err(loader::refusal(&error)),
    }
}

#[cfg(not(unix))]
fn load(path: &Path) -> Result<Library, Refusal> {
    let path = path
        .canonicalize()
        .map_err(|e| Refusal::System(e.to_string()))?;
    // SAFETY: loading runs the library's initializers; who names a plugin lets its code run.
    unsafe { Library::new(path) }.map_err(|e| loader::refusal(&e))
}

fn host(path: &Path) -> Host {
    let name = path.file_name().unwrap_or(path.as_os_str());
    let name: &'static String = Box::leak(Box::new(name.to_string_lossy().into_owned()));
    Host {
        abi_version: ABI_VERSION,
        schema_version: SCHEMA_VERSION,
        graph_version: wire::SCHEMA_VERSION,
        flags: 0,
        size: size_of::<Host>(),
        context: ptr::from_ref(name).cast::<c_void>(),
        log_enabled: Some(log::enabled),
        log: Some(log::log),
        retain: Some(lend::retain),
        release: Some(lend::release),
    }
}

/// The first fields, which are the same in every version of the ABI.
#[derive(Clone, Copy)]
#[repr(C)]
struct Head {
    abi_version: u32,
    schema_version: u32,
    graph_version: u32,
    flags: u32,
    size: usize,
}

/// Reads a table of our version; functions missing in a shorter table are `None`.
///
/// # Safety
/// `table` is null or points at a table, whose first fields are those of [`Head`].
unsafe fn read(table: *const Table) -> Result<Table, Refusal> {
    if table.is_null() || !table.is_aligned() {
        return Err(Refusal::NoTable);
    }
    // SAFETY: the caller's promise.
    let head = unsafe { table.cast::<Head>().read() };
    if head.abi_version != ABI_VERSION {
        return Err(Refusal::Abi(head.abi_version));
    }
    if head.schema_version != SCHEMA_VERSION {
        return Err(Refusal::Schema(head.schema_version));
    }
    if head.size < size_of::<Head>() {
        return Err(Refusal::NoTable);
    }
    let mut copy = std::mem::MaybeUninit::<Table>::zeroed();
    // A size that ends within a function pointer is rounded down.
    let bytes = head.size.min(size_of::<Table>()) / size_of::<usize>() * size_of::<usize>();
    // SAFETY: the table has `size` bytes, as it says itself; zeros after them are functions that
    // are not there, so the copy is a table.
    unsafe {
        ptr::copy_nonoverlapping(table.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), bytes);
        Ok(copy.assume_init())
    }
}
