//! Operations on tensors without elements, and with such outputs: never a panic, always the type.

use mirage_ir::{
    Attrs, DType, Graph, Op, Params, Scalar, TensorType,
    interp::{Tensor, run},
    ops,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Runs one operation on tensors of these types.
fn apply(op: impl Into<Op>, inputs: &[(TensorType, Tensor)]) -> Result<Tensor> {
    let mut b = Graph::builder("one");
    let values: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(i, (ty, _))| b.input(format!("x{i}"), ty.clone()))
        .collect();
    let y = b.op(op, &values)?;
    b.output("y", y);
    let tensors: Vec<Tensor> = inputs.iter().map(|(_, t)| t.clone()).collect();
    Ok(run(&b.finish()?, &Params::new(), &tensors, &[])?
        .outputs
        .remove(0))
}

/// Operations whose output or whose operand is empty, as text: types of the operands, operation,
/// type of the output.
const EMPTY: &[(&[&str], &str, &str, &str)] = &[
    (&["f32[0,3]"], "exp", "", "f32[0,3]"),
    (&["f32[0,3]", "f32[1,3]"], "add", "", "f32[0,3]"),
    (
        &["bool[0,1]", "f32[1,3]", "f32[1,1]"],
        "select",
        "",
        "f32[0,3]",
    ),
    (&["i32[0]"], "cast", "dtype = 'bool'", "bool[0]"),
    (
        &["f32[0,2,4,4]", "f32[3,2,1,1]"],
        "conv",
        CONV,
        "f32[0,3,4,4]",
    ),
    (
        &["f32[1,2,4,4]", "f32[0,2,1,1]"],
        "conv",
        CONV,
        "f32[1,0,4,4]",
    ),
    (
        &["f32[1,0,2,2]", "f32[2,0,1,1]", "f32[2]"],
        "conv",
        CONV,
        "f32[1,2,2,2]",
    ),
    (
        &["f32[0,2,4,4]", "f32[2,3,1,1]"],
        "conv_transpose",
        TRANSPOSED,
        "f32[0,3,4,4]",
    ),
    (
        &["f32[1,0,2,2]", "f32[0,3,1,1]", "f32[3]"],
        "conv_transpose",
        TRANSPOSED,
        "f32[1,3,2,2]",
    ),
    (
        &["f32[1,2,2,2]", "f32[2,0,1,1]"],
        "conv_transpose",
        TRANSPOSED,
        "f32[1,0,2,2]",
    ),
    (&["f32[0,3]", "f32[3,2]"], "matmul", "", "f32[0,2]"),
    (&["f32[2,0]", "f32[0,3]"], "matmul", "", "f32[2,3]"),
    (&["i32[2,0]", "i32[0,3]"], "matmul", "", "i32[2,3]"),
    (
        &["f32[2,0]", "f32[0,3]", "f32[3]"],
        "linear",
        "",
        "f32[2,3]",
    ),
    (&["f32[2,3]", "f32[3,0]"], "linear", "", "f32[2,0]"),
    (
        &["f32[0,4,2]"],
        "group_norm",
        "groups = 2, eps = 1e-5",
        "f32[0,4,2]",
    ),
    (
        &["f32[1,4,0]"],
        "group_norm",
        "groups = 2, eps = 1e-5",
        "f32[1,4,0]",
    ),
    (
        &["f32[3,0]", "f32[0]"],
        "layer_norm",
        "eps = 1e-5",
        "f32[3,0]",
    ),
    (
        &["f32[0,2]", "f32[2]", "f32[2]", "f32[2]", "f32[2]"],
        "batch_norm",
        "eps = 1e-5",
        "f32[0,2]",
    ),
    (&["f32[2,0]"], "softmax", "dim = 1", "f32[2,0]"),
    (&["f32[2,0]"], "softmax", "dim = 0", "f32[2,0]"),
    (&["f32[2,0]"], "reduce_sum", "dims = [1]", "f32[2,1]"),
    (&["i32[2,0]"], "reduce_prod", "dims = [1]", "i32[2,1]"),
    (&["bool[2,0]"], "reduce_all", "dims = [0]", "bool[1,0]"),
    (&["f32[2,0]"], "reduce_max", "dims = [0]", "f32[1,0]"),
    (
        &["f32[2,0]"],
        "arg_max",
        "dim = 0, dtype = 'i64'",
        "i64[1,0]",
    ),
    (&["f32[0,1,4,4]"], "max_pool", POOL, "f32[0,1,2,2]"),
    (
        &["f32[0,1,4]"],
        "adaptive_avg_pool",
        "size = [2]",
        "f32[0,1,2]",
    ),
    (
        &["f32[0,1,2,2]"],
        "resize",
        "size = [4, 4], mode = 'bicubic', align_corners = false",
        "f32[0,1,4,4]",
    ),
    (
        &["f32[1,2,3,3]", "f32[1,0,4,2]"],
        "grid_sample",
        "mode = 'bilinear', padding = 'zeros', align_corners = false",
        "f32[1,2,0,4]",
    ),
    (&["f32[0,3]"], "reshape", "shape = [3, 0, 2]", "f32[3,0,2]"),
    (&["f32[0,3]"], "permute", "axes = [1, 0]", "f32[3,0]"),
    (&["f32[0,1]"], "expand", "shape = [0, 5]", "f32[0,5]"),
    (
        &["f32[4]"],
        "slice",
        "start = [4], end = [4], step = [2]",
        "f32[0]",
    ),
    (
        &["f32[0,2]", "f32[3,2]", "f32[0,2]"],
        "concat",
        "dim = 0",
        "f32[3,2]",
    ),
    (
        &["f32[0,2]"],
        "pad",
        "before = [2, 0], after = [1, 0], mode = 'constant', value = 1.0",
        "f32[3,2]",
    ),
    (
        &["f32[0,2]"],
        "pad",
        "before = [0, 1], after = [0, 1], mode = 'edge'",
        "f32[0,4]",
    ),
    (&["f32[0,2]"], "flip", "dims = [0, 1]", "f32[0,2]"),
    (&["f32[0,2]", "i64[1,0]"], "embedding", "", "f32[1,0,2]"),
    (&["f32[0,2]", "i64[0,2]"], "gather", "dim = 0", "f32[0,2]"),
    (
        &["f32[0,2]", "i64[0]"],
        "index_select",
        "dim = 0",
        "f32[0,2]",
    ),
    (
        &["f32[1,1,2,3]", "f32[1,1,0,3]", "f32[1,1,0,4]"],
        "attention",
        "",
        "f32[1,1,2,4]",
    ),
    (
        &["f32[1,1,2,0]", "f32[1,1,3,0]", "f32[1,1,3,4]"],
        "attention",
        "",
        "f32[1,1,2,4]",
    ),
    (
        &["f32[0,1,2,3]", "f32[0,1,2,3]", "f32[0,1,2,3]"],
        "attention",
        "causal = true",
        "f32[0,1,2,3]",
    ),
];

