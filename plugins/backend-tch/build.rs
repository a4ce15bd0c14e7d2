//! Writes the folder of libtorch, which torch-sys found, into what is linked, so that it is found again
//! at run time without any variable.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
        // For a program that links this crate: a build script's arguments reach its own crate alone.
        println!("cargo:libtorch_lib={folder}");
    }
}
