//! Chains of tensor functions.

use crate::common::*;
use burn::{
    nn::{Linear, LinearConfig},
    tensor::{
        Bool, Device, FloatDType, Int, IntDType, Tensor, activation,
        ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode, PadMode},
        s,
    },
};

/// A module that the functions do not use.
fn any() -> Linear {
    LinearConfig::new(1, 1).init(&Device::flex())
}

#[test]
fn cumsum_sort_gather_where() {
    let given = [("x", floats(1, [3, 6])), ("i", ints(2, [3, 4], 6))];
    check(&any(), &given, &["CumSum", "Sort"], |_, x| {
        let sums = x.float::<2>("x").cumsum(1);
        let sorted = sums.clone().sort(1);
        let gathered = sorted.gather(1, x.int("i"));
        let positive = gathered.clone().greater_elem(0.2);
        gathered.clone().mask_where(positive, gathered * -3.0)
    });
    check(&any(), &given, &["ArgSort"], |_, x| {
        x.float::<2>("x").argsort(1)
    });
    check(&any(), &given, &["SortWithIndices"], |_, x| {
        let (values, indices) = x.float::<2>("x").sort_descending_with_indices(1);
        values + indices.float()
    });
    check(&any(), &given, &["TopK"], |_, x| {
        x.float::<2>("x").topk(2, 1)
    });
}

#[test]
fn scatter_and_other_rare_operations_stay_burns() {
    let given = [
        ("x", floats(3, [3, 5])),
        ("i", ints(4, [3, 5], 5)),
        ("y", floats(5, [3, 5])),
    ];
    check(&any(), &given, &["Scatter"], |_, x| {
        x.float::<2>("x").scatter(
            1,
            x.int("i"),
            x.float("y"),
            burn::tensor::IndexingUpdateOp::Add,
        )
    });
    check(
        &any(),
        &given,
        &["BitwiseAndScalar", "BitwiseXor"],
        |_, x| {
            let i = x.int::<2>("i");
            i.clone().bitwise_and_scalar(3).bitwise_xor(i)
        },
    );
    check(&any(), &given, &["ArcTan2"], |_, x| {
        x.float::<2>("x").atan2(x.float("y"))
    });
}

#[test]
fn sampling_at_places_of_a_grid() {
    let given = [
        ("x", floats(6, [2, 2, 4, 5])),
        ("grid", floats(7, [2, 3, 3, 2])),
    ];
    for mode in [InterpolateMode::Bilinear, InterpolateMode::Nearest] {
        for padding in [
            GridSamplePaddingMode::Zeros,
            GridSamplePaddingMode::Border,
            GridSamplePaddingMode::Reflection,
        ] {
            for align in [false, true] {
                let options = GridSampleOptions::new(mode.clone())
                    .with_padding_mode(padding)
                    .with_align_corners(align);
                let captured = check(&any(), &given, &[], |_, x| {
                    // Half of the places are outside the picture.
                    let grid = x.float::<4>("grid") * 2.0;
                    x.float::<4>("x").grid_sample_2d(grid, options.clone())
                });
                assert_eq!(op_names(&captured), ["mul_scalar", "grid_sample"]);
            }
        }
    }
}

#[test]
fn bools_of_burns_own_operations_are_bools_of_the_graph() {
    // A scatter of bools: inputs and output of the kept operation are bool.
    let given = [
        ("x", bools(8, [2, 4])),
        ("i", ints(9, [2, 4], 4)),
        ("y", bools(10, [2, 4])),
    ];
    check(&any(), &given, &["Scatter"], |_, x| {
        let out: Tensor<2, Bool> = x.bool::<2>("x").scatter(
            1,
            x.int("i"),
            x.bool("y"),
            burn::tensor::IndexingUpdateOp::Add,
        );
        out.bool_not()
    });
}

