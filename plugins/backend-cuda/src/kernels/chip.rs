//! Properties of a device that kernels depend on.

use burn_cubecl::CubeDevice;
use cubecl::{
    features::MmaConfig,
    ir::{ElemType, FloatKind},
};
use mirage_ir::DType;

use super::product::DTYPES;

/// The properties of a device.
#[derive(Clone, Debug)]
pub(crate) struct Chip {
    /// Multiprocessors.
    pub(crate) processors: usize,
    /// Element types that its tensor cores multiply in the fragments of our kernels, summing in f32:
    /// f32 as tf32.
    multiplied: Vec<DType>,
}

impl Chip {
    /// Reads the properties of a device.
    pub(crate) fn of(device: &CubeDevice) -> Self {
        let client = device.client();
        let properties = client.properties();
        let matmul = &properties.features.matmul;
        let form = |kind, m, n, k| MmaConfig {
            a_type: ElemType::Float(kind),
            b_type: ElemType::Float(kind),
            cd_type: ElemType::Float(FloatKind::F32),
            m,
            n,
            k,
        };
        let has = |dtype: DType| match dtype {
            DType::F32 => matmul.mma.contains(&form(FloatKind::TF32, 16, 8, 8)),
            DType::F16 | DType::BF16 => {
                let kind = if dtype == DType::F16 {
                    FloatKind::F16
                } else {
                    FloatKind::BF16
                };
                matmul.cmma.contains(&form(kind, 16, 16, 16))
                    && matmul.mma.contains(&form(kind, 16, 8, 16))
            }
            _ => false,
        };
        let multiplied = DTYPES.into_iter().filter(|&dtype| has(dtype)).collect();
        let processors = properties.hardware.num_streaming_multiprocessors;
        Chip {
            processors: processors.unwrap_or(64) as usize,
            multiplied,
        }
    }

    /// Whether the device has tensor cores for products of this type.
    pub(crate) fn multiplies(&self, dtype: DType) -> bool {
        self.multiplied.contains(&dtype)
    }
}
