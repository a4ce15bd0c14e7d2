//! Leaves the compiler's version to the crate: a plugin says what it was built with.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(compiler).arg("--version").output();
    let version = match said {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => "rustc of unknown version".to_owned(),
    };
    println!("cargo::rustc-env=MIRAGE_PLUGIN_BUILT_WITH={version}");
}