const CONV: &str = "stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1";
const TRANSPOSED: &str =
    "stride = [1, 1], padding = [0, 0], output_padding = [0, 0], dilation = [1, 1], groups = 1";
const POOL: &str =
    "kernel = [2, 2], stride = [2, 2], padding = [0, 0], dilation = [1, 1], ceil_mode = false";

#[test]
fn empty_tensors_are_tensors() -> Result<()> {
    #[derive(serde::Deserialize)]
    struct Line {
        attrs: Attrs,
    }
    for (inputs, name, attrs, output) in EMPTY {
        let Line { attrs } = toml::from_str(&format!("attrs = {{ {attrs} }}"))?;
        let op = ops::decode(name, attrs, None, &[])?;
        let inputs = inputs
            .iter()
            .map(|t| Ok((t.parse()?, Tensor::full(&t.parse()?, one(t.parse()?))?)))
            .collect::<Result<Vec<(TensorType, Tensor)>>>()?;
        let got = apply(op, &inputs).map_err(|e| format!("{name}: {e}"))?;
        assert!(
            got.fits(&output.parse()?),
            "{name}: {:?} {:?}",
            got.shape(),
            got.elements()
        );
    }
    Ok(())
}

fn one(ty: TensorType) -> Scalar {
    match ty.dtype {
        DType::Bool => Scalar::Bool(true),
        d if d.is_float() => Scalar::Float(1.0),
        _ => Scalar::Int(1),
    }
}
