//! Small networks of layers: what passes look for, next to each other, as graphs of random
//! operations seldom have it.

use arbitrary::{Result, Unstructured};
use mirage_ir::{
    DType, Graph, GraphBuilder, Op, Params, TensorType, ValueId,
    generate::Generated,
    interp::Tensor,
    ops::{
        BatchNorm, Binary, Concat, Conv, GroupNorm, LayerNorm, Linear, Matmul, MaxPool, Permute,
        Reshape, Resize, ResizeMode, Softmax, Unary, WithScalar,
    },
};

/// The longest side of a picture, so that up-sampling ends somewhere.
const MAX_SIDE: usize = 16;
/// The most channels, likewise.
const MAX_CHANNELS: usize = 24;

/// A network of up to a dozen blocks, with its weights and an input.
///
/// # Panics
/// Where a block is not well typed, which is a bug here or in the operation's rules.
pub(crate) fn network(u: &mut Unstructured<'_>) -> Result<Generated> {
    let dtype = *u.choose(&[DType::F32, DType::F32, DType::F32, DType::F16])?;
    let mut n = Network {
        u,
        dtype,
        builder: Graph::builder("network"),
        params: Params::new(),
    };
    let picture = [1, n.size(6)?, n.size(6)?, n.size(6)?];
    let input = n.tensor(&picture, -1.0, 1.0);
    let mut x = n.builder.input("input", TensorType::new(dtype, picture));
    let mut skip = None;
    for block in 0..1 + n.u.int_in_range(0..=11)? {
        n.builder.set_path(format!("block.{block}"));
        x = n.block(x, &mut skip)?;
    }
    n.builder.output("output", x);
    Ok(Generated {
        graph: n.builder.finish().expect("blocks are well typed"),
        params: n.params,
        inputs: vec![input],
        states: Vec::new(),
    })
}

struct Network<'a, 'u> {
    u: &'a mut Unstructured<'u>,
    dtype: DType,
    builder: GraphBuilder,
    params: Params,
}

impl Network<'_, '_> {
    fn size(&mut self, most: usize) -> Result<usize> {
        self.u.int_in_range(1..=most)
    }

    fn shape(&self, x: ValueId) -> Vec<usize> {
        self.builder.ty(x).shape.clone()
    }

    fn op(&mut self, op: impl Into<Op>, operands: &[ValueId]) -> ValueId {
        let made = self.builder.op(op, operands);
        made.expect("blocks are well typed")
    }

    /// Elements in a range that are all different, and values of the dtype.
    fn tensor(&self, shape: &[usize], low: f64, high: f64) -> Tensor {
        let count = shape.iter().product::<usize>();
        // Steps of the golden ratio: spread evenly, and far from what was spread before.
        let start = self.params.len() as f64 * 0.414;
        let value = |i: usize| low + (high - low) * (start + i as f64 * 0.618_034).fract();
        let tensor = Tensor::float(shape, (0..count).map(value).collect::<Vec<_>>());
        tensor
            .and_then(|t| t.rounded(self.dtype))
            .expect("as many elements as the shape has")
    }

    fn param(&mut self, shape: &[usize], low: f64, high: f64) -> ValueId {
        let data = self.tensor(shape, low, high).to_data(self.dtype);
        let name = format!("p{}", self.params.len());
        self.params
            .insert(name.clone(), data.expect("floats have bytes"));
        self.builder.param(name, TensorType::new(self.dtype, shape))
    }

    /// A weight of a layer with so many terms in each sum: sizes stay about the same.
    fn weight(&mut self, shape: &[usize], terms: usize) -> ValueId {
        let bound = 1.5 / (terms.max(1) as f64).sqrt();
        self.param(shape, -bound, bound)
    }

