//! A checkpoint: one safetensors file or several, the shards.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::file::{TensorEntry, TensorFile};

/// The end of the name of a sharded checkpoint's index.
const INDEX: &str = ".safetensors.index.json";

/// The open files of a checkpoint. No two have a tensor of the same name.
pub(super) struct Checkpoint {
    files: Vec<TensorFile>,
}

impl Checkpoint {
    /// Opens a safetensors file, the index of a sharded checkpoint, or a folder with either.
    ///
    /// # Errors
    /// A reason without the path: what is missing, or which file cannot be read and why.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        if path.is_dir() {
            return Self::of_folder(path);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(INDEX) {
            return Self::of_index(path);
        }
        let file = TensorFile::open(path)?;
        Ok(Checkpoint { files: vec![file] })
    }

    /// Returns every tensor.
    pub(super) fn entries(&self) -> impl Iterator<Item = &TensorEntry> {
        self.files.iter().flat_map(TensorFile::entries)
    }

    /// Returns the tensor of this name with its file.
    pub(super) fn find(&self, name: &str) -> Option<(&TensorFile, &TensorEntry)> {
        let find = |file: &'_ TensorFile| file.entries().iter().position(|e| e.name == name);
        let (file, at) = self
            .files
            .iter()
            .find_map(|file| Some((file, find(file)?)))?;
        Some((file, &file.entries()[at]))
    }

    /// Returns the number of shards that the name of the only file says there are, if it is one of several.
    pub(super) fn is_one_shard_of(&self) -> Option<u32> {
        let [file] = &self.files[..] else { return None };
        let (_, of) = shard(file.path())?;
        (of > 1).then_some(of)
    }

    fn of_folder(folder: &Path) -> Result<Self, String> {
        let mut files: Vec<PathBuf> = fs::read_dir(folder)
            .and_then(|entries| entries.map(|e| Ok(e?.path())).collect())
            .map_err(|e| format!("the folder cannot be read: {e}"))?;
        files.sort();
        let ends = |path: &PathBuf, end: &str| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(end)
        };
        let indices: Vec<&PathBuf> = files.iter().filter(|p| ends(p, INDEX)).collect();
        match indices[..] {
            [] => {}
            [index] => return Self::of_index(index),
            _ => {
                let names = names(indices.iter().map(|p| p.as_path()));
                return Err(format!(
                    "the folder has several checkpoints: {names}; pass one of these files"
                ));
            }
        }
        files.retain(|path| ends(path, ".safetensors"));
        if files.is_empty() {
            return Err(
                "the folder has no .safetensors file; pass the file, or the folder of the shards"
                    .to_owned(),
            );
        }
        // Without an index, only the names of the shards say how many there are.
        let mut found: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (number, of) in files.iter().filter_map(|path| shard(path)) {
            found.entry(of).or_default().insert(number);
        }
        for (of, numbers) in &found {
            if let Some(gone) = (1..=*of).find(|n| !numbers.contains(n)) {
                return Err(format!(
                    "shard {gone} of {of} is missing in the folder: download the file *-{gone:05}-of-{of:05}.safetensors too"
                ));
            }
        }
        if files.len() > 1 && found.values().map(BTreeSet::len).sum::<usize>() != files.len() {
            let names = names(files.iter().map(PathBuf::as_path));
            return Err(format!(
                "the folder has several checkpoints: {names}; pass one of these files"
            ));
        }
        Self::of_shards(files)
    }

    fn of_index(index: &Path) -> Result<Self, String> {
        let text = fs::read(index).map_err(|e| e.to_string())?;
        let wrong = |why: &str| {
            format!(
                "{why}: the index of a sharded checkpoint has a `weight_map` of tensors to files"
            )
        };
        let json: Value = serde_json::from_slice(&text).map_err(|e| wrong(&e.to_string()))?;
        let map = json.get("weight_map").and_then(Value::as_object);
        let map = map.ok_or_else(|| wrong("no `weight_map`"))?;
        let mut shards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (tensor, file) in map {
            let file = file
                .as_str()
                .ok_or_else(|| wrong("a file's name is no text"))?;
            shards.entry(file).or_default().push(tensor);
        }
        if shards.is_empty() {
            return Err(wrong("an empty `weight_map`"));
        }
        let folder = index.parent().unwrap_or(Path::new(""));
        let gone: Vec<&str> = shards
            .keys()
            .copied()
            .filter(|f| !folder.join(f).is_file())
            .collect();
        if !gone.is_empty() {
            return Err(format!(
                "of {} shards in {}, {} missing in the folder: {}; download {} too",
                shards.len(),
                index.file_name().unwrap_or_default().to_string_lossy(),
                if gone.len() == 1 {
                    "this one is"
                } else {
                    "these are"
                },
                gone.join(", "),
                if gone.len() == 1 { "it" } else { "them" },
            ));
        }
        let checkpoint = Self::of_shards(shards.keys().map(|file| folder.join(file)).collect())?;
        for (file, tensors) in shards
            .iter()
            .zip(&checkpoint.files)
            .map(|((_, t), f)| (f, t))
        {
            let has = |tensor: &&&str| file.entries().iter().any(|e| e.name == **tensor);
            if let Some(gone) = tensors.iter().find(|t| !has(t)) {
                return Err(format!(
                    "tensor `{gone}` is not in {}, where the index says it is; download the shards again",
                    names([file.path()].into_iter())
                ));
            }
        }
        Ok(checkpoint)
    }

    fn of_shards(paths: Vec<PathBuf>) -> Result<Self, String> {
        let open = |path: PathBuf| {
            TensorFile::open(&path)
                .map_err(|why| format!("{}: {why}", names([path.as_path()].into_iter())))
        };
        let files: Vec<TensorFile> = paths.into_iter().map(open).collect::<Result<_, _>>()?;
        let mut seen: BTreeMap<&str, &TensorFile> = BTreeMap::new();
        for file in &files {
            for entry in file.entries() {
                if let Some(other) = seen.insert(&entry.name, file) {
                    return Err(format!(
                        "tensor `{}` is in {} and in {}; pass the file that you mean",
                        entry.name,
                        names([other.path()].into_iter()),
                        names([file.path()].into_iter())
                    ));
                }
            }
        }
        Ok(Checkpoint { files })
    }
}

fn names<'a>(paths: impl Iterator<Item = &'a Path>) -> String {
    let names = paths.map(|p| {
        p.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    });
    names.collect::<Vec<_>>().join(", ")
}

/// Returns number and count of a shard that is named as usual, `*-00001-of-00002.safetensors`.
fn shard(path: &Path) -> Option<(u32, u32)> {
    let stem = path.file_stem()?.to_str()?;
    let (rest, of) = stem.rsplit_once("-of-")?;
    let (_, number) = rest.rsplit_once('-')?;
    Some((number.parse().ok()?, of.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::shard;

    #[test]
    fn shards_are_told_by_their_names() {
        let of = |name| shard(Path::new(name));
        assert_eq!(of("dir/model-00002-of-00003.safetensors"), Some((2, 3)));
        assert_eq!(of("model.safetensors"), None);
        assert_eq!(of("best-of-all.safetensors"), None);
    }
}
