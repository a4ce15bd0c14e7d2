//! Tells the program which compiler makes it: its instructions are that compiler's.

use std::{env, process::Command};

fn main() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("--version").output();
    let version = version.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    let version = version.unwrap_or_else(|_| "rustc of unknown version".to_owned());
    let target = env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=MIRAGE_TOOLCHAIN={version} for {target}");
    println!("cargo::rerun-if-changed=build.rs");
}