    /// One more layer, or a few that belong together, on a picture; gives a picture.
    fn block(&mut self, x: ValueId, skip: &mut Option<ValueId>) -> Result<ValueId> {
        Ok(match self.u.int_in_range(0..=10)? {
            0 | 1 => self.conv(x)?,
            2 => self.batch_norm(x),
            3 => self.group_norm(x)?,
            4 | 5 => self.activation(x)?,
            6 => self.attention(x)?,
            7 => self.perceptron(x)?,
            8 => self.scaled(x)?,
            9 => self.resized(x)?,
            _ => match skip.replace(x) {
                Some(other) => self.joined(x, other)?,
                None => x,
            },
        })
    }

    fn conv(&mut self, x: ValueId) -> Result<ValueId> {
        let (ins, outs) = (self.shape(x)[1], self.size(8)?);
        let k = *self.u.choose(&[1, 3])?;
        let groups = if ins == outs && self.u.ratio(1, 4)? {
            ins
        } else {
            1
        };
        let terms = ins / groups * k * k;
        let mut operands = vec![x, self.weight(&[outs, ins / groups, k, k], terms)];
        if self.u.arbitrary()? {
            operands.push(self.param(&[outs], -0.5, 0.5));
        }
        let conv = Conv {
            stride: vec![1; 2],
            padding: vec![k / 2; 2],
            dilation: vec![1; 2],
            groups,
        };
        Ok(self.op(conv, &operands))
    }

    fn batch_norm(&mut self, x: ValueId) -> ValueId {
        let c = [self.shape(x)[1]];
        let ranges = [(0.5, 1.5), (-0.5, 0.5), (-0.5, 0.5), (0.5, 1.5)];
        let [gamma, beta, mean, variance] = ranges.map(|(low, high)| self.param(&c, low, high));
        self.op(BatchNorm { eps: 1e-3 }, &[x, gamma, beta, mean, variance])
    }

    fn group_norm(&mut self, x: ValueId) -> Result<ValueId> {
        let c = self.shape(x)[1];
        let groups = if c % 2 == 0 && self.u.arbitrary()? {
            2
        } else {
            1
        };
        let [gamma, beta] = [(0.5, 1.5), (-0.5, 0.5)].map(|(l, h)| self.param(&[c], l, h));
        Ok(self.op(GroupNorm { groups, eps: 1e-3 }, &[x, gamma, beta]))
    }

    fn activation(&mut self, x: ValueId) -> Result<ValueId> {
        let all = [
            Unary::Silu,
            Unary::Gelu,
            Unary::Relu,
            Unary::Tanh,
            Unary::Sigmoid,
        ];
        let f = *self.u.choose(&all)?;
        if f == Unary::Silu && self.u.arbitrary()? {
            let gate = self.op(Unary::Sigmoid, &[x]);
            return Ok(self.op(Binary::Mul, &[x, gate]));
        }
        Ok(self.op(f, &[x]))
    }

    fn linear(&mut self, x: ValueId, outs: usize) -> Result<ValueId> {
        let ins = self.shape(x).pop().unwrap_or(1);
        let mut operands = vec![x, self.weight(&[ins, outs], ins)];
        if self.u.arbitrary()? {
            operands.push(self.param(&[outs], -0.5, 0.5));
        }
        Ok(self.op(Linear {}, &operands))
    }

    /// A picture as tokens [1, HW, C], normed.
    fn tokens(&mut self, x: ValueId) -> Result<ValueId> {
        let s = self.shape(x);
        let flat = self.op(Reshape::to([1, s[1], s[2] * s[3]]), &[x]);
        let tokens = self.op(Permute::of([0, 2, 1]), &[flat]);
        if self.u.arbitrary()? {
            let [gamma, beta] = [(0.5, 1.5), (-0.5, 0.5)].map(|(l, h)| self.param(&[s[1]], l, h));
            return Ok(self.op(LayerNorm { eps: 1e-3 }, &[tokens, gamma, beta]));
        }
        Ok(tokens)
    }

