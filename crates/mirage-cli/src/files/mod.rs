//! The one check that no file that a command reads or writes is replaced by accident.

mod identity;

use std::{
    fs,
    path::{Path, PathBuf},
};

use glob::Pattern;

use self::identity::{identity, parent};
use crate::{
    error::{CliError, Result},
    output,
};

/// Every file that a command line reads and writes, by flag.
#[derive(Default)]
pub(crate) struct Files(Vec<Used>);

/// A use of a file.
struct Used {
    /// The flag or the name of the positional argument.
    flag: &'static str,
    /// The value as given.
    shown: String,
    place: Place,
    is_written: bool,
}

enum Place {
    File(PathBuf),
    /// Files of a folder whose names match a pattern.
    Names {
        folder: PathBuf,
        patterns: Vec<Pattern>,
        /// Whether the folder was named without a pattern.
        is_whole: bool,
    },
    /// Standard output.
    Stdout,
}

/// The names that a folder of images is read from.
const IMAGES: [&str; 13] = [
    "*.png", "*.jpg", "*.jpeg", "*.webp", "*.bmp", "*.tif", "*.tiff", "*.tga", "*.qoi", "*.pnm",
    "*.ppm", "*.pgm", "*.pbm",
];
/// The names that a folder of images is written to.
const FRAMES: &str = "[0-9]*.png";

impl Files {
    /// Adds a file that is read.
    pub(crate) fn reads<P: AsRef<Path>>(self, flag: &'static str, path: Option<P>) -> Self {
        match path {
            Some(path) => self.with(flag, path.as_ref(), false),
            None => self,
        }
    }

    /// Adds a file that is written; `-` is standard output.
    pub(crate) fn writes<P: AsRef<Path>>(self, flag: &'static str, path: Option<P>) -> Self {
        match path {
            Some(path) => self.with(flag, path.as_ref(), true),
            None => self,
        }
    }

    /// Adds the files of a folder whose names match `pattern`, which are read.
    pub(crate) fn reads_in(self, flag: &'static str, folder: &Path, pattern: &str) -> Self {
        self.names(flag, folder, &[pattern], false)
    }

    /// Adds the files that are written into a folder; their names match `pattern`.
    pub(crate) fn writes_in(
        self,
        flag: &'static str,
        folder: Option<&Path>,
        pattern: &str,
    ) -> Self {
        match folder {
            Some(folder) => self.names(flag, folder, &[pattern], true),
            None => self,
        }
    }

    /// Adds a video or images that are read.
    pub(crate) fn reads_video(self, flag: &'static str, video: &str) -> Self {
        match video {
            "scene" | "-" => self,
            _ => self.video(flag, video, false),
        }
    }

    /// Adds a video or images that are written.
    pub(crate) fn writes_video(self, flag: &'static str, video: &str) -> Self {
        match video {
            "-" => self.with(flag, Path::new(video), true),
            _ => self.video(flag, video, true),
        }
    }

    /// Adds the files of another part of the command line.
    pub(crate) fn and(mut self, others: Files) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Checks that nothing that is written takes the place of anything else, by the identity of files: links and other
    /// spellings of a path are the same file. If a file goes to standard output, text goes to standard error from now on.
    ///
    /// # Errors
    /// The first two uses of one file, at least one of which writes it.
    pub(crate) fn claim(&self) -> Result<()> {
        for (at, written) in self
            .0
            .iter()
            .enumerate()
            .filter(|(_, used)| used.is_written)
        {
            if matches!(&written.place, Place::Names { folder, .. } if is_dash(folder)) {
                return Err(CliError::usage(format!(
                    "{} -: a folder is required; `-` is standard output",
                    written.flag
                )));
            }
            let others = self.0.iter().enumerate();
            let others = others.filter(|(i, other)| !other.is_written || *i < at);
            for (_, other) in others {
                if let Some(why) = written.clashes(other) {
                    return Err(CliError::usage(why));
                }
            }
        }
        if self
            .0
            .iter()
            .any(|used| matches!(used.place, Place::Stdout))
        {
            output::leave_stdout_to_a_file();
        }
        Ok(())
    }

    fn with(mut self, flag: &'static str, path: &Path, is_written: bool) -> Self {
        let place = match is_dash(path) {
            true if is_written => Place::Stdout,
            _ => Place::File(path.to_owned()),
        };
        let shown = path.display().to_string();
        self.0.push(Used {
            flag,
            shown,
            place,
            is_written,
        });
        self
    }

    fn names(
        mut self,
        flag: &'static str,
        folder: &Path,
        names: &[&str],
        is_written: bool,
    ) -> Self {
        self.0.push(Used {
            flag,
            shown: folder.display().to_string(),
            place: Place::Names {
                folder: folder.to_owned(),
                patterns: names
                    .iter()
                    .filter_map(|name| Pattern::new(name).ok())
                    .collect(),
                is_whole: true,
            },
            is_written,
        });
        self
    }

