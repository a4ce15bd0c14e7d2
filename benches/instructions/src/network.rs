//! A network as a capture leaves it, as large as one likes.

use mirage_ir::{
    DType, Graph, GraphBuilder, GraphError, Scalar, TensorType, ValueId,
    ops::{
        BatchNorm, Binary, Conv, Full, Linear, Matmul, Permute, Reduce, ReduceFn, Reshape, Softmax,
        Unary, WithScalar,
    },
};

/// Channels of the picture, and its side.
const CHANNELS: usize = 8;
const SIDE: usize = 4;
/// Heads of the attention and the width of each.
const HEADS: usize = 2;
const HEAD_DIM: usize = 2;

/// A chain of residual blocks with about so many nodes, one block at least. Each block has something
/// for every pass: norms, activations and attention spelled out, a batch norm after a convolution,
/// constants, nodes that are there twice, and one that nobody needs. Sizes of tensors are small and
/// the same for every number of nodes.
///
/// # Errors
/// None: the types fit.
pub fn network(nodes: usize) -> Result<Graph, GraphError> {
    let mut b = Graph::builder("network");
    let picture = TensorType::new(DType::F32, [1, CHANNELS, SIDE, SIDE]);
    let mut x = b.input("x", picture);
    let mut block = 0;
    loop {
        x = Block { b: &mut b, block }.add(x)?;
        block += 1;
        let a_block = b.graph().nodes().len() / block;
        if b.graph().nodes().len() + a_block / 2 >= nodes {
            break;
        }
    }
    b.output("y", x);
    b.finish()
}

struct Block<'b> {
    b: &'b mut GraphBuilder,
    block: usize,
}

