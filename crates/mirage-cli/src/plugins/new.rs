//! `mirage plugins new`: creates a plugin crate from one of the examples.

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

/// What a plugin provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Pass,
    Backend,
}

#[derive(Args, Debug)]
pub(super) struct NewArgs {
    /// Name of the plugin, its folder, its package and its pass or backend: lower case letters, digits and
    /// `-`
    name: String,
    /// What the plugin provides
    #[arg(long, value_enum, default_value_t = Kind::Pass)]
    kind: Kind,
    /// Build against this checkout of mirage [default: the repository at this version]
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
            CliError::failure(format!("cannot create {}: {e}", path.display()))
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
                "`{name}` is not a valid plugin name: use lower case letters, digits and `-`, starting with a letter"
            )));
        }
        let is_taken = match self.kind {
            Kind::Pass => Registry::linked().failure()?.get(&self.thing()).is_some(),
            Kind::Backend => find(&self.thing()).is_some(),
        };
        if is_taken {
            return Err(CliError::usage(format!(
                "`{name}` is already the name of a pass or backend; choose another name"
            )));
        }
        if Path::new(name).exists() {
            return Err(CliError::failure(format!(
                "{name} already exists; choose another name or remove it"
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

    /// Returns the name of the pass or the backend.
    fn thing(&self) -> String {
        match self.kind {
            Kind::Pass => self.name.replace('-', "_"),
            Kind::Backend => self.name.clone(),
        }
    }

    /// Returns the file name of the library.
    fn library(&self) -> String {
        format!("{DLL_PREFIX}{}{DLL_SUFFIX}", self.name.replace('-', "_"))
    }

    /// Returns the name of the type: `my-pass` is `MyPass`.
    fn type_name(&self) -> String {
        let words = self.name.split('-').filter(|word| !word.is_empty());
        words
            .map(|word| word[..1].to_uppercase() + &word[1..])
            .collect()
    }

    /// Returns the text of an example with the new name.
    fn renamed(&self, text: &str) -> String {
        let (thing, type_name, library) = (self.thing(), self.type_name(), self.library());
        let names: &[(&str, &str)] = match self.kind {
            Kind::Pass => &[
                ("mirage-example-pass", &self.name),
                ("libmirage_example_pass.so", &library),
                ("subtract_negated", &thing),
                ("SubtractNegated", &type_name),
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
        let mirage = mirage.transpose().map_err(|e| {
            CliError::failure(format!(
                "--mirage {}: cannot open the folder: {e}",
                self.mirage.as_deref().unwrap_or(Path::new("")).display()
            ))
        })?;
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
                            "--mirage {}: not a checkout of mirage: crates/{name} is missing",
                            given.display()
                        )));
                    }
                    format!("path = {:?}", path.display().to_string())
                }
            };
            text.push_str(&format!("{name} = {{ {source} }}\n"));
        }
        text.push_str("tracing = \"0.1\"\n");
        // The plugin is its own workspace, even inside another one.
        text.push_str("\n[workspace]\n");
        Ok(text)
    }

    fn next(&self) -> String {
        let (name, thing) = (&self.name, self.thing());
        let library = format!("{name}/target/release/{}", self.library());
        let try_it = match self.kind {
            Kind::Pass => format!("mirage passes show {thing} --plugin {library}"),
            Kind::Backend => {
                format!("mirage run --size 16x16 --frames 6 --backend {thing} --plugin {library}")
            }
        };
        format!(
            "created the plugin {name}/; edit {name}/src/lib.rs, then build and try it:\n\n  cargo build --release --manifest-path {name}/Cargo.toml\n  {try_it}\n"
        )
    }
}
