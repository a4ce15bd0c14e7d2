//! With the feature `tch`: writes where libtorch lies into the program, which finds it there at run time.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The build script of mirage-backend-tch says it; without the feature nobody does.
    if let Ok(folder) = std::env::var("DEP_MIRAGE_BACKEND_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg-bins=-Wl,-rpath,{folder}");
    }
}
