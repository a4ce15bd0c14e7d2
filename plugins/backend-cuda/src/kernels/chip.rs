//! What the kernels need to know of a device.

use burn_cubecl::CubeDevice;
use cubecl::{
    features::MmaConfig,
    ir::{ElemType, FloatKind},
};
use mirage_ir::DType;

/// A device, as far as kernels differ by it.
#[derive(Clone, Debug)]
pub(crate) struct Chip {
    /// Multiprocessors.
    pub(crate) processors: usize,
    /// Element types that its tensor cores multiply in fragments of 16×16×16, summing in f32.
    halves: Vec<DType>,
}

impl Chip {
    /// The facts of a device that is there.
    pub(crate) fn of(device: &CubeDevice) -> Self {
        let client = device.client();
        let properties = client.properties();
        let has = |kind: FloatKind| {
            properties.features.matmul.cmma.contains(&MmaConfig {
                a_type: ElemType::Float(kind),
                b_type: ElemType::Float(kind),
                cd_type: ElemType::Float(FloatKind::F32),
                m: 16,
                n: 16,
                k: 16,
            })
        };
        let pairs = [(DType::F16, FloatKind::F16), (DType::BF16, FloatKind::BF16)];
        let halves = pairs.into_iter().filter(|&(_, kind)| has(kind));
        let processors = properties.hardware.num_streaming_multiprocessors;
        Chip {
            processors: processors.unwrap_or(64) as usize,
            halves: halves.map(|(dtype, _)| dtype).collect(),
        }
    }

    /// Whether there are tensor cores for products of this type.
    pub(crate) fn multiplies(&self, dtype: DType) -> bool {
        self.halves.contains(&dtype)
    }
}
