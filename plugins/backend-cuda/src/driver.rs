//! Detection of NVIDIA's driver and cards.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cudarc::driver::{result, sys};
use mirage_backend::BackendError;

use crate::backend::failed;

/// The oldest supported driver, by its CUDA version: 12.8.
const OLDEST: i32 = 12_080;
/// NVIDIA's version of that driver, which `nvidia-smi` shows.
const OLDEST_RELEASE: u32 = 570;

/// Returns the number of graphics cards; 0 without a driver or a supported card.
///
/// # Errors
/// If there is a driver that is too old or does not start.
pub(crate) fn cards() -> Result<usize, BackendError> {
    // The driver's library is loaded at run time. If it lacks a function, the bindings panic.
    let found = catch_unwind(AssertUnwindSafe(look));
    let found = found.unwrap_or_else(|_| Err(Trouble::Broken("it lacks functions".to_owned())));
    found.or_else(verdict)
}

/// A problem of an installed driver.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// It supports CUDA only up to this version.
    Old(i32),
    /// It finds no card.
    NoCard,
    /// It does not start, for this reason.
    Broken(String),
}

#[allow(unsafe_code)]
fn look() -> Result<usize, Trouble> {
    // SAFETY: this only tries to open the library by each of its names.
    if !unsafe { sys::is_culib_present() } {
        return Ok(0);
    }
    let mut version = 0;
    // SAFETY: the driver writes its version where it is told to; it may be asked before it starts.
    let answer = unsafe { sys::cuDriverGetVersion(&mut version) };
    answer.result().map_err(trouble)?;
    if version < OLDEST {
        return Err(Trouble::Old(version));
    }
    result::init().map_err(trouble)?;
    let count = result::device::get_count().map_err(trouble)?;
    Ok(usize::try_from(count).unwrap_or(0))
}

fn trouble(error: result::DriverError) -> Trouble {
    match error.0 {
        sys::CUresult::CUDA_ERROR_NO_DEVICE | sys::CUresult::CUDA_ERROR_STUB_LIBRARY => {
            Trouble::NoCard
        }
        _ => Trouble::Broken(error.to_string()),
    }
}

/// Returns the number of cards for a problem, or an error.
fn verdict(trouble: Trouble) -> Result<usize, BackendError> {
    match trouble {
        Trouble::NoCard => Ok(0),
        Trouble::Old(version) => Err(failed(format!(
            "the NVIDIA driver is too old: it supports CUDA {}, but at least {} is required: \
             install driver {OLDEST_RELEASE} or newer (nvidia-smi shows the installed one)",
            dotted(version),
            dotted(OLDEST)
        ))),
        Trouble::Broken(why) => Err(failed(format!(
            "the NVIDIA driver does not start: {why} (does nvidia-smi work?)"
        ))),
    }
}

/// Formats a version: 12080 is 12.8.
fn dotted(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_driver_is_told_what_would_do() {
        let error = verdict(Trouble::Old(12_020)).expect_err("too old");
        assert_eq!(
            error.to_string(),
            "backend `cuda`: the NVIDIA driver is too old: it supports CUDA 12.2, but at least 12.8 \
             is required: install driver 570 or newer (nvidia-smi shows the installed one)"
        );
    }

    #[test]
    fn a_driver_without_a_card_is_no_error_and_a_broken_one_is() {
        assert_eq!(verdict(Trouble::NoCard), Ok(0));
        let error = verdict(Trouble::Broken("no such symbol".to_owned())).expect_err("broken");
        assert_eq!(
            error.to_string(),
            "backend `cuda`: the NVIDIA driver does not start: no such symbol (does nvidia-smi work?)"
        );
    }
}
