//! Where plugins are looked for.

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

/// Where to look, in this order.
#[derive(Clone, Debug)]
pub struct Search {
    /// Files that are named.
    pub files: Vec<PathBuf>,
    /// Files and folders, separated as in `PATH`.
    pub path: Option<OsString>,
    /// The user's folder of plugins.
    pub user: Option<PathBuf>,
    /// The folder of plugins next to the program.
    pub program: Option<PathBuf>,
    /// How long a plugin may take to say what it is.
    pub patience: Duration,
}

impl Search {
    /// How long a plugin may take to say what it is, where nothing else is asked for: libraries of
    /// gigabytes are read from a slow disk in less.
    pub const PATIENCE: Duration = Duration::from_secs(30);

    /// These files, then the usual places of this process.
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

    /// The user's folder of plugins, which need not be there: on Linux
    /// `~/.local/share/mirage/plugins`.
    pub fn user_folder() -> Option<PathBuf> {
        Some(dirs::data_dir()?.join("mirage").join("plugins"))
    }

    /// The files that may be plugins, in order. What is named is listed whether it is there or not.
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

/// The shared libraries in a folder, by name; nothing if it is no folder that can be read.
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
