//! The search for plugins.

use std::{
    env::consts::DLL_SUFFIX,
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

/// The environment variable with files and folders of plugins.
pub const PATH_VARIABLE: &str = "MIRAGE_PLUGIN_PATH";
/// The folder of plugins next to the program.
pub const FOLDER: &str = "mirage-plugins";

/// Where a plugin was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Named on the command line.
    CommandLine,
    /// In [`PATH_VARIABLE`].
    Environment,
    /// In the user's data folder.
    UserData,
    /// In [`FOLDER`] next to the program.
    Program,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Place::CommandLine => "--plugin",
            Place::Environment => PATH_VARIABLE,
            Place::UserData => "the user's data folder",
            Place::Program => "next to the program",
        })
    }
}

/// A file that may be a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The file.
    pub path: PathBuf,
    /// Where it was found.
    pub place: Place,
}

/// Where to look for plugins, in this order.
#[derive(Clone, Debug)]
pub struct Search {
    /// Named files.
    pub files: Vec<PathBuf>,
    /// Files and folders, separated as in `PATH`.
    pub path: Option<OsString>,
    /// The user's folder of plugins.
    pub user: Option<PathBuf>,
    /// The folder of plugins next to the program.
    pub program: Option<PathBuf>,
    /// How long loading a plugin may take.
    pub patience: Duration,
}

impl Search {
    /// The default time limit for loading a plugin, enough to read gigabytes from a slow disk.
    pub const PATIENCE: Duration = Duration::from_secs(30);

    /// Returns a search of these files, then of the usual folders.
    pub fn of_process(files: Vec<PathBuf>) -> Self {
        let program = std::env::current_exe().ok();
        Search {
            files,
            path: std::env::var_os(PATH_VARIABLE),
            user: Self::user_folder(),
            program: program
                .as_deref()
                .and_then(Path::parent)
                .map(|f| f.join(FOLDER)),
            patience: Self::PATIENCE,
        }
    }

    /// Returns the user's folder of plugins, which may not exist: on Linux
    /// `~/.local/share/mirage/plugins`.
    pub fn user_folder() -> Option<PathBuf> {
        Some(dirs::data_dir()?.join("mirage").join("plugins"))
    }

    /// Returns the files that may be plugins, in order. Named files are included even if they do not exist.
    pub fn candidates(&self) -> Vec<Candidate> {
        let candidate = |place| move |path| Candidate { path, place };
        let named = self
            .files
            .iter()
            .cloned()
            .map(candidate(Place::CommandLine));
        let mut all: Vec<Candidate> = named.collect();
        for entry in self.path.iter().flat_map(std::env::split_paths) {
            if entry.as_os_str().is_empty() {
                continue;
            }
            let files = libraries(&entry).unwrap_or_else(|| vec![entry]);
            all.extend(files.into_iter().map(candidate(Place::Environment)));
        }
        for (folder, place) in [
            (&self.user, Place::UserData),
            (&self.program, Place::Program),
        ] {
            let files = folder.as_deref().and_then(libraries).unwrap_or_default();
            all.extend(files.into_iter().map(candidate(place)));
        }
        all
    }
}

/// Returns the shared libraries in a folder, by name; none if the folder cannot be read.
fn libraries(folder: &Path) -> Option<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).ok()?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_library = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().ends_with(DLL_SUFFIX))
    };
    let mut libraries: Vec<PathBuf> = paths.filter(is_library).collect();
    libraries.sort();
    Some(libraries)
}
