//! Plugins for tests: C sources of this folder, and the Rust ones of the workspace.

use std::{
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The folder of the workspace.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a compiler; a test cannot go on without.
fn run(command: &mut Command) {
    let output = command.output().expect("the compiler starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}");
}

/// Builds a plugin from a C source of `tests/fixtures` into a folder, with a case defined.
#[allow(dead_code, reason = "not every test uses each")]
pub(crate) fn from_c(folder: &Path, source: &str, case: Option<&str>) -> PathBuf {
    let crate_folder = workspace().join("crates/mirage-plugin");
    let name = case.unwrap_or(source).to_lowercase();
    let library = folder.join(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"));
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror"]);
    // Of a case, not every function is used.
    cc.args(["-Wno-unused-function", "-shared", "-fPIC"]);
    if let Some(case) = case {
        cc.arg(format!("-DCASE_{case}"));
    }
    cc.arg("-I").arg(crate_folder.join("include"));
    cc.arg("-o").arg(&library);
    cc.arg(crate_folder.join(format!("tests/fixtures/{source}.c")));
    run(&mut cc);
    library
}

/// Builds a library from C text into a folder.
#[allow(dead_code, reason = "not every test uses each")]
pub(crate) fn from_text(folder: &Path, name: &str, text: &str, options: &[&str]) -> PathBuf {
    let source = folder.join(format!("{name}.c"));
    std::fs::write(&source, text).expect("the folder can be written");
    let library = folder.join(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"));
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(&library);
    run(cc.arg(&source).args(options));
    library
}

/// A plugin of the workspace, built with the profile that the test is built with.
///
/// `cargo test` does not build libraries that only C can load. The whole workspace is named so that
/// its libraries are shared: with fewer packages they would be built again, with fewer features.
#[allow(dead_code, reason = "not every test uses each")]
pub(crate) fn from_rust(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        // The test lies in TARGET/PROFILE/deps.
        let test = std::env::current_exe().expect("a test is a program");
        let profile = test.ancestors().nth(2).expect("cargo has folders");
        let target = profile.parent().expect("cargo has folders");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut build = Command::new(cargo);
        build
            .current_dir(workspace())
            .arg("build")
            .arg("--target-dir")
            .arg(target);
        build.args(["--workspace", "--lib", "--example", "panics", "--locked"]);
        if profile.file_name().is_some_and(|n| n == "release") {
            build.arg("--release");
        }
        run(&mut build);
        profile.to_owned()
    });
    let file = format!("{DLL_PREFIX}{name}{DLL_SUFFIX}");
    let folders = [folder.clone(), folder.join("examples")];
    let mut paths = folders.iter().map(|f| f.join(&file));
    paths
        .find(|p| p.exists())
        .unwrap_or_else(|| panic!("cargo built no {file}"))
}
