//! Log events of plugins. Their target is `mirage_plugin`, because filters need targets that are known at
//! compile time; the field `from` has the original target.

use std::ffi::c_void;

use crate::abi::Bytes;

const TARGET: &str = "mirage_plugin";

/// # Safety
/// Any arguments will do.
pub(super) unsafe extern "C" fn enabled(_: *const c_void, level: u32) -> i32 {
    use tracing::{Level, enabled};
    let is_enabled = match level {
        1 => enabled!(target: TARGET, Level::ERROR),
        2 => enabled!(target: TARGET, Level::WARN),
        3 => enabled!(target: TARGET, Level::INFO),
        4 => enabled!(target: TARGET, Level::DEBUG),
        5 => enabled!(target: TARGET, Level::TRACE),
        _ => false,
    };
    i32::from(is_enabled)
}

/// # Safety
/// `context` is the one of the host that has this function; the texts are there during the call.
pub(super) unsafe extern "C" fn log(
    context: *const c_void,
    level: u32,
    target: Bytes,
    message: Bytes,
) {
    // SAFETY: the context is the file's name, a leaked `String` (see `library`).
    let Some(plugin) = (unsafe { context.cast::<String>().as_ref() }) else {
        return;
    };
    // SAFETY: the caller's promise.
    let (from, message) = unsafe { (target.get(), message.get()) };
    let (from, message) = (
        String::from_utf8_lossy(from),
        String::from_utf8_lossy(message),
    );
    match level {
        1 => tracing::error!(target: TARGET, plugin, %from, "{message}"),
        2 => tracing::warn!(target: TARGET, plugin, %from, "{message}"),
        3 => tracing::info!(target: TARGET, plugin, %from, "{message}"),
        4 => tracing::debug!(target: TARGET, plugin, %from, "{message}"),
        _ => tracing::trace!(target: TARGET, plugin, %from, "{message}"),
    }
}
