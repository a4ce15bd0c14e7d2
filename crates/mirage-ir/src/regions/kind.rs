//! Known kinds of regions, as types and in the table.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Attrs, Graph, Op, OpError, TensorType, ops::Region};

/// A known kind of region. The fields of the implementing type are the attributes: its serde form is the
/// region's `attributes`. Passes, the verifier and backends all use this type to read and write them.
pub trait KnownRegion: Serialize + DeserializeOwned {
    /// The kind's name.
    const KIND: &'static str;
    /// One line on what it computes.
    const SUMMARY: &'static str;

    /// Builds the body for inputs of these types: the definition that every kernel for the kind computes.
    ///
    /// # Errors
    ///
    /// If the kind does not accept inputs of these types with these attributes.
    fn expand(&self, inputs: &[&TensorType]) -> Result<Graph, OpError>;

    /// Returns the attributes, if the operation is a region of this kind and they are valid.
    fn of_region(op: &Op) -> Option<Self> {
        let region = op.get::<Region>().filter(|r| r.kind == Self::KIND)?;
        read(&region.attributes).ok()
    }
}

/// A known kind of region in the table, to be found by name.
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