#[test]
fn shapes_and_places() {
    let given = [("x", floats(11, [2, 3, 4]))];
    check(&any(), &given, &[], |_, x| {
        x.float::<3>("x").swap_dims(0, 2).reshape([4, 6])
    });
    check(&any(), &given, &[], |_, x| {
        x.float::<3>("x").permute([1, 2, 0]).flip([0, 2])
    });
    check(&any(), &given, &[], |_, x| {
        x.float::<3>("x").slice(s![.., 1..;2, -3..])
    });
    check(&any(), &given, &["Slice"], |_, x| {
        x.float::<3>("x").slice(s![.., .., ..;-1])
    });
    check(&any(), &given, &[], |_, x| {
        x.float::<3>("x").repeat_dim(1, 3)
    });
    check(&any(), &given, &[], |_, x| {
        x.float::<3>("x").slice(s![.., .., 1..2]).repeat_dim(2, 3)
    });
    check(&any(), &given, &[], |_, x| {
        x.float::<3>("x")
            .mean_dim(0)
            .squeeze_dim::<2>(0)
            .expand([5, 3, 4])
    });
    check(&any(), &given, &[], |_, x| {
        let x = x.float::<3>("x");
        Tensor::cat(vec![x.clone(), x.clone().neg(), x.narrow(1, 0, 1)], 1)
    });
    check(&any(), &given, &[], |_, x| {
        let parts = x.float::<3>("x").chunk(2, 2);
        Tensor::stack::<4>(parts, 1)
    });
    for mode in [PadMode::Constant(0.5), PadMode::Reflect, PadMode::Edge] {
        check(&any(), &given, &[], |_, x| {
            x.float::<3>("x").pad((1, 2, 0, 1), mode)
        });
    }
}

#[test]
fn assignment_to_a_block() {
    let given = [
        ("x", floats(12, [3, 4, 5])),
        ("y", floats(13, [3, 2, 1])),
        ("z", floats(14, [1, 4, 5])),
    ];
    check(&any(), &given, &[], |_, x| {
        x.float::<3>("x")
            .slice_assign(s![.., 1..3, 4..], x.float("y"))
    });
    let ring = check(&any(), &given, &[], |_, x| {
        x.float::<3>("x")
            .slice_assign(s![2..3, .., ..], x.float("z"))
    });
    assert_eq!(op_names(&ring), ["slice", "concat"]);
    let whole = check(&any(), &given, &[], |_, x| {
        x.float::<3>("x")
            .slice_assign(s![.., .., ..], x.float::<3>("x") * 2.0)
    });
    assert_eq!(op_names(&whole), ["mul_scalar"]);
}

#[test]
fn reductions() {
    let given = [("x", floats(15, [2, 3, 4]))];
    check(&any(), &given, &[], |_, x| {
        let x = x.float::<3>("x");
        let parts = vec![
            x.clone().sum(),
            x.clone().mean(),
            x.clone().prod(),
            x.clone().max(),
            x.clone().min(),
            x.clone().max_abs(),
            x.clone().sum_dim(1).max_dim(2).min_dim(0).reshape([1]),
            x.clone().var(1).prod_dim(2).sum(),
            x.max_abs_dim(1).mean(),
        ];
        Tensor::cat(parts, 0)
    });
    check(&any(), &given, &[], |_, x| x.float::<3>("x").argmax(2));
    check(&any(), &given, &[], |_, x| x.float::<3>("x").argmin(1));
    check(&any(), &given, &[], |_, x| {
        let (max, at) = x.float::<3>("x").max_dim_with_indices(1);
        max + at.float()
    });
    check(&any(), &given, &[], |_, x| {
        x.float::<3>("x").greater_elem(0.3).any_dim(2)
    });
    check(&any(), &given, &[], |_, x| {
        x.float::<3>("x").greater_elem(-2.0).all()
    });
}

#[test]
fn comparisons_and_logic() {
    let given = [
        ("x", floats(16, [3, 4])),
        ("y", floats(17, [3, 1])),
        ("m", bools(18, [3, 4])),
    ];
    check(&any(), &given, &[], |_, x| {
        let (a, b) = (x.float::<2>("x"), x.float::<2>("y").expand([3, 4]));
        let m = x.bool::<2>("m");
        let one = a.clone().lower(b.clone()).bool_or(m.clone());
        let two = a
            .clone()
            .greater_equal_elem(0.1)
            .bool_and(m.clone().bool_not());
        one.bool_xor(two)
            .not_equal(m.bool_not().equal(a.lower_equal_elem(0.0)))
    });
    check(&any(), &given, &[], |_, x| {
        let masked = x.float::<2>("x").mask_fill(x.bool("m"), f32::NEG_INFINITY);
        activation::softmax(masked, 1)
    });
}

