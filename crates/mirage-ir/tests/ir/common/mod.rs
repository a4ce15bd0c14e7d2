//! Graphs that hold every operation, by family, and a source of random numbers.

#![allow(dead_code, reason = "each test program uses a part")]
#![allow(clippy::unwrap_used, reason = "these graphs are sound")]

use std::sync::Arc;

use mirage_ir::{ops::*, *};

pub(crate) type Built = Result<Graph, GraphError>;

pub(crate) fn f32(shape: &[usize]) -> TensorType {
    TensorType::new(DType::F32, shape)
}

pub(crate) fn ty(text: &str) -> TensorType {
    text.parse().unwrap()
}

/// A graph of every family of operations.
pub(crate) fn families() -> Vec<Graph> {
    let families = [
        unary(),
        binary(),
        scalars(),
        products(),
        convolutions(),
        normalizations(),
        pooling(),
        reductions(),
        shapes(),
        indices(),
        created(),
        attention(),
        others(),
        calls(),
    ];
    families.into_iter().collect::<Result<_, _>>().unwrap()
}

pub(crate) fn unary() -> Built {
    let mut b = Graph::builder("unary");
    let mut x = b.input("x", f32(&[2, 3]));
    let bools = b.op(Unary::IsNan, &[x])?;
    b.op(Unary::IsInf, &[x])?;
    b.op(Unary::Not, &[bools])?;
    for &f in Unary::ALL {
        if !matches!(f, Unary::Not | Unary::IsNan | Unary::IsInf) {
            x = b.op(f, &[x])?;
        }
    }
    b.output("y", x);
    b.finish()
}

pub(crate) fn binary() -> Built {
    let mut b = Graph::builder("binary");
    let x = b.input("x", ty("f32[2,3,4,5]@[0,2,3,1]"));
    let row = b.input("row", f32(&[1, 3, 1, 1]));
    let mask = b.op(Binary::Lt, &[x, row])?;
    for &f in Binary::ALL {
        let logic = matches!(f, Binary::And | Binary::Or | Binary::Xor);
        let y = if logic {
            b.op(f, &[mask, mask])?
        } else {
            b.op(f, &[x, row])?
        };
        b.output(format!("{f:?}"), y);
    }
    let y = b.op(Select {}, &[mask, x, row])?;
    b.output("select", y);
    b.finish()
}

pub(crate) fn scalars() -> Built {
    let mut b = Graph::builder("scalars");
    let x = b.input("x", f32(&[2]));
    let i = b.input("i", TensorType::new(DType::I32, [2]));
    let mask = b.input("mask", TensorType::new(DType::Bool, [2]));
    for &f in Binary::ALL {
        let (on, value) = match f {
            Binary::And | Binary::Or | Binary::Xor => (mask, Scalar::Bool(true)),
            Binary::Rem => (i, Scalar::Int(-7)),
            _ => (x, Scalar::Float(0.1)),
        };
        let y = b.op(WithScalar { f, value }, &[on])?;
        b.output(format!("{f:?}"), y);
    }
    b.finish()
}

pub(crate) fn products() -> Built {
    let mut b = Graph::builder("products");
    let x = b.input("x", f32(&[2, 8, 16]));
    let y = b.input("y", f32(&[1, 32, 8]));
    let w = b.param("proj.weight", f32(&[16, 32]));
    let bias = b.param("proj.bias", f32(&[32]));
    b.set_path("proj");
    let projected = b.op(Linear {}, &[x, w, bias])?;
    b.set_path("");
    let z = b.op(Matmul {}, &[projected, y])?;
    b.output("z", z);
    b.finish()
}

pub(crate) fn convolutions() -> Built {
    let mut b = Graph::builder("convolutions");
    let x = b.input("x", ty("f16[1,4,8,8]@[0,2,3,1]"));
    let w = b.param("down.weight", ty("f16[8,2,3,3]"));
    let bias = b.param("down.bias", ty("f16[8]"));
    let back = b.param("up.weight", ty("f16[8,4,2,2]"));
    b.set_path("down.0.conv");
    let conv = Conv {
        stride: vec![2, 2],
        padding: vec![1, 1],
        dilation: vec![1, 1],
        groups: 2,
    };
    let y = b.op(conv, &[x, w, bias])?;
    b.set_path("up.0.conv");
    let transposed = ConvTranspose {
        stride: vec![2, 2],
        padding: vec![0, 0],
        output_padding: vec![0, 0],
        dilation: vec![1, 1],
        groups: 1,
    };
    let z = b.op(transposed, &[y, back])?;
    b.output("z", z);
    b.finish()
}

