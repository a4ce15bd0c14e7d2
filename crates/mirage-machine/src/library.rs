//! Shared libraries and programs that backends and video can use.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

/// A library or a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Library {
    /// Its name.
    pub name: &'static str,
    /// Its purpose.
    pub purpose: &'static str,
    /// Its path; `None` if it was not found.
    pub path: Option<PathBuf>,
}

/// Names, candidate file names in order of preference, and purposes.
const LIBRARIES: [(&str, &[&str], &str); 5] = [
    (
        "libcuda",
        &["libcuda.so.1", "libcuda.so"],
        "NVIDIA's driver, for CUDA backends",
    ),
    (
        "libnvrtc",
        &[
            "libnvrtc.so",
            "libnvrtc.so.13",
            "libnvrtc.so.12",
            "libnvrtc.so.11.2",
        ],
        "CUDA's compiler, for kernels compiled at run time",
    ),
    (
        "libcudnn",
        &["libcudnn.so", "libcudnn.so.9", "libcudnn.so.8"],
        "NVIDIA's convolutions",
    ),
    (
        "libtorch",
        &["libtorch.so", "libtorch_cpu.so"],
        "LibTorch backends",
    ),
    (
        "libvulkan",
        &["libvulkan.so.1", "libvulkan.so"],
        "WebGPU and Vulkan backends",
    ),
];

/// Finds the libraries that backends may use, and ffmpeg.
pub fn libraries() -> Vec<Library> {
    let folders = folders();
    let library = |&(name, files, purpose): &(&'static str, &[&str], &'static str)| Library {
        name,
        purpose,
        path: find(&folders, files),
    };
    let program = |name, purpose| Library {
        name,
        purpose,
        path: find_program(name),
    };
    let mut all: Vec<Library> = LIBRARIES.iter().map(library).collect();
    all.push(program("ffmpeg", "video other than y4m, GIF, PNG, JPEG"));
    all.push(program("ffprobe", "video other than y4m, GIF, PNG, JPEG"));
    all
}

/// Finds a program on PATH.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH")?;
    env::split_paths(&paths)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

fn find(folders: &[PathBuf], files: &[&str]) -> Option<PathBuf> {
    let in_folder = |folder: &PathBuf| {
        files
            .iter()
            .map(|file| folder.join(file))
            .find(|p| p.exists())
    };
    folders.iter().find_map(in_folder)
}

/// Returns the folders that the loader searches, in order, and that of LIBTORCH.
fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(paths) = env::var_os("LD_LIBRARY_PATH") {
        folders.extend(env::split_paths(&paths).filter(|p| !p.as_os_str().is_empty()));
    }
    folders.extend(env::var_os("LIBTORCH").map(|root| Path::new(&root).join("lib")));
    folders.extend(configured(Path::new("/etc/ld.so.conf"), 0));
    let triple = format!("{}-linux-gnu", env::consts::ARCH);
    for root in ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"] {
        folders.extend([Path::new(root).join(&triple), PathBuf::from(root)]);
    }
    folders.push("/usr/local/cuda/lib64".into());
    folders
}

/// Returns the folders of a configuration file of the loader, with included files, whose pattern must end
/// in `*.conf`.
fn configured(file: &Path, depth: usize) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for line in fs::read_to_string(file).unwrap_or_default().lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        match line.strip_prefix("include ") {
            Some(pattern) if depth < 4 => {
                let pattern = file.parent().unwrap_or(Path::new("/")).join(pattern.trim());
                let folder = pattern.parent().unwrap_or(Path::new("/"));
                let mut files: Vec<PathBuf> = fs::read_dir(folder)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|e| e.path())
                    .collect();
                files.retain(|f| f.extension().is_some_and(|e| e == "conf"));
                files.sort();
                folders.extend(files.iter().flat_map(|f| configured(f, depth + 1)));
            }
            Some(_) => {}
            None if !line.is_empty() => folders.push(line.into()),
            None => {}
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaders_configuration_is_followed() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let more = root.path().join("ld.so.conf.d");
        fs::create_dir(&more).expect("a folder");
        let file = root.path().join("ld.so.conf");
        fs::write(&file, "/first # why\ninclude ld.so.conf.d/*.conf\n\n").expect("a file");
        fs::write(more.join("b.conf"), "/third\n").expect("a file");
        fs::write(more.join("a.conf"), "/second\n").expect("a file");
        fs::write(more.join("a.txt"), "/not\n").expect("a file");
        let expected = ["/first", "/second", "/third"].map(PathBuf::from);
        assert_eq!(configured(&file, 0), expected);
        assert!(configured(&root.path().join("nowhere"), 0).is_empty());
    }

    #[test]
    fn the_first_folder_that_has_a_file_counts() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folders = [root.path().join("a"), root.path().join("b")];
        for folder in &folders {
            fs::create_dir(folder).expect("a folder");
        }
        fs::write(folders[1].join("libx.so.2"), "").expect("a file");
        let found = find(&folders, &["libx.so", "libx.so.2"]);
        assert_eq!(found, Some(folders[1].join("libx.so.2")));
        assert_eq!(find(&folders, &["liby.so"]), None);
    }
}
