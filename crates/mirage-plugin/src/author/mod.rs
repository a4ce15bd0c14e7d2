//! The plugin's side: exports passes and backends by [`export!`](crate::export).

mod backend;
mod catch;
mod executable;
mod log;
mod pass;
mod tensor;

use std::sync::OnceLock;

use mirage_backend::Backend;
use mirage_pass::Pass;

use self::catch::answer;
use crate::{
    abi::{ABI_VERSION, Host, SCHEMA_VERSION, Table, Writer},
    message::{BackendForm, Description, ErrorForm, PassForm},
};

/// The contents of a plugin. Created by [`export!`](crate::export).
pub struct Plugin {
    /// The package's name.
    pub name: &'static str,
    /// The package's version.
    pub version: &'static str,
    /// Its passes.
    pub passes: &'static [&'static dyn Pass],
    /// Its backends.
    pub backends: &'static [&'static dyn Backend],
}

/// The plugin of this library, and its host.
struct Session {
    plugin: &'static Plugin,
    host: Host,
}

// SAFETY: the pointers of a host are to what lives as long as the process and may be used by any
// thread, as the header says.
unsafe impl Send for Session {}
// SAFETY: as above.
unsafe impl Sync for Session {}

static SESSION: OnceLock<Session> = OnceLock::new();

/// Exports the given passes and backends: defines the C function `mirage_plugin`, which programs look for
/// in a plugin. Used once in a crate of type `cdylib`.
///
/// ```
/// # struct Nothing;
/// # impl mirage_pass::Pass for Nothing {
/// #     fn info(&self) -> &'static mirage_pass::PassInfo {
/// #         static INFO: mirage_pass::PassInfo = mirage_pass::PassInfo::new(
/// #             "nothing", 1, "does nothing",
/// #             mirage_pass::Phase::Simplify, mirage_pass::Numerics::BitIdentical);
/// #         &INFO
/// #     }
/// #     fn run(&self, _: &mut mirage_ir::Graph, _: &mirage_pass::PassContext<'_>)
/// #         -> Result<mirage_pass::Outcome, mirage_pass::PassError> {
/// #         Ok(mirage_pass::Outcome::unchanged("it never changes anything"))
/// #     }
/// # }
/// mirage_plugin::export! { passes: [&Nothing], backends: [] }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    (backends: [$($backend:expr),* $(,)?] $(, passes: [$($pass:expr),* $(,)?])? $(,)?) => {
        $crate::export!(@ [$($($pass),*)?] [$($backend),*]);
    };
    (passes: [$($pass:expr),* $(,)?] $(, backends: [$($backend:expr),* $(,)?])? $(,)?) => {
        $crate::export!(@ [$($pass),*] [$($($backend),*)?]);
    };
    (@ [$($pass:expr),*] [$($backend:expr),*]) => {
        const _: () = {
            static PLUGIN: $crate::author::Plugin = $crate::author::Plugin {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                passes: &[$($pass),*],
                backends: &[$($backend),*],
            };

            /// The plugin's entry.
            ///
            /// # Safety
            /// `host` points at a host that lives as long as the process.
            #[allow(unsafe_code, reason = "a host finds a plugin by the name of a C function")]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn mirage_plugin(
                host: *const $crate::abi::Host,
            ) -> *const $crate::abi::Table {
                // SAFETY: the caller's promise is the one that is asked for.
                unsafe { $crate::author::enter(&PLUGIN, host) }
            }
        };
    };
}

static TABLE: Table = Table {
    abi_version: ABI_VERSION,
    schema_version: SCHEMA_VERSION,
    graph_version: mirage_ir::wire::SCHEMA_VERSION,
    flags: 0,
    size: size_of::<Table>(),
    describe: Some(describe),
    pass_run: Some(pass::run),
    backend_devices: Some(backend::devices),
    backend_capabilities: Some(backend::capabilities),
    backend_compile: Some(backend::compile),
    executable_free: Some(executable::free),
    executable_memory: Some(executable::memory),
    executable_synchronize: Some(executable::synchronize),
    buffer_upload: Some(executable::upload),
    buffer_download: Some(executable::download),
    buffer_free: Some(executable::free_buffer),
    execute: Some(executable::execute),
    execute_into: Some(executable::execute_into),
    profile: Some(executable::profile),
    state_export: Some(executable::export_state),
    state_import: Some(executable::import_state),
    states_reset: Some(executable::reset_states),
};

/// Implements the exported function.
///
/// # Safety
/// `host` is null or points at a host that lives as long as the process.
pub unsafe fn enter(plugin: &'static Plugin, host: *const Host) -> *const Table {
    // The versions come first in every version of the ABI. The rest of a host of another version must not be
    // read; the table tells it our version.
    // SAFETY: the caller's promise; the field is the first in every version.
    if !host.is_null() && unsafe { (*host).abi_version } == ABI_VERSION {
        // SAFETY: a host of this version has all these fields.
        let host = unsafe { *host };
        if SESSION.set(Session { plugin, host }).is_ok() {
            catch::install();
            log::install(host);
        }
    }
    &TABLE
}

/// Returns the plugin and its host.
fn session() -> Result<&'static Session, ErrorForm> {
    SESSION.get().ok_or_else(|| ErrorForm::Argument {
        message: "the plugin was not entered by a host of its ABI version".to_owned(),
    })
}

/// # Safety
/// `out` is a writer of the host.
unsafe extern "C" fn describe(out: *const Writer) -> i32 {
    answer(out, |out| {
        let plugin = session()?.plugin;
        out.message(&Description {
            name: plugin.name.to_owned(),
            version: plugin.version.to_owned(),
            built_with: env!("MIRAGE_PLUGIN_BUILT_WITH").to_owned(),
            passes: plugin
                .passes
                .iter()
                .map(|p| PassForm::of(p.info()))
                .collect(),
            backends: plugin
                .backends
                .iter()
                .map(|b| BackendForm::of(*b))
                .collect(),
        })
    })
}

fn argument(message: impl Into<String>) -> ErrorForm {
    ErrorForm::Argument {
        message: message.into(),
    }
}
