//! Turns panics of engines into errors.

use std::{
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f`. If it panics, returns the message and source location. Such a panic prints nothing; other
/// panics are reported as usual.
///
/// # Errors
/// If `f` panics.
pub fn catch<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHING.get() {
                PLACE.set(info.location().map(ToString::to_string));
            } else {
                before(info);
            }
        }));
    });
    let outer = CATCHING.replace(true);
    // The caller drops all state that the closure may have left incomplete.
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    CATCHING.set(outer);
    result.map_err(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "it failed without a message".to_owned());
        let message = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        match PLACE.take() {
            Some(place) => format!("{message} ({})", short(&place)),
            None => message,
        }
    })
}

/// Shortens a source location: removes the folders before the crate's name.
fn short(place: &str) -> &str {
    let parts: Vec<&str> = place.split('/').collect();
    match parts.iter().rposition(|&p| p == "src") {
        Some(i) if i > 0 => {
            let skip: usize = parts[..i - 1].iter().map(|p| p.len() + 1).sum();
            &place[skip..]
        }
        _ => place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message_and_place() {
        assert_eq!(catch(|| 3), Ok(3));
        let error = catch(|| panic!("no\n  such {}", "thing")).unwrap_err();
        assert!(
            error.starts_with("no such thing (mirage-runtime/src/catch.rs:"),
            "{error}"
        );
    }

    #[test]
    fn places_lose_the_machines_folders() {
        let place = "/home/x/registry/src/index-1/engine-0.1.0/src/ops/a.rs:3:4";
        assert_eq!(short(place), "engine-0.1.0/src/ops/a.rs:3:4");
        assert_eq!(short("a.rs:1:2"), "a.rs:1:2");
    }
}