pub(crate) fn normalizations() -> Built {
    let mut b = Graph::builder("normalizations");
    let x = b.input("x", f32(&[1, 8, 4, 4]));
    let gamma = b.param("gamma", f32(&[8]));
    let beta = b.param("beta", f32(&[8]));
    let wide = b.param("wide", f32(&[4]));
    let y = b.op(
        GroupNorm {
            groups: 2,
            eps: 1e-5,
        },
        &[x, gamma, beta],
    )?;
    let y = b.op(BatchNorm { eps: 0.001 }, &[y, gamma, beta, beta, gamma])?;
    let y = b.op(LayerNorm { eps: 1e-12 }, &[y, wide])?;
    let y = b.op(Softmax { dim: 3 }, &[y])?;
    b.output("y", y);
    b.finish()
}

pub(crate) fn pooling() -> Built {
    let mut b = Graph::builder("pooling");
    let x = b.input("x", f32(&[1, 2, 9, 9]));
    let grid = b.input("grid", f32(&[1, 3, 5, 2]));
    let max = MaxPool {
        kernel: vec![3, 3],
        stride: vec![1, 1],
        padding: vec![1, 1],
        dilation: vec![1, 1],
        ceil_mode: false,
    };
    let x = b.op(max, &[x])?;
    let avg = AvgPool {
        kernel: vec![2, 2],
        stride: vec![2, 2],
        padding: vec![0, 0],
        count_include_pad: true,
        ceil_mode: true,
    };
    let x = b.op(avg, &[x])?;
    let x = b.op(AdaptiveAvgPool { size: vec![3, 4] }, &[x])?;
    let resize = Resize {
        size: [6, 8],
        mode: ResizeMode::NearestExact,
        align_corners: false,
    };
    let x = b.op(resize, &[x])?;
    let warp = GridSample {
        mode: SampleMode::Bilinear,
        padding: SamplePadding::Reflection,
        align_corners: true,
    };
    let x = b.op(warp, &[x, grid])?;
    b.output("y", x);
    b.finish()
}

pub(crate) fn reductions() -> Built {
    let mut b = Graph::builder("reductions");
    let x = b.input("x", f32(&[2, 3, 4]));
    let mask = b.input("mask", TensorType::new(DType::Bool, [2, 3, 4]));
    use ReduceFn::*;
    for f in [All, Any, Max, Mean, Min, Prod, Sum] {
        let on = if matches!(f, All | Any) { mask } else { x };
        let y = b.op(
            Reduce {
                f,
                dims: vec![0, 2],
            },
            &[on],
        )?;
        b.output(format!("{f:?}"), y);
    }
    for max in [false, true] {
        let y = b.op(
            ArgReduce {
                max,
                dim: 1,
                dtype: DType::I64,
            },
            &[x],
        )?;
        b.output(if max { "arg max" } else { "arg min" }, y);
    }
    b.finish()
}

pub(crate) fn shapes() -> Built {
    let mut b = Graph::builder("shapes");
    let x = b.input("x", f32(&[1, 4, 6, 6]));
    let channels_last = Order::channels_last(4);
    let y = b.op(
        Reorder {
            order: channels_last.clone(),
        },
        &[x],
    )?;
    let flat = b.op(
        Reshape {
            shape: vec![1, 4, 36],
            order: Order::new([0, 2, 1]).ok(),
        },
        &[y],
    )?;
    let tokens = b.op(Permute::of([0, 2, 1]), &[flat])?;
    let y = b.op(
        Permute {
            axes: vec![0, 2, 1],
            order: None,
        },
        &[tokens],
    )?;
    let y = b.op(Reshape::to([4, 6, 6]), &[y])?;
    let y = b.op(Flip { dims: vec![0, 2] }, &[y])?;
    let slice = Slice {
        start: vec![0, 1, 0],
        end: vec![1, 6, 6],
        step: vec![1, 2, 1],
    };
    let y = b.op(slice, &[y])?;
    let y = b.op(
        Expand {
            shape: vec![5, 3, 6],
        },
        &[y],
    )?;
    let y = b.op(Concat { dim: 1 }, &[y, y, y])?;
    let pad = Pad {
        before: vec![0, 1, 1],
        after: vec![0, 0, 2],
        mode: PadMode::Constant,
        value: Some(Scalar::Float(-0.0)),
    };
    let y = b.op(pad, &[y])?;
    let pad = Pad {
        before: vec![0, 0, 1],
        after: vec![0; 3],
        mode: PadMode::Reflect,
        value: None,
    };
    let y = b.op(pad, &[y])?;
    let y = b.op(Cast { dtype: DType::BF16 }, &[y])?;
    b.output("y", y);
    b.finish()
}

