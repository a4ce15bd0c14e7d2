//! Checks a file before the system loads it, because the system's messages for libraries of other
//! processors and for text files are misleading.

use std::{fs, io::Read, path::Path};

use super::Refusal;

/// Whether a file may be a shared library for this program.
pub(super) fn check(path: &Path) -> Result<(), Refusal> {
    let unreadable = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Refusal::Missing,
        _ => Refusal::Unreadable(e.to_string()),
    };
    let about = fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(Refusal::Unreadable("it is not a regular file".to_owned()));
    }
    let mut head = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(20).read_to_end(&mut head).map_err(unreadable)?;
    if cfg!(target_os = "linux") {
        check_elf(&head)?;
    }
    Ok(())
}

/// Checks the first 20 bytes of a file: magic, class, byte order, machine.
fn check_elf(head: &[u8]) -> Result<(), Refusal> {
    if head.is_empty() {
        return Err(Refusal::NotALibrary("it is empty".to_owned()));
    }
    if !head.starts_with(b"\x7fELF") {
        let starts = String::from_utf8_lossy(&head[..head.len().min(8)]);
        return Err(Refusal::NotALibrary(format!(
            "it starts with `{}` instead of the ELF magic number",
            starts.escape_debug()
        )));
    }
    let &[_, _, _, _, class, order, .., low, high] = head else {
        return Err(Refusal::NotALibrary("it is truncated".to_owned()));
    };
    if head.len() < 20 {
        return Err(Refusal::NotALibrary("it is truncated".to_owned()));
    }
    let machine = match order {
        2 => u16::from_be_bytes([low, high]),
        _ => u16::from_le_bytes([low, high]),
    };
    let Some(ours) = ours() else { return Ok(()) };
    if (class, order, machine) == ours {
        return Ok(());
    }
    Err(Refusal::Machine {
        theirs: name(class, machine),
        ours: std::env::consts::ARCH,
    })
}

/// Returns class, byte order and machine of libraries that this program can load, if known.
fn ours() -> Option<(u8, u8, u16)> {
    match std::env::consts::ARCH {
        "x86_64" => Some((2, 1, 62)),
        "aarch64" if cfg!(target_endian = "little") => Some((2, 1, 183)),
        "riscv64" => Some((2, 1, 243)),
        _ => None,
    }
}

fn name(class: u8, machine: u16) -> String {
    let known = match machine {
        3 => "x86",
        40 => "arm",
        62 => "x86_64",
        183 => "aarch64",
        243 => "riscv",
        _ => return format!("the ELF machine {machine}"),
    };
    match (known, class) {
        ("riscv", 2) => "riscv64".to_owned(),
        ("x86_64", 1) => "x32".to_owned(),
        (name, _) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(class: u8, machine: u16) -> Vec<u8> {
        let mut head = b"\x7fELF".to_vec();
        head.extend([class, 1, 1]);
        head.resize(16, 0);
        head.extend([3, 0]);
        head.extend(machine.to_le_bytes());
        head
    }

    #[test]
    fn heads_of_files_are_told_apart() {
        let said = |head: &[u8]| check_elf(head).map_err(|e| e.to_string());
        assert!(said(b"").unwrap_err().contains("it is empty"));
        assert!(said(b"#!/bin/sh\n").unwrap_err().contains("`#!/bin/s`"));
        assert!(said(b"\x7fELF\x02\x01").unwrap_err().contains("truncated"));
        assert!(
            said(b"\x7fELF\x02\x01\x01\0\0")
                .unwrap_err()
                .contains("truncated")
        );
        if let Some((class, _, machine)) = ours() {
            assert_eq!(said(&head(class, machine)), Ok(()));
            let other = if machine == 62 { 183 } else { 62 };
            assert!(
                said(&head(class, other))
                    .unwrap_err()
                    .contains("it was built for")
            );
            assert!(
                said(&head(class, 999))
                    .unwrap_err()
                    .contains("ELF machine 999")
            );
        }
    }
}
