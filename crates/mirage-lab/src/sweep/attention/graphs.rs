//! Attention as one operation, and as separate ones.

use mirage_ir::{
    DType, Graph, GraphError, Scalar, TensorType, ValueId,
    cost::graph_cost,
    ops::{Attention, Binary, Matmul, Permute, Softmax, WithScalar},
};
use serde::{Deserialize, Serialize};

/// A self-attention of one picture: q, k and v are `[1, heads, length, head_dim]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The number of tokens.
    pub length: usize,
    /// The dimension of a head.
    pub head_dim: usize,
    /// The number of heads.
    pub heads: usize,
    /// The dtype.
    pub dtype: DType,
}

impl Shape {
    fn ty(&self) -> TensorType {
        TensorType::new(self.dtype, [1, self.heads, self.length, self.head_dim])
    }

    /// Builds a graph of the inputs q, k and v.
    fn graph(
        &self,
        name: &str,
        make: impl FnOnce(&mut mirage_ir::GraphBuilder, [ValueId; 3]) -> Result<ValueId, GraphError>,
    ) -> Result<Graph, GraphError> {
        let mut b = Graph::builder(name);
        let inputs = ["q", "k", "v"].map(|name| b.input(name, self.ty()));
        let out = make(&mut b, inputs)?;
        b.output("out", out);
        b.finish()
    }

    /// Returns the graph of the fused operation.
    ///
    /// # Errors
    /// If the scores have more elements than memory can address.
    pub fn op(&self) -> Result<Graph, GraphError> {
        self.graph("attention", |b, qkv| b.op(Attention::default(), &qkv))
    }

    /// Returns the graph of softmax(q·kᵀ/√d)·v, with one node per step.
    ///
    /// # Errors
    /// If the scores have more elements than memory can address.
    pub fn naive(&self) -> Result<Graph, GraphError> {
        let factor = 1.0 / (self.head_dim as f64).sqrt();
        self.graph("naive", |b, [q, k, v]| {
            let axes = vec![0, 1, 3, 2];
            let transposed = b.op(Permute { axes, order: None }, &[k])?;
            let scores = b.op(Matmul {}, &[q, transposed])?;
            let scale = WithScalar {
                f: Binary::Mul,
                value: Scalar::Float(factor),
            };
            let scaled = b.op(scale, &[scores])?;
            let weights = b.op(Softmax { dim: 3 }, &[scaled])?;
            b.op(Matmul {}, &[weights, v])
        })
    }

    /// Returns the floating-point operations of the attention.
    pub fn flops(&self) -> u64 {
        self.op().map_or(u64::MAX, |graph| graph_cost(&graph).flops)
    }
}
