//! A safetensors file: its header, and its tensors one by one.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};
use serde_json::{Map, Value};

use super::other::{LOOKED_AT, other_format};

/// The longest header that is read; the format's own limit.
const LONGEST_HEADER: u64 = 100_000_000;

/// A tensor of a safetensors file, without its elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorEntry {
    /// The name in the file.
    pub name: String,
    /// The dtype in the file.
    pub dtype: Dtype,
    /// The shape in the file.
    pub shape: Vec<usize>,
    /// Position of the first byte in the file.
    start: u64,
    /// Number of bytes.
    bytes: usize,
}

/// An open safetensors file whose header was read and checked. Metadata of any kind is ignored, also what the format does
/// not allow, such as numbers.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    file: Mutex<File>,
    entries: Vec<TensorEntry>,
}

impl TensorFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// A reason without the path: the file is missing, empty, cut, or of another format, which is named with what to do.
    pub fn open(path: &Path) -> Result<Self, String> {
        let missing = |e: std::io::Error| format!("{e}; expected a safetensors file");
        let mut file = File::open(path).map_err(missing)?;
        let size = file.metadata().map_err(missing)?.len();
        let mut start = Vec::new();
        Read::by_ref(&mut file)
            .take(LOOKED_AT as u64)
            .read_to_end(&mut start)
            .map_err(missing)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(what) = other_format(&name, &start) {
            return Err(what);
        }
        let (header, data) = header(&mut file, &start, size)?;
        let entries = entries(&header, data, size)?;
        Ok(TensorFile {
            path: path.to_owned(),
            file: Mutex::new(file),
            entries,
        })
    }

    /// Returns the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the tensors in the order of their elements.
    pub fn entries(&self) -> &[TensorEntry] {
        &self.entries
    }

    /// Reads the bytes of a tensor, little-endian and row-major.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(&self, entry: &TensorEntry) -> std::io::Result<Vec<u8>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(entry.start))?;
        let mut bytes = vec![0; entry.bytes];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Returns the header and where the elements begin.
fn header(file: &mut File, start: &[u8], size: u64) -> Result<(Vec<u8>, u64), String> {
    let length = start.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let not_ours = || {
        "the file is not safetensors, or its beginning is damaged: use a .safetensors file, or download it again".to_owned()
    };
    let length = length.ok_or_else(not_ours)?;
    if length > LONGEST_HEADER || start.get(8) != Some(&b'{') {
        return Err(not_ours());
    }
    if length > size - 8 {
        return Err(cut(8 + length, size));
    }
    let mut header = vec![0; length as usize];
    file.seek(SeekFrom::Start(8))
        .and_then(|_| file.read_exact(&mut header))
        .map_err(|e| e.to_string())?;
    Ok((header, 8 + length))
}

fn cut(least: u64, size: u64) -> String {
    format!(
        "the file is truncated: it has {size} bytes, but its header needs {least}; copy or download it again"
    )
}

fn entries(header: &[u8], data: u64, size: u64) -> Result<Vec<TensorEntry>, String> {
    let damaged = |e: &dyn std::fmt::Display| {
        format!("the header of the file is damaged: {e}; copy or download it again")
    };
    let mut header: Map<String, Value> = serde_json::from_slice(header).map_err(|e| damaged(&e))?;
    // Metadata says nothing about the tensors, and the format's reader refuses values that are no text.
    header.remove("__metadata__");
    for (name, tensor) in &header {
        let dtype = tensor
            .get("dtype")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if serde_json::from_value::<Dtype>(dtype.into()).is_err() {
            return Err(format!(
                "tensor `{name}` has the unknown dtype `{dtype}`; save it as F32, F16 or BF16"
            ));
        }
    }
    let metadata: Metadata = serde_json::from_value(header.into()).map_err(|e| damaged(&e))?;
    let end = data + metadata.data_len() as u64;
    if end > size {
        return Err(cut(end, size));
    }
    if end < size {
        let rest = size - end;
        return Err(format!(
            "the file has {rest} bytes after its last tensor, so it is damaged: copy or download it again"
        ));
    }
    let entry = |(name, info): (String, &TensorInfo)| {
        let (from, to) = info.data_offsets;
        TensorEntry {
            name,
            dtype: info.dtype,
            shape: info.shape.clone(),
            start: data + from as u64,
            bytes: to - from,
        }
    };
    let mut entries: Vec<TensorEntry> = metadata.tensors().into_iter().map(entry).collect();
    entries.sort_by(|a, b| (a.start, &a.name).cmp(&(b.start, &b.name)));
    Ok(entries)
}
