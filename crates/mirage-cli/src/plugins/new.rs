//! `mirage plugins new`: a plugin to start from, a template under another name.

use std::{
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use mirage_backend::find;
use mirage_pass::Registry;

use crate::{
    error::{CliError, Ending, Result},
    output::Stream,
};

/// What a plugin brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Pass,
    Backend,
}

#[derive(Args, Debug)]
pub(super) struct NewArgs {
    /// The plugin's name: lower case letters, digits and `-`; its folder, package, pass or backend
    name: String,
    /// What it brings
    #[arg(long, value_enum, default_value_t = Kind::Pass)]
    kind: Kind,
    /// Build against this checkout of mirage; by default against the repository at this version
    #[arg(long, value_name = "FOLDER")]
    mirage: Option<PathBuf>,
}

/// A file of a new plugin: its name and an example's text.
type File = (&'static str, &'static str);

const PASS: &[File] = &[("src/lib.rs", include_str!("../../templates/pass/lib.rs"))];
const BACKEND: &[File] = &[
    ("src/lib.rs", include_str!("../../templates/backend/lib.rs")),
    (
        "src/executable.rs",
        include_str!("../../templates/backend/executable.rs"),
    ),
];

impl NewArgs {
    pub(super) fn run(&self) -> Result<()> {
        self.check()?;
        let manifest = ("Cargo.toml", self.manifest()?);
        let folder = Path::new(&self.name);
        let failed = |path: &Path, e: std::io::Error| {
            CliError::failure(format!("{}: cannot write it: {e}", path.display()))
        };
        fs::create_dir(folder).map_err(|e| failed(folder, e))?;
        let source = folder.join("src");
        fs::create_dir(&source).map_err(|e| failed(&source, e))?;
        let sources = self
            .files()
            .iter()
            .map(|&(name, text)| (name, self.renamed(text)));
        for (name, text) in std::iter::once(manifest).chain(sources) {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|e| failed(&path, e))?;
        }
        Stream::Stdout.emit(&self.next())
    }

    fn check(&self) -> Result<()> {
        let name = &self.name;
        let is_right = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !is_right {
            return Err(CliError::usage(format!(
                "`{name}` cannot be a plugin's name: use lower case letters, digits and `-`, a letter first"
            )));
        }
        let is_taken = match self.kind {
            Kind::Pass => Registry::linked().failure()?.get(&self.thing()).is_some(),
            Kind::Backend => find(&self.thing()).is_some(),
        };
        if is_taken {
            return Err(CliError::usage(format!(
                "`{name}` is here already: choose another name"
            )));
        }
        if Path::new(name).exists() {
            return Err(CliError::failure(format!(
                "{name} exists: nothing is written over it"
            )));
        }
        Ok(())
    }

    fn files(&self) -> &'static [File] {
        match self.kind {
            Kind::Pass => PASS,
            Kind::Backend => BACKEND,
        }
    }

    /// The name of the pass or of the backend.
    fn thing(&self) -> String {
        match self.kind {
            Kind::Pass => self.name.replace('-', "_"),
            Kind::Backend => self.name.clone(),
        }
    }

    /// The library's file name.
    fn library(&self) -> String {
        format!("{DLL_PREFIX}{}{DLL_SUFFIX}", self.name.replace('-', "_"))
    }

    /// The name of the type: `my-pass` is `MyPass`.
    fn type_name(&self) -> String {
        let words = self.name.split('-').filter(|word| !word.is_empty());
        words
            .map(|word| word[..1].to_uppercase() + &word[1..])
            .collect()
    }

    /// An example's text under the new name.
    fn renamed(&self, text: &str) -> String {
        let (thing, type_name, library) = (self.thing(), self.type_name(), self.library());
        let names: &[(&str, &str)] = match self.kind {
            Kind::Pass => &[
                ("LIBRARY", &library),
                ("scale_query", &thing),
                ("ScaleQuery", &type_name),
            ],
            Kind::Backend => &[
                ("mirage-example-backend", &self.name),
                ("libmirage_example_backend.so", &library),
                ("--backend reference", &format!("--backend {thing}")),
                (
                    "NAME: &str = \"reference\"",
                    &format!("NAME: &str = \"{thing}\""),
                ),
                ("struct Reference", &format!("struct {type_name}")),
                ("&Reference", &format!("&{type_name}")),
                ("for Reference", &format!("for {type_name}")),
            ],
        };
        names
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    fn manifest(&self) -> Result<String> {
        let mut text = format!(
            "[package]\nname = \"{}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\n",
            self.name
        );
        let mirage = self
            .mirage
            .as_ref()
            .map(|f| f.canonicalize().map(|whole| (f, whole)));
        let mirage = mirage
            .transpose()
            .map_err(|e| CliError::failure(format!("--mirage: there is no such folder: {e}")))?;
        let crates: &[&str] = match self.kind {
            Kind::Pass => &["mirage-ir", "mirage-pass", "mirage-plugin"],
            Kind::Backend => &["mirage-backend", "mirage-ir", "mirage-plugin"],
        };
        for name in crates {
            let source = match &mirage {
                None => format!(
                    "git = {:?}, tag = \"v{}\"",
                    env!("CARGO_PKG_REPOSITORY"),
                    env!("CARGO_PKG_VERSION")
                ),
                Some((given, whole)) => {
                    let path = whole.join("crates").join(name);
                    if !path.join("Cargo.toml").exists() {
                        return Err(CliError::usage(format!(
                            "--mirage {}: it has no crates/{name}: give the folder of a checkout of mirage",
                            given.display()
                        )));
                    }
                    format!("path = {:?}", path.display().to_string())
                }
            };
            text.push_str(&format!("{name} = {{ {source} }}\n"));
        }
        text.push_str("tracing = \"0.1\"\n");
        // The plugin is a workspace of its own, also in a folder of another one.
        text.push_str("\n[workspace]\n");
        Ok(text)
    }

    fn next(&self) -> String {
        let (name, thing) = (&self.name, self.thing());
        let library = format!("{name}/target/release/{}", self.library());
        let try_it = match self.kind {
            Kind::Pass => format!("mirage run --passes {thing} --plugin {library}"),
            Kind::Backend => {
                format!("mirage run --size 16x16 --frames 6 --backend {thing} --plugin {library}")
            }
        };
        format!(
            "{name}/ is a plugin that works: change what it does in {name}/src/lib.rs\n\n  cargo build --release --manifest-path {name}/Cargo.toml\n  {try_it}\n"
        )
    }
}
