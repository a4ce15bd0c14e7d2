//! The processor's caches.

use std::path::Path;

use serde::Serialize;

use crate::sys;

/// A cache of the first processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cache {
    /// The level; 1 is the nearest.
    pub level: u8,
    /// Its content.
    pub kind: CacheKind,
    /// Its size in bytes.
    pub bytes: u64,
    /// Number of processors that share it.
    pub shared_by: usize,
}

/// The content of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheKind {
    /// Data only.
    Data,
    /// Instructions only.
    Instruction,
    /// Data and instructions.
    Unified,
}

/// Returns the caches of this machine, nearest first; empty if the system does not report them (Linux does).
pub(crate) fn here() -> Vec<Cache> {
    read(Path::new("/sys/devices/system/cpu/cpu0/cache"))
}

fn read(folder: &Path) -> Vec<Cache> {
    let indices = (0..).map(|i| folder.join(format!("index{i}")));
    indices.map_while(|index| cache(&index)).collect()
}

fn cache(index: &Path) -> Option<Cache> {
    Some(Cache {
        level: sys::number(&index.join("level"))?,
        kind: match sys::text(&index.join("type"))?.as_str() {
            "Data" => CacheKind::Data,
            "Instruction" => CacheKind::Instruction,
            _ => CacheKind::Unified,
        },
        bytes: sys::size(&sys::text(&index.join("size"))?)?,
        shared_by: sys::list_length(&sys::text(&index.join("shared_cpu_list"))?)?,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn caches_are_read_until_there_is_none() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (i, level, kind, size, list) in [
            (0, "1", "Data", "48K", "0"),
            (1, "3", "Unified", "32768K", "0-3"),
        ] {
            let index = folder.path().join(format!("index{i}"));
            fs::create_dir(&index).expect("a folder");
            for (name, text) in [
                ("level", level),
                ("type", kind),
                ("size", size),
                ("shared_cpu_list", list),
            ] {
                fs::write(index.join(name), format!("{text}\n")).expect("a file");
            }
        }
        let caches = read(folder.path());
        assert_eq!(caches.len(), 2);
        assert_eq!(caches[0].kind, CacheKind::Data);
        assert_eq!((caches[1].bytes, caches[1].shared_by), (32 << 20, 4));
        assert!(read(&folder.path().join("nowhere")).is_empty());
    }
}
