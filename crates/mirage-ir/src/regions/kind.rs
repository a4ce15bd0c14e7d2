//! A known kind of region, as a type and as a line of the table.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Attrs, Graph, Op, OpError, TensorType, ops::Region};

/// A known kind of region. The implementing type is the attributes: its serde form is what a region of
/// this kind has under `attributes`, and passes, the verifier and every backend's kernels use this one
/// type to write and read it.
pub trait KnownRegion: Serialize + DeserializeOwned {
    /// The kind's name.
    const KIND: &'static str;
    /// One line on what it computes.
    const SUMMARY: &'static str;

    /// The body for inputs of these types: the definition that every kernel for the kind computes.
    ///
    /// # Errors
    ///
    /// If the kind takes no inputs of these types with these attributes.
    fn expand(&self, inputs: &[&TensorType]) -> Result<Graph, OpError>;

    /// The attributes, if the operation is a region of this kind and they can be read.
    fn of_region(op: &Op) -> Option<Self> {
        let region = op.get::<Region>().filter(|r| r.kind == Self::KIND)?;
        read(&region.attributes).ok()
    }
}

/// A known kind of region, for whoever has its name alone.
pub struct RegionKind {
    /// Its name.
    pub name: &'static str,
    /// One line on what it computes.
    pub summary: &'static str,
    /// The body for these attributes and input types.
    pub expand: fn(&Attrs, &[&TensorType]) -> Result<Graph, OpError>,
}

/// A line of the table.
pub(super) const fn kind<T: KnownRegion>() -> RegionKind {
    RegionKind {
        name: T::KIND,
        summary: T::SUMMARY,
        expand: |attributes, inputs| read::<T>(attributes)?.expand(inputs),
    }
}

fn read<T: DeserializeOwned>(attributes: &Attrs) -> Result<T, OpError> {
    attributes
        .clone()
        .try_into()
        .map_err(|e: toml::de::Error| OpError::new(e.message()))
}