impl Block<'_> {
    fn add(&mut self, x: ValueId) -> Result<ValueId, GraphError> {
        let skip = x;
        let x = self.part("resnet.norm", |s| s.group_norm(x))?;
        let x = self.part("resnet.act", |s| s.silu(x))?;
        let x = self.part("resnet.conv1", |s| s.conv("conv1", x))?;
        let x = self.part("resnet.bn", |s| s.batch_norm(x))?;
        let x = self.part("resnet.conv2", |s| s.conv("conv2", x))?;
        let x = self.b.op(Binary::Add, &[x, skip])?;
        let x = self.part("attention", |s| s.attention(x))?;
        self.part("leftovers", |s| s.leftovers(x))
    }

    /// What `make` adds, under this path.
    fn part(
        &mut self,
        name: &str,
        make: impl FnOnce(&mut Self) -> Result<ValueId, GraphError>,
    ) -> Result<ValueId, GraphError> {
        self.b.set_path(format!("blocks.{}.{name}", self.block));
        make(self)
    }

    fn param(&mut self, name: &str, shape: impl Into<Vec<usize>>) -> ValueId {
        let ty = TensorType::new(DType::F32, shape);
        self.b.param(format!("blocks.{}.{name}", self.block), ty)
    }

    fn scalar(&mut self, f: Binary, x: ValueId, value: f64) -> Result<ValueId, GraphError> {
        let value = Scalar::Float(value);
        self.b.op(WithScalar { f, value }, &[x])
    }

    fn reshape(&mut self, x: ValueId, shape: &[usize]) -> Result<ValueId, GraphError> {
        let shape = shape.to_vec();
        self.b.op(Reshape { shape, order: None }, &[x])
    }

    fn permute(&mut self, x: ValueId, axes: &[usize]) -> Result<ValueId, GraphError> {
        let axes = axes.to_vec();
        self.b.op(Permute { axes, order: None }, &[x])
    }

    fn conv(&mut self, name: &str, x: ValueId) -> Result<ValueId, GraphError> {
        let weight = self.param(&format!("{name}.weight"), [CHANNELS, CHANNELS, 3, 3]);
        let bias = self.param(&format!("{name}.bias"), [CHANNELS]);
        let conv = Conv {
            stride: vec![1, 1],
            padding: vec![1, 1],
            dilation: vec![1, 1],
            groups: 1,
        };
        self.b.op(conv, &[x, weight, bias])
    }

    fn batch_norm(&mut self, x: ValueId) -> Result<ValueId, GraphError> {
        let parts = ["gamma", "beta", "mean", "variance"];
        let params = parts.map(|name| self.param(&format!("bn.{name}"), [CHANNELS]));
        let mut inputs = vec![x];
        inputs.extend(params);
        self.b.op(BatchNorm { eps: 1e-5 }, &inputs)
    }

    /// As burn computes it, with 2 groups.
    fn group_norm(&mut self, x: ValueId) -> Result<ValueId, GraphError> {
        let (groups, size) = (2, CHANNELS / 2 * SIDE * SIDE);
        let mean = Reduce {
            f: ReduceFn::Mean,
            dims: vec![2],
        };
        let flat = self.reshape(x, &[1, groups, size])?;
        let average = self.b.op(mean.clone(), &[flat])?;
        let centred = self.b.op(Binary::Sub, &[flat, average])?;
        let squares = self.b.op(Binary::Mul, &[centred, centred])?;
        let variance = self.b.op(mean, &[squares])?;
        let shifted = self.scalar(Binary::Add, variance, 1e-5)?;
        let deviation = self.b.op(Unary::Sqrt, &[shifted])?;
        let normal = self.b.op(Binary::Div, &[centred, deviation])?;
        let mut y = self.reshape(normal, &[1, CHANNELS, SIDE, SIDE])?;
        for (name, f) in [("gamma", Binary::Mul), ("beta", Binary::Add)] {
            let p = self.param(&format!("norm.{name}"), [CHANNELS]);
            let p = self.reshape(p, &[1, CHANNELS, 1, 1])?;
            y = self.b.op(f, &[y, p])?;
        }
        Ok(y)
    }

    fn silu(&mut self, x: ValueId) -> Result<ValueId, GraphError> {
        let sigmoid = self.b.op(Unary::Sigmoid, &[x])?;
        self.b.op(Binary::Mul, &[x, sigmoid])
    }

    /// Self-attention over the pixels, spelled out, with a residual.
    fn attention(&mut self, x: ValueId) -> Result<ValueId, GraphError> {
        let (tokens, width) = (SIDE * SIDE, HEADS * HEAD_DIM);
        let flat = self.reshape(x, &[1, CHANNELS, tokens])?;
        let sequence = self.permute(flat, &[0, 2, 1])?;
        let mut heads = Vec::new();
        for name in ["q", "k", "v"] {
            let weight = self.param(&format!("attention.{name}"), [CHANNELS, width]);
            let y = self.b.op(Linear {}, &[sequence, weight])?;
            let y = self.reshape(y, &[1, tokens, HEADS, HEAD_DIM])?;
            heads.push(self.permute(y, &[0, 2, 1, 3])?);
        }
        let keys = self.permute(heads[1], &[0, 1, 3, 2])?;
        let scores = self.b.op(Matmul {}, &[heads[0], keys])?;
        let scores = self.scalar(Binary::Mul, scores, (HEAD_DIM as f64).sqrt().recip())?;
        let weights = self.b.op(Softmax { dim: 3 }, &[scores])?;
        let y = self.b.op(Matmul {}, &[weights, heads[2]])?;
        let y = self.permute(y, &[0, 2, 1, 3])?;
        let y = self.reshape(y, &[1, tokens, width])?;
        let out = self.param("attention.out", [width, CHANNELS]);
        let y = self.b.op(Linear {}, &[y, out])?;
        let y = self.permute(y, &[0, 2, 1])?;
        let y = self.reshape(y, &[1, CHANNELS, SIDE, SIDE])?;
        self.b.op(Binary::Add, &[x, y])
    }

    /// What only cleaning up is good for.
    fn leftovers(&mut self, x: ValueId) -> Result<ValueId, GraphError> {
        self.b.op(Unary::Exp, &[x])?;
        let full = Full {
            ty: TensorType::new(DType::F32, [1, CHANNELS, 1, 1]),
            value: Scalar::Float(2.0),
        };
        let constant = self.b.op(full, &[])?;
        let constant = self.b.op(Unary::Square, &[constant])?;
        let y = self.b.op(Binary::Mul, &[x, constant])?;
        let twice = [self.b.op(Unary::Tanh, &[y])?, self.b.op(Unary::Tanh, &[y])?];
        let sum = self.b.op(Binary::Add, &twice)?;
        self.scalar(Binary::Mul, sum, 0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_about_as_many_nodes_as_asked_for() {
        for nodes in [100, 1000, 10_000] {
            let found = network(nodes).unwrap().nodes().len();
            assert!(found.abs_diff(nodes) * 3 < nodes, "{found} for {nodes}");
        }
    }
}
