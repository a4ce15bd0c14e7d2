//! Translates errors of the system's loader into messages that say what to do.

use std::error::Error;

use super::Refusal;

/// Libraries that a script of this repository sets up, by prefix of their names, and the script.
const MADE_HERE: [(&str, &str); 2] = [
    ("libtorch", "scripts/setup-libtorch.sh"),
    ("libc10", "scripts/setup-libtorch.sh"),
];

/// Functions of such libraries, by prefix of their mangled names, and the library.
const FUNCTIONS: [(&str, &str); 4] = [
    ("2at", "libtorch"),
    ("3c10", "libtorch"),
    ("5torch", "libtorch"),
    ("6caffe2", "libtorch"),
];

/// Returns why a library was not loaded.
pub(super) fn refusal(error: &libloading::Error) -> Refusal {
    // The error itself only names the call; its source has the loader's message.
    let said = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    explain(&said)
}

/// Reads a message of glibc's loader: `LIBRARY: cannot open shared object file: WHY` for a missing library,
/// `PLUGIN: undefined symbol: NAME` or `… version NAME not defined in file LIBRARY …` for a missing symbol.
/// Other messages are returned unchanged.
fn explain(said: &str) -> Refusal {
    if let Some((library, _)) = said.split_once(": cannot open shared object file") {
        return Refusal::Lacks {
            library: library.to_owned(),
            advice: match script(library) {
                Some(script) => {
                    format!("run {script} and build the plugin with the settings that it prints")
                }
                None => "install it, or build the plugin for this machine".to_owned(),
            },
        };
    }
    if let Some((_, symbol)) = said.split_once(": undefined symbol: ") {
        let symbol = symbol.split([',', ' ']).next().unwrap_or(symbol);
        return Refusal::OtherVersion {
            symbol: symbol.to_owned(),
            advice: match home(symbol).and_then(|library| Some((library, script(library)?))) {
                Some((library, script)) => format!(
                    "the {library} on this machine has another version; run {script} to set up the right one"
                ),
                None => {
                    "a library that it links has another version on this machine; build the plugin for this \
                         machine"
                        .to_owned()
                }
            },
        };
    }
    Refusal::System(said.to_owned())
}

/// Returns the script that sets up a library of this name.
fn script(library: &str) -> Option<&'static str> {
    let mut known = MADE_HERE.iter();
    known
        .find(|(begin, _)| library.starts_with(begin))
        .map(|(_, script)| *script)
}

/// Returns the library of a C++ function.
fn home(symbol: &str) -> Option<&'static str> {
    let name = symbol.strip_prefix("_Z")?;
    // Of nested names and tables of virtual functions: constness, and what kind of table it is.
    let name = name.trim_start_matches(['T', 'V', 'I', 'S', 'N', 'K']);
    let mut known = FUNCTIONS.iter();
    known
        .find(|(begin, _)| name.starts_with(begin))
        .map(|(_, library)| *library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loaders_say_becomes_advice() {
        let cases = [
            (
                "libtorch_cpu.so: cannot open shared object file: No such file or directory",
                "it needs libtorch_cpu.so, which was not found: run scripts/setup-libtorch.sh \
                 and build the plugin with the settings that it prints",
            ),
            (
                "libengine.so.3: cannot open shared object file: No such file or directory",
                "it needs libengine.so.3, which was not found: install it, or build the plugin for this \
                 machine",
            ),
            (
                "/a b/libp.so: undefined symbol: _ZNK2at6Tensor4sizeEl",
                "it uses `_ZNK2at6Tensor4sizeEl`, which no library on this machine defines: the libtorch on this \
                 machine has another version; run scripts/setup-libtorch.sh to set up the right one",
            ),
            (
                "/p.so: undefined symbol: _ZTVN5torch8autograd4NodeE, version X",
                "it uses `_ZTVN5torch8autograd4NodeE`, which no library on this machine defines: the libtorch on \
                 this machine has another version; run scripts/setup-libtorch.sh to set up the right one",
            ),
            (
                "/p.so: undefined symbol: engine_run",
                "it uses `engine_run`, which no library on this machine defines: a library that it links has another \
                 version on this machine; build the plugin for this machine",
            ),
            (
                "/p.so: file too short",
                "the system cannot load it: /p.so: file too short",
            ),
        ];
        for (said, told) in cases {
            assert_eq!(explain(said).to_string(), told);
        }
    }
}