pub(crate) fn indices() -> Built {
    let mut b = Graph::builder("indices");
    let i = b.input("i", TensorType::new(DType::I64, [2, 3]));
    let line = b.input("line", TensorType::new(DType::U8, [5]));
    let table = b.param("table", f32(&[10, 4]));
    let y = b.op(Embedding {}, &[table, i])?;
    b.output("embedded", y);
    let y = b.op(Gather { dim: 0 }, &[table, i])?;
    b.output("gathered", y);
    let y = b.op(IndexSelect { dim: 1 }, &[table, line])?;
    b.output("selected", y);
    b.finish()
}

pub(crate) fn created() -> Built {
    let mut b = Graph::builder("created");
    let full = Full {
        ty: ty("f32[2,3]@[1,0]"),
        value: Scalar::Float(f64::NEG_INFINITY),
    };
    let y = b.op(full, &[])?;
    b.output("full", y);
    let values = vec![Scalar::Int(i64::MIN), Scalar::Int(0), Scalar::Int(i64::MAX)];
    let y = b.op(
        Constant {
            ty: TensorType::new(DType::I64, [3]),
            values,
        },
        &[],
    )?;
    b.output("integers", y);
    let values = [0.0, -0.0, 1e-300, 5e-324, 1e16, f64::INFINITY]
        .map(Scalar::Float)
        .to_vec();
    let y = b.op(
        Constant {
            ty: TensorType::new(DType::F64, [6]),
            values,
        },
        &[],
    )?;
    b.output("floats", y);
    b.finish()
}

pub(crate) fn attention() -> Built {
    let mut b = Graph::builder("attention");
    let q = b.input("q", f32(&[1, 2, 16, 8]));
    let kv = b.input("kv", f32(&[1, 2, 20, 8]));
    let mask = b.input("mask", TensorType::new(DType::Bool, [1, 1, 16, 20]));
    let bias = b.input("bias", f32(&[1, 2, 1, 20]));
    let y = b.op(Attention::default(), &[q, kv, kv])?;
    b.output("plain", y);
    let all = Attention {
        scale: Some(0.125),
        softcap: Some(30.0),
        causal: true,
        mask: true,
        bias: true,
    };
    let y = b.op(all, &[q, kv, kv, mask, bias])?;
    b.output("all", y);
    b.finish()
}

/// A state, an extern with two outputs, a region in a region, graph attributes.
pub(crate) fn others() -> Built {
    let mut b = Graph::builder("others \"quoted\"");
    b.set_flag(GraphFlag::StaticPlan);
    b.set_attr("steps", 4);
    let x = b.input("frame", f32(&[1, 4, 2, 2]));
    let gamma = b.param("norm.gamma", f32(&[4]));
    let beta = b.param("norm.beta", f32(&[4]));
    let memory = b.state("memory", f32(&[1, 4, 2, 2]));
    b.state("constant", f32(&[1]));
    let sort = Extern {
        engine: "burn".into(),
        version: "0.22.1".into(),
        name: "sort".into(),
        payload: "{\"dim\": 1,\n\t\"text\": \"é \\\\ \u{7f}\"}".into(),
        inputs: vec![f32(&[1, 4, 2, 2])],
        outputs: vec![
            f32(&[1, 4, 2, 2]),
            TensorType::new(DType::I64, [1, 4, 2, 2]),
        ],
    };
    b.set_path("sort");
    let sorted = b.push(sort, &[x])?;
    b.set_path("mid.norm");
    let y = b.op(norm_silu_twice(), &[sorted[0], gamma, beta])?;
    b.set_path("");
    let next = b.op(Binary::Add, &[y, memory])?;
    b.set_state(memory, next)?;
    b.output("image", y);
    b.output("places", sorted[1]);
    b.finish()
}