    /// Tokens as the picture that they came from, added to it.
    fn residual(&mut self, tokens: ValueId, x: ValueId) -> ValueId {
        let flat = self.op(Permute::of([0, 2, 1]), &[tokens]);
        let picture = self.op(Reshape::to(self.shape(x)), &[flat]);
        self.op(Binary::Add, &[x, picture])
    }

    /// Self-attention, written out.
    fn attention(&mut self, x: ValueId) -> Result<ValueId> {
        let c = self.shape(x)[1];
        let heads = if c % 2 == 0 { 2 } else { 1 };
        let tokens = self.tokens(x)?;
        let count = self.shape(tokens)[1];
        let head = |n: &mut Self| -> Result<ValueId> {
            let y = n.linear(tokens, c)?;
            let split = n.op(Reshape::to([1, count, heads, c / heads]), &[y]);
            Ok(n.op(Permute::of([0, 2, 1, 3]), &[split]))
        };
        let (q, k, v) = (head(self)?, head(self)?, head(self)?);
        let k = self.op(Permute::of([0, 1, 3, 2]), &[k]);
        let mut scores = self.op(Matmul {}, &[q, k]);
        if self.u.arbitrary()? {
            let scale = ((c / heads) as f64).sqrt().recip();
            scores = self.op(WithScalar::float(Binary::Mul, scale), &[scores]);
        }
        let weights = self.op(Softmax { dim: 3 }, &[scores]);
        let mixed = self.op(Matmul {}, &[weights, v]);
        let joined = self.op(Permute::of([0, 2, 1, 3]), &[mixed]);
        let tokens = self.op(Reshape::to([1, count, c]), &[joined]);
        let out = self.linear(tokens, c)?;
        Ok(self.residual(out, x))
    }

    fn perceptron(&mut self, x: ValueId) -> Result<ValueId> {
        let c = self.shape(x)[1];
        let tokens = self.tokens(x)?;
        let wide = self.linear(tokens, 2 * c)?;
        let active = self.op(Unary::Gelu, &[wide]);
        let out = self.linear(active, c)?;
        Ok(self.residual(out, x))
    }

    /// A scale or a shift by channel or by a number.
    fn scaled(&mut self, x: ValueId) -> Result<ValueId> {
        let f = *self
            .u
            .choose(&[Binary::Add, Binary::Sub, Binary::Mul, Binary::Div])?;
        if self.u.arbitrary()? {
            return Ok(self.op(WithScalar::float(f, 0.75), &[x]));
        }
        let by_channel = self.param(&[1, self.shape(x)[1], 1, 1], 0.5, 1.5);
        Ok(self.op(f, &[x, by_channel]))
    }

    fn resized(&mut self, x: ValueId) -> Result<ValueId> {
        let s = self.shape(x);
        if self.u.arbitrary()? && s[2..].iter().all(|&side| side >= 2) {
            let pool = MaxPool {
                kernel: vec![2; 2],
                stride: vec![2; 2],
                padding: vec![0; 2],
                dilation: vec![1; 2],
                ceil_mode: false,
            };
            return Ok(self.op(pool, &[x]));
        }
        let resize = Resize {
            size: [s[2], s[3]].map(|side| (2 * side).min(MAX_SIDE)),
            mode: *self
                .u
                .choose(&[ResizeMode::Nearest, ResizeMode::Bilinear])?,
            align_corners: false,
        };
        Ok(self.op(resize, &[x]))
    }

    /// With an earlier picture: added to it or beside it, where sizes allow.
    fn joined(&mut self, x: ValueId, other: ValueId) -> Result<ValueId> {
        let (a, b) = (self.shape(x), self.shape(other));
        Ok(if a == b && self.u.arbitrary()? {
            self.op(Binary::Add, &[x, other])
        } else if a[2..] == b[2..] && a[1] + b[1] <= MAX_CHANNELS {
            self.op(Concat { dim: 1 }, &[x, other])
        } else {
            x
        })
    }
}
