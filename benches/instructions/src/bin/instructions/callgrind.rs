//! Counting with valgrind.

use std::{fs, path::Path, process::Command};

/// Runs this program under callgrind with the argument `run` and gives the instructions of every call
/// of the function of this name, in order. Counted are this program's own, whatever it calls
/// in its own code: those of the C library are left out, since its copies and searches differ from
/// processor to processor.
pub(crate) fn count(counted: &str) -> Result<Vec<u64>, String> {
    let program = std::env::current_exe().map_err(|e| format!("where is this program? {e}"))?;
    let folder = program.with_extension("callgrind");
    let io = |e: std::io::Error| format!("{}: {e}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(io)?;
    }
    fs::create_dir_all(&folder).map_err(io)?;
    let out = folder.join("out");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg("--collect-atstart=no")
        .arg(format!("--toggle-collect={counted}"))
        .arg(format!("--dump-after={counted}"))
        .arg(&program)
        .arg("run")
        .output()
        .map_err(|e| {
            format!("valgrind cannot be started: {e}; install it (apt-get install valgrind)")
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let tail: Vec<&str> = said.lines().rev().take(5).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        return Err(format!(
            "valgrind ended with {}: {}",
            output.status,
            tail.join(" ")
        ));
    }
    let name = program
        .file_name()
        .map(|n| n.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let counts = read_dumps(&out, &name);
    fs::remove_dir_all(&folder).map_err(io)?;
    counts
}

/// The dumps `out.1`, `out.2` and so on.
fn read_dumps(out: &Path, program: &str) -> Result<Vec<u64>, String> {
    let mut counts = Vec::new();
    for part in 1.. {
        let path = out.with_extension(part.to_string());
        let Ok(text) = fs::read_to_string(&path) else {
            break;
        };
        counts.push(own_instructions(&text, program)?);
    }
    Ok(counts)
}

/// The instructions that a dump in callgrind's format has for the object of this file name. Names are
/// compressed: `ob=(1) /path` introduces a number, `ob=(1)` uses it. The line after `calls=` is what
/// was spent in the callee, which stands in the callee's own lines as well.
fn own_instructions(dump: &str, program: &str) -> Result<u64, String> {
    let mut ours: Option<&str> = None;
    let (mut inside, mut is_callee, mut sum) = (false, false, 0);
    for line in dump.lines() {
        if let Some(object) = line
            .strip_prefix("ob=")
            .or_else(|| line.strip_prefix("cob="))
        {
            let (id, path) = object.split_once(' ').unwrap_or((object, ""));
            if Path::new(path).file_name().is_some_and(|n| n == program) {
                ours = Some(id);
            }
            if line.starts_with("ob=") {
                inside = ours == Some(id);
            }
        } else if line.starts_with("calls=") {
            is_callee = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-' || c == '*')
        {
            if inside && !is_callee {
                let cost = line.split_whitespace().nth(1).unwrap_or("0");
                sum += cost
                    .parse::<u64>()
                    .map_err(|e| format!("callgrind wrote `{line}`: {e}"))?;
            }
            is_callee = false;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::own_instructions;

    #[test]
    fn the_programs_own_lines_are_summed() {
        let dump = "version: 1\nevents: Ir\npositions: line\n\nob=(1) /usr/lib/libc.so.6\nfl=(1) ???\nfn=(1) memcpy\n0 500\n\n\
                    ob=(2) /target/release/instructions\nfl=(2) a.rs\nfn=(2) a\n10 7\n+2 3\ncob=(1)\ncfn=(1)\ncalls=1 0\n* 500\n-1 4\n\
                    fn=(3) b\n* 20\n\ntotals: 534\n";
        assert_eq!(own_instructions(dump, "instructions"), Ok(34));
        assert_eq!(own_instructions(dump, "other"), Ok(0));
    }
}