#[test]
fn integers() {
    let given = [("i", ints(19, [3, 5], 40)), ("j", ints(20, [3, 5], 7))];
    check(&any(), &given, &[], |_, x| {
        let (i, j): (Tensor<2, Int>, Tensor<2, Int>) = (x.int("i"), x.int("j") + 1);
        let (i, j) = (i - 20, j - 9);
        // Divisions of negative numbers, where conventions part.
        (i.clone() / j.clone()) * 100 + (i.clone() % j.clone()) * 10 + (i % 7).clamp(1, 5)
    });
    check(&any(), &given, &["Mean"], |_, x| {
        x.int::<2>("i").mean() + x.int::<2>("j").sum()
    });
    check(&any(), &given, &[], |_, x| {
        x.int::<2>("i").matmul(x.int::<2>("j").transpose())
    });
    check(&any(), &given, &[], |_, x| {
        // The default integer is i64 while recording, i32 on burn-flex.
        let steps = Tensor::<1, Int>::arange(0..5, &x.device()).cast(IntDType::I64);
        let steps = steps.unsqueeze::<2>().expand([3, 5]);
        (x.int::<2>("i") + steps).float().div_scalar(3.0).int()
    });
}

#[test]
fn floating_point_functions() {
    let given = [("x", floats(21, [4, 5])), ("y", floats(22, [4, 5]))];
    check(&any(), &given, &[], |_, x| {
        let (x, y) = (x.float::<2>("x"), x.float::<2>("y"));
        let a = x.clone().exp().log1p().sqrt() + y.clone().abs().add_scalar(0.1).log().erf();
        let b = x.clone().sin() * y.clone().cos() - x.clone().tan().tanh();
        let c = (x.clone() * 5.0).floor() + (y.clone() * 5.0).ceil() + (x.clone() * 7.0).round();
        let d = x.clone().abs().add_scalar(0.5).powf(y.clone())
            + y.clone().powi_scalar(3)
            + x.clone().abs().powf_scalar(0.7);
        let e = (y.clone() * 2.0).clamp(-0.5, 0.7)
            + x.clone().sign() % y.clone().add_scalar(3.0).recip();
        a + b + c.div(d) + e + x.cosh() - y.asin()
    });
}

#[test]
fn activations() {
    let given = [("x", floats(23, [2, 3, 4])), ("alpha", floats(24, [3]))];
    for f in [
        activation::relu,
        activation::gelu,
        activation::sigmoid,
        activation::log_sigmoid,
        activation::silu,
        activation::mish,
        activation::softsign,
    ] as [fn(Tensor<3>) -> Tensor<3>; 7]
    {
        check(&any(), &given, &[], |_, x| f(x.float::<3>("x") * 4.0));
    }
    check(&any(), &given, &[], |_, x| {
        activation::leaky_relu(x.float::<3>("x"), 0.1)
    });
    check(&any(), &given, &[], |_, x| {
        activation::hard_sigmoid(x.float::<3>("x") * 6.0, 0.2, 0.5)
    });
    check(&any(), &given, &[], |_, x| {
        activation::prelu(x.float::<3>("x"), x.float::<1>("alpha"))
    });
    check(&any(), &given, &[], |_, x| {
        activation::softmax(x.float::<3>("x"), 1)
    });
    check(&any(), &given, &[], |_, x| {
        activation::softmin(x.float::<3>("x"), 2)
    });
    // A softmax that underflows has a finite logarithm.
    check(&any(), &given, &[], |_, x| {
        activation::log_softmax(x.float::<3>("x") * 400.0, 2)
    });
}

#[test]
fn half_precision() {
    let given = [("x", floats(25, [4, 6]))];
    let captured = check_within(2e-3, &any(), &given, &[], |_, x| {
        let half = x.float::<2>("x").cast(FloatDType::F16);
        (half.clone() * half + 1.0).cast(FloatDType::F32)
    });
    assert_eq!(op_names(&captured), ["cast", "mul", "add_scalar", "cast"]);
}
