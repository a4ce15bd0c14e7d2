//! Seeded random contents for the inputs, states and parameters of a graph.

use mirage_ir::{
    Graph, OpError, Params, TensorType, ValueId,
    interp::{Elements, Tensor},
};

/// Contents of all inputs, states and parameters of a graph.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) inputs: Vec<Tensor>,
    pub(super) states: Vec<Tensor>,
    pub(super) params: Params,
}

impl Sample {
    /// Returns contents for this graph, the same for the same seed. Floats of inputs and states are in ±1.
    /// Parameters in `given` are used; the others are random: vectors in 0.25..1, because scales and
    /// variances must be positive, others in ±1/√(elements of a row), so that magnitudes stay about the
    /// same from layer to layer. Integers are 0 or 1, so that they are valid indices.
    pub(super) fn new(graph: &Graph, given: Option<&Params>, seed: u64) -> Result<Self, OpError> {
        let mut random = Random(seed);
        let mut signal = |v: ValueId| random.tensor(graph.ty(v), -1.0, 1.0);
        let inputs = graph
            .inputs()
            .iter()
            .map(|p| signal(p.value))
            .collect::<Result<_, _>>()?;
        let states = graph
            .states()
            .iter()
            .map(|s| signal(s.input))
            .collect::<Result<_, _>>()?;
        let mut params = Params::new();
        for (name, ty) in graph.all_params() {
            let data = match given.and_then(|given| given.get(name)) {
                Some(data) => data.clone(),
                None => random.weight(ty)?.to_data(ty.dtype)?,
            };
            params.insert(name, data);
        }
        Ok(Sample {
            inputs,
            states,
            params,
        })
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uniform(&mut self, low: f64, high: f64) -> f64 {
        let unit = (self.bits() >> 11) as f64 / (1u64 << 53) as f64;
        low + unit * (high - low)
    }

    fn weight(&mut self, ty: &TensorType) -> Result<Tensor, OpError> {
        match ty.shape.as_slice() {
            [] | [_] => self.tensor(ty, 0.25, 1.0),
            [_, row @ ..] => {
                let bound = 1.0 / (row.iter().product::<usize>().max(1) as f64).sqrt();
                self.tensor(ty, -bound, bound)
            }
        }
    }

    fn tensor(&mut self, ty: &TensorType, low: f64, high: f64) -> Result<Tensor, OpError> {
        let n = ty.numel();
        let elements = if ty.dtype.is_float() {
            Elements::Float((0..n).map(|_| self.uniform(low, high)).collect())
        } else if ty.dtype.is_int() {
            Elements::Int((0..n).map(|_| (self.bits() >> 63) as i64).collect())
        } else {
            Elements::Bool((0..n).map(|_| self.bits() >> 63 == 1).collect())
        };
        let tensor = Tensor::new(ty.shape.clone(), elements)?;
        // Rounds to the dtype.
        if ty.dtype.is_float() {
            tensor.rounded(ty.dtype)
        } else {
            Ok(tensor)
        }
    }
}
