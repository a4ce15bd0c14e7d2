//! Forwards log events to the host.

use std::fmt::{self, Write as _};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::Interest,
};

use crate::abi::{Bytes, Host};

/// Forwards this library's events to a host, unless the library has a subscriber.
pub(super) fn install(host: Host) {
    let _ = tracing::subscriber::set_global_default(Forward(host));
}

/// A subscriber that forwards events to the host. Spans are not forwarded.
struct Forward(Host);

// SAFETY: the header lets any thread call `log` and `log_enabled` at any time.
unsafe impl Send for Forward {}
// SAFETY: as above.
unsafe impl Sync for Forward {}

/// Returns the number of a level in the ABI.
fn number(level: Level) -> u32 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl Subscriber for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let Some(enabled) = self.0.log_enabled else {
            return false;
        };
        // SAFETY: the context is the host's own and lives as long as the process.
        let is_enabled = unsafe { enabled(self.0.context, number(*metadata.level())) };
        is_enabled != 0
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match metadata.is_event() {
            // The host may change its filter at any time.
            true => Interest::sometimes(),
            false => Interest::never(),
        }
    }

    fn event(&self, event: &Event<'_>) {
        let Some(log) = self.0.log else { return };
        let mut text = Text::default();
        event.record(&mut text);
        let message = text.message + &text.fields;
        let metadata = event.metadata();
        let (target, message) = (
            Bytes::of(metadata.target().as_bytes()),
            Bytes::of(message.as_bytes()),
        );
        // SAFETY: the context is the host's own; both texts are there during the call.
        unsafe { log(self.0.context, number(*metadata.level()), target, message) }
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Formats an event as a line: its message, then its fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
