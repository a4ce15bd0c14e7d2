//! Checks that a table has the functions that a pass or a backend needs.

use super::Refusal;
use crate::abi::{
    BufferFreeFn, CapabilitiesFn, CompileFn, DevicesFn, DownloadFn, ExecutableFn, ExecutableFreeFn,
    ExecuteFn, PassRunFn, StateExportFn, StateImportFn, Table, UploadFn,
};

/// The required and the optional functions of a backend.
#[derive(Clone, Copy)]
pub(super) struct BackendFunctions {
    pub(super) devices: DevicesFn,
    pub(super) capabilities: CapabilitiesFn,
    pub(super) compile: CompileFn,
    pub(super) free: ExecutableFreeFn,
    pub(super) upload: UploadFn,
    pub(super) download: DownloadFn,
    pub(super) buffer_free: BufferFreeFn,
    pub(super) execute: ExecuteFn,
    pub(super) execute_into: Option<ExecuteFn>,
    pub(super) profile: Option<ExecuteFn>,
    pub(super) memory: Option<ExecutableFn>,
    pub(super) synchronize: Option<ExecutableFn>,
    pub(super) state_export: Option<StateExportFn>,
    pub(super) state_import: Option<StateImportFn>,
    pub(super) states_reset: Option<ExecutableFn>,
}

impl BackendFunctions {
    pub(super) fn of(table: &Table) -> Result<Self, Refusal> {
        const BRINGS: &str = "backends";
        Ok(BackendFunctions {
            devices: needed(table.backend_devices, BRINGS, "backend_devices")?,
            capabilities: needed(table.backend_capabilities, BRINGS, "backend_capabilities")?,
            compile: needed(table.backend_compile, BRINGS, "backend_compile")?,
            free: needed(table.executable_free, BRINGS, "executable_free")?,
            upload: needed(table.buffer_upload, BRINGS, "buffer_upload")?,
            download: needed(table.buffer_download, BRINGS, "buffer_download")?,
            buffer_free: needed(table.buffer_free, BRINGS, "buffer_free")?,
            execute: needed(table.execute, BRINGS, "execute")?,
            execute_into: table.execute_into,
            profile: table.profile,
            memory: table.executable_memory,
            synchronize: table.executable_synchronize,
            state_export: table.state_export,
            state_import: table.state_import,
            states_reset: table.states_reset,
        })
    }
}

/// The functions of a plugin with passes.
pub(super) fn pass_run(table: &Table) -> Result<PassRunFn, Refusal> {
    needed(table.pass_run, "passes", "pass_run")
}

fn needed<F>(function: Option<F>, brings: &'static str, name: &'static str) -> Result<F, Refusal> {
    function.ok_or(Refusal::Incomplete {
        brings,
        function: name,
    })
}
