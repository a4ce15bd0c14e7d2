//! Reads and writes named tensors in safetensors files.

use std::{borrow::Cow, collections::HashMap, path::Path};

use mirage_ir::{DType, TensorData};
use mirage_model::TensorFile;
use safetensors::{Dtype, View};

/// An error of reading or writing a file of tensors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TensorFileError(String);

type Result<T> = std::result::Result<T, TensorFileError>;

/// Reads the tensors of a file, sorted by name.
///
/// # Errors
/// If the file cannot be read or is truncated, or if a dtype is unsupported.
pub fn read(path: &Path) -> Result<Vec<(String, TensorData)>> {
    let name = path.display();
    let fail = |why: String| TensorFileError(format!("{name}: {why}"));
    let file = TensorFile::open(path)
        .map_err(|why| TensorFileError(format!("cannot read {name}: {why}")))?;
    let mut tensors = Vec::with_capacity(file.entries().len());
    for entry in file.entries() {
        let name = &entry.name;
        let dtype = ir_dtype(entry.dtype).ok_or_else(|| {
            fail(format!(
                "tensor `{name}` has the unsupported dtype {:?}; remove it, or convert it to a float or integer dtype",
                entry.dtype
            ))
        })?;
        let bytes = file
            .read(entry)
            .map_err(|e| fail(format!("tensor `{name}` cannot be read: {e}")))?;
        let data = TensorData::new(dtype, entry.shape.clone(), bytes);
        tensors.push((
            name.clone(),
            data.map_err(|e| fail(format!("tensor `{name}`: {e}")))?,
        ));
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(tensors)
}

/// Returns the bytes of a file with these tensors and the model's name, deterministically.
///
/// # Errors
/// If the format does not support a tensor.
pub fn write(tensors: &[(String, TensorData)], model: &str) -> Result<Vec<u8>> {
    let metadata = HashMap::from([("mirage.model".to_owned(), model.to_owned())]);
    let views = tensors
        .iter()
        .map(|(name, data)| (name.as_str(), Writing(data)));
    safetensors::serialize(views, Some(metadata))
        .map_err(|e| TensorFileError(format!("cannot write the outputs as safetensors: {e}")))
}

/// A tensor for the writer of the format.
struct Writing<'a>(&'a TensorData);

impl View for Writing<'_> {
    fn dtype(&self) -> Dtype {
        file_dtype(self.0.dtype)
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.bytes().into()
    }

    fn data_len(&self) -> usize {
        self.0.bytes().len()
    }
}

/// Both libraries use the same names of dtypes except for case.
fn ir_dtype(dtype: Dtype) -> Option<DType> {
    dtype.to_string().to_lowercase().parse().ok()
}

fn file_dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::I16 => Dtype::I16,
        DType::I8 => Dtype::I8,
        DType::U64 => Dtype::U64,
        DType::U32 => Dtype::U32,
        DType::U16 => Dtype::U16,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dtypes_survive_both_ways() {
        for dtype in DType::ALL {
            assert_eq!(ir_dtype(file_dtype(dtype)), Some(dtype));
        }
    }
}