/// `group_norm_silu` as the verifier knows it, with `groups = 2` and `eps = 1e-6`, on `x`.
pub(crate) fn norm_silu(x: &TensorType) -> Region {
    let mut b = Graph::builder("group_norm_silu");
    let channels = TensorType::new(x.dtype, [x.shape[1]]);
    let inputs = [
        b.input("x", x.clone()),
        b.input("gamma", channels.clone()),
        b.input("beta", channels),
    ];
    let y = b
        .op(
            GroupNorm {
                groups: 2,
                eps: 1e-6,
            },
            &inputs,
        )
        .unwrap();
    let y = b.op(Unary::Silu, &[y]).unwrap();
    b.output("out", y);
    let mut attributes = Attrs::new();
    attributes.insert("groups".into(), 2.into());
    attributes.insert("eps".into(), 1e-6.into());
    Region::new("group_norm_silu", attributes, Arc::new(b.finish().unwrap()))
}

fn norm_silu_twice() -> Region {
    let mut b = Graph::builder("twice");
    let x = b.input("x", f32(&[1, 4, 2, 2]));
    let parameters = [b.input("gamma", f32(&[4])), b.input("beta", f32(&[4]))];
    let y = b
        .op(
            norm_silu(&f32(&[1, 4, 2, 2])),
            &[x, parameters[0], parameters[1]],
        )
        .unwrap();
    let y = b
        .op(
            norm_silu(&f32(&[1, 4, 2, 2])),
            &[y, parameters[0], parameters[1]],
        )
        .unwrap();
    b.output("out", y);
    Region::new(
        "norm_silu_twice",
        Attrs::new(),
        Arc::new(b.finish().unwrap()),
    )
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A few bytes of `bytes` changed, cut out, repeated or brought in, or the end cut off.
    pub(crate) fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..1 + self.below(4) {
            if bytes.is_empty() {
                break;
            }
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(24)).min(bytes.len());
            match self.below(6) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = self.next() as u8,
                2 => bytes.truncate(at),
                3 => drop(bytes.drain(at..end)),
                4 => {
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
                _ => bytes.insert(at, b"0123456789{}[]()\"%@=,.-#\n\\"[self.below(26)]),
            }
        }
        bytes
    }
}

/// A program of two bodies, one of which calls the other, that share a parameter:
/// step(x) = tanh(scale · x), twice(x) = (step(step(x)), scale · step(x) + bias), and
/// y = twice(step(x)).
pub(crate) fn calls() -> Built {
    let ty = f32(&[2, 3]);
    let mut b = Graph::builder("step");
    let x = b.input("x", ty.clone());
    let scale = b.param("scale", f32(&[1, 3]));
    b.set_path("scale");
    let y = b.op(Binary::Mul, &[x, scale])?;
    let y = b.op(Unary::Tanh, &[y])?;
    b.output("y", y);
    let step = Arc::new(b.finish()?);

    let mut b = Graph::builder("twice");
    let x = b.input("x", ty.clone());
    let scale = b.param("scale", f32(&[1, 3]));
    let bias = b.param("bias", f32(&[1, 3]));
    let once = b.op(Call::new(step.clone()), &[x])?;
    let again = b.op(Call::new(step.clone()), &[once])?;
    let other = b.op(Binary::Mul, &[once, scale])?;
    let other = b.op(Binary::Add, &[other, bias])?;
    b.output("again", again);
    b.output("other", other);
    let twice = Arc::new(b.finish()?);

    let mut b = Graph::builder("calls");
    let x = b.input("x", ty);
    b.set_path("first");
    let once = b.op(Call::new(step), &[x])?;
    b.set_path("");
    let first = b.push(Call::new(twice.clone()), &[once])?;
    let second = b.push(Call::new(twice), &[first[1]])?;
    b.output("again", second[0]);
    b.output("other", second[1]);
    b.finish()
}