    fn video(mut self, flag: &'static str, video: &str, is_written: bool) -> Self {
        let path = Path::new(video);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let pattern = match numbered(&name) {
            Some(pattern) => Some(pattern),
            None if !is_written && name.contains(['*', '?', '[']) && !path.exists() => {
                Some(name.to_string())
            }
            None => None,
        };
        let names = |folder: &Path, names: &[&str], is_whole| Place::Names {
            folder: folder.to_owned(),
            patterns: names
                .iter()
                .filter_map(|name| Pattern::new(name).ok())
                .collect(),
            is_whole,
        };
        let place = match pattern {
            Some(pattern) => names(parent(path), &[&pattern], false),
            None if is_written && (video.ends_with('/') || path.is_dir()) => {
                names(path, &[FRAMES], true)
            }
            None if path.is_dir() => names(path, &IMAGES, true),
            None => Place::File(path.to_owned()),
        };
        self.0.push(Used {
            flag,
            shown: video.to_owned(),
            place,
            is_written,
        });
        self
    }
}

impl Used {
    /// Why both cannot be; `self` is written.
    fn clashes(&self, other: &Used) -> Option<String> {
        let (flag, shown) = (self.flag, &self.shown);
        let theirs = format!("{} {}", other.flag, other.shown);
        match (&self.place, &other.place) {
            (Place::Stdout, Place::Stdout) => Some(format!(
                "{} - and {flag} - both are standard output; give one of them a file name",
                other.flag
            )),
            (Place::File(a), Place::File(b)) => (identity(a)? == identity(b)?).then(|| {
                format!("{flag} {shown} and {theirs} are the same file; give {flag} another name")
            }),
            (
                Place::File(file),
                Place::Names {
                    folder, patterns, ..
                },
            )
            | (
                Place::Names {
                    folder, patterns, ..
                },
                Place::File(file),
            ) => {
                let is_in =
                    identity(parent(file))? == identity(folder)? && matches_any(patterns, file);
                is_in.then(|| {
                    format!(
                        "{flag} {shown} and {theirs} can be the same file, because a name in this folder matches; give {flag} another name or folder"
                    )
                })
            }
            (
                Place::Names {
                    folder,
                    patterns,
                    is_whole,
                },
                Place::Names {
                    folder: theirs_folder,
                    patterns: their_patterns,
                    is_whole: theirs_whole,
                },
            ) => {
                if identity(folder)? != identity(theirs_folder)? {
                    return None;
                }
                let both_whole = *is_whole && *theirs_whole;
                let share = match other.is_written {
                    true => patterns.iter().any(|p| their_patterns.contains(p)),
                    false => both_whole || overlap(folder, patterns, their_patterns),
                };
                share.then(|| {
                    format!("{flag} {shown} and {theirs} are the same folder; give {flag} another folder")
                })
            }
            _ => None,
        }
    }
}

/// Whether a name can match both: a file that is there, or one of the names that a number gives.
fn overlap(folder: &Path, ours: &[Pattern], theirs: &[Pattern]) -> bool {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let there = files
        .map(|file| file.path())
        .any(|file| matches_any(ours, &file) && matches_any(theirs, &file));
    let numbers = ours.iter().map(|p| p.as_str().replace("[0-9]*", "000000"));
    there
        || numbers
            .map(PathBuf::from)
            .any(|name| matches_any(theirs, &name))
}

fn matches_any(patterns: &[Pattern], file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let options = glob::MatchOptions {
        case_sensitive: false,
        ..glob::MatchOptions::default()
    };
    patterns.iter().any(|p| p.matches_with(&name, options))
}

/// Returns the pattern of a name with a number, such as `%04d.png`.
fn numbered(name: &str) -> Option<String> {
    let (before, rest) = name.split_once('%')?;
    let (digits, after) = rest.split_once('d')?;
    let is_number = digits.chars().all(|c| c.is_ascii_digit());
    is_number.then(|| {
        format!(
            "{}[0-9]*{}",
            Pattern::escape(before),
            Pattern::escape(after)
        )
    })
}

fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::fs;

    use super::{Files, numbered};

    #[test]
    fn images_clash_by_folder_and_pattern() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::write(folder.path().join("in/cat.png"), "").unwrap();
        let refused = |input: &str, output: &str| {
            let files = Files::default().reads_video("--input", &at(input));
            files.writes_video("--output", &at(output)).claim().is_err()
        };
        assert!(refused("in", "in/") && refused("in/%04d.png", "in/%06d.png"));
        assert!(refused("in/*.png", "in/") && refused("in", "in/cat.png"));
        assert!(!refused("in", "out/") && !refused("in/*.jpg", "in/out-%04d.png"));
        assert!(!refused("in", "in/cat.gif"));
    }

    #[test]
    fn numbers_in_names_are_patterns() {
        assert_eq!(numbered("im-%04d.png").as_deref(), Some("im-[0-9]*.png"));
        assert_eq!(numbered("50%.png"), None);
    }
}
