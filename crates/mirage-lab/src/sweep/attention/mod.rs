//! Measures attention over lengths, head dimensions and dtypes: the fused operation against separate ones.

mod graphs;
mod row;
mod sweep;

use mirage_ir::DType;
use serde::{Deserialize, Serialize};

use crate::sweep::Setting;

pub use graphs::Shape;
pub use row::{AttentionRow, Difference, Side, SpeedUp};
pub use sweep::{At, AttentionOptions, sweep};

/// The version of [`AttentionReport`]'s schema.
pub const SCHEMA: u32 = 1;

/// Identifies an [`AttentionReport`] among other JSON.
pub const FORMAT: &str = "mirage-attention";

/// The report of `mirage bench attention`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttentionReport {
    /// [`FORMAT`].
    pub format: String,
    /// [`SCHEMA`].
    pub schema: u32,
    /// What the numbers belong to.
    #[serde(flatten)]
    pub setting: Setting,
    /// The rows: by dtype, head dimension and length.
    pub rows: Vec<AttentionRow>,
}

/// Returns every shape of these lengths, head dimensions and dtypes.
pub fn grid(lengths: &[usize], head_dims: &[usize], heads: usize, dtypes: &[DType]) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for &dtype in dtypes {
        for &head_dim in head_dims {
            shapes.extend(lengths.iter().map(|&length| Shape {
                length,
                head_dim,
                heads,
                dtype,
            }));
        }
    }
    shapes
}
