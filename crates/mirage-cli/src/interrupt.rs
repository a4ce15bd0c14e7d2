//! Ctrl-C.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::error::{Ending, Result, print_error};

/// The exit code after an interruption.
const INTERRUPTED: i32 = 130;

/// Installs a handler for Ctrl-C and SIGTERM and returns the flag that it sets. A second signal ends the
/// program at once.
pub(crate) fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || stop_or_exit(&flag)).failure()?;
    Ok(stop)
}

/// What is held until a command is ready. A signal before that drops it and ends the program at once, whatever the
/// command waits for; a signal after that sets the stop flag, as [`stop_on_interrupt`] does.
pub(crate) struct Preparing<T> {
    held: Arc<Mutex<Option<T>>>,
}

impl<T: Default + Send + 'static> Preparing<T> {
    /// Installs the handler. `message` is printed at the exit.
    pub(crate) fn start(message: String) -> Result<(Self, Arc<AtomicBool>)> {
        let stop = Arc::new(AtomicBool::new(false));
        let held = Arc::new(Mutex::new(Some(T::default())));
        let (flag, early) = (Arc::clone(&stop), Arc::clone(&held));
        ctrlc::set_handler(move || {
            let mut held = lock(&early);
            if held.take().is_some() {
                mirage_video::kill_processes();
                print_error(&message);
                std::process::exit(INTERRUPTED);
            }
            stop_or_exit(&flag);
        })
        .failure()?;
        Ok((Preparing { held }, stop))
    }

    /// Changes what is held.
    pub(crate) fn hold(&self, change: impl FnOnce(&mut T)) {
        if let Some(held) = lock(&self.held).as_mut() {
            change(held);
        }
    }

    /// Ends the preparation and returns what is held.
    pub(crate) fn ready(self) -> T {
        // The handler exits while it has the lock, so there is always something.
        lock(&self.held).take().unwrap_or_default()
    }
}

/// After an error of the preparation, what is held is dropped with it: the handler keeps its own reference for ever.
impl<T> Drop for Preparing<T> {
    fn drop(&mut self) {
        drop(lock(&self.held).take());
    }
}

fn lock<T>(held: &Mutex<Option<T>>) -> MutexGuard<'_, Option<T>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stop_or_exit(flag: &AtomicBool) {
    if flag.swap(true, Ordering::Relaxed) {
        mirage_video::kill_processes();
        std::process::exit(INTERRUPTED);
    }
}
