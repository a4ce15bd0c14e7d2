//! Values of parameters.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{DType, Graph, GraphError};

/// The elements of a tensor as bytes: in logical row-major sequence, little endian, one byte for a bool.
///
/// Cheap to clone: the bytes are shared with their owner, such as a mapped file, and are not copied.
#[derive(Clone)]
pub struct TensorData {
    /// Element type.
    pub dtype: DType,
    /// Logical shape.
    pub shape: Vec<usize>,
    bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
}

impl TensorData {
    /// Returns a tensor of this dtype and shape; an error if the length of `bytes` does not match.
    pub fn new(
        dtype: DType,
        shape: impl Into<Vec<usize>>,
        bytes: impl AsRef<[u8]> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let shape = shape.into();
        let want = shape.iter().product::<usize>() * dtype.size();
        let got = bytes.as_ref().len();
        if got != want {
            return Err(format!("{dtype}{shape:?} has {want} bytes, got {got}"));
        }
        Ok(TensorData {
            dtype,
            shape,
            bytes: Arc::new(bytes),
        })
    }

    /// Returns a tensor of f32 elements.
    pub fn from_f32(shape: impl Into<Vec<usize>>, values: &[f32]) -> Result<Self, String> {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self::new(DType::F32, shape, bytes)
    }

    /// Returns a tensor of i64 elements.
    pub fn from_i64(shape: impl Into<Vec<usize>>, values: &[i64]) -> Result<Self, String> {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self::new(DType::I64, shape, bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.shape.iter().product()
    }
}

impl fmt::Debug for TensorData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TensorData({}{:?})", self.dtype, self.shape)
    }
}

impl PartialEq for TensorData {
    fn eq(&self, other: &Self) -> bool {
        self.dtype == other.dtype && self.shape == other.shape && self.bytes() == other.bytes()
    }
}

/// Values by parameter name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params(BTreeMap<String, TensorData>);

impl Params {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a parameter's value.
    pub fn insert(&mut self, name: impl Into<String>, data: TensorData) {
        self.0.insert(name.into(), data);
    }

    /// A parameter's value.
    pub fn get(&self, name: &str) -> Option<&TensorData> {
        self.0.get(name)
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TensorData)> {
        self.0.iter().map(|(n, d)| (n.as_str(), d))
    }

    /// The number of parameters.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that every parameter of `graph` and of the bodies that it calls is present with its dtype and
    /// shape; the error names the first one that is not.
    pub fn check(&self, graph: &Graph) -> Result<(), GraphError> {
        let error = |message| {
            Err(GraphError::Graph {
                graph: graph.name().to_owned(),
                message,
            })
        };
        for (name, ty) in graph.all_params() {
            match self.get(name) {
                None => return error(format!("parameter `{name}` has no value")),
                Some(d) if d.dtype != ty.dtype || d.shape != ty.shape => {
                    return error(format!(
                        "parameter `{name}` is {ty}, but its value is {}{:?}",
                        d.dtype, d.shape
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

impl FromIterator<(String, TensorData)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, TensorData)>>(iter: I) -> Self {
        Params(iter.into_iter().collect())
    }
}
