//! Plugins: good ones are as what is built in, bad ones are refused with their own words, and the
//! program goes on.

mod bad;
mod good;
#[path = "../../../../mirage-plugin/tests/common/libraries.rs"]
mod libraries;

use std::{ffi::OsStr, path::Path};

use crate::support::{Ended, Place};

/// Runs a command with a plugin.
fn with(place: &Place, plugin: &Path, args: &[&str]) -> Ended {
    let more = [OsStr::new("--plugin"), plugin.as_os_str()];
    place.run(args.iter().map(OsStr::new).chain(more))
}

/// A small run on a backend of a plugin.
const RUN: [&str; 9] = [
    "run",
    "--size",
    "16x16",
    "--steps",
    "1",
    "--compare",
    "0",
    "--frames",
    "6",
];
