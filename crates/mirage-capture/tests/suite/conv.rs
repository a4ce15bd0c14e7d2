//! burn's own convolutional modules.

use crate::common::*;
use burn::{
    module::Module,
    nn::{
        BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, InstanceNormConfig, Linear,
        LinearConfig, PaddingConfig1d, PaddingConfig2d, Relu,
        conv::{
            Conv1dConfig, Conv2d, Conv2dConfig, Conv3dConfig, ConvTranspose1dConfig,
            ConvTranspose2dConfig, ConvTranspose3dConfig,
        },
        interpolate::{Interpolate2dConfig, InterpolateMode},
        pool::{
            AdaptiveAvgPool1dConfig, AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, AvgPool1dConfig,
            AvgPool2d, AvgPool2dConfig, MaxPool1dConfig, MaxPool2d, MaxPool2dConfig,
        },
    },
    tensor::{Device, Tensor, activation::silu},
};

#[derive(Module, Debug)]
struct Block {
    conv: Conv2d,
    norm: BatchNorm,
    activation: Relu,
}

impl Block {
    fn new(channels: [usize; 2], device: &Device) -> Self {
        Block {
            conv: Conv2dConfig::new(channels, [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device),
            norm: BatchNormConfig::new(channels[1]).init(device),
            activation: Relu::new(),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.activation
            .forward(self.norm.forward(self.conv.forward(x)))
    }
}

#[derive(Module, Debug)]
struct ConvNet {
    blocks: Vec<Block>,
    max: MaxPool2d,
    avg: AvgPool2d,
    adaptive: AdaptiveAvgPool2d,
    head: Linear,
}

impl ConvNet {
    fn new(device: &Device) -> Self {
        ConvNet {
            blocks: vec![Block::new([3, 4], device), Block::new([4, 6], device)],
            max: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            avg: AvgPool2dConfig::new([3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            adaptive: AdaptiveAvgPool2dConfig::new([2, 3]).init(),
            head: LinearConfig::new(36, 5).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.max.forward(self.blocks[0].forward(x));
        let x = self.avg.forward(self.blocks[1].forward(x));
        self.head.forward(self.adaptive.forward(x).flatten(1, 3))
    }
}

#[test]
fn conv_net_with_batch_norm_and_every_pool() {
    let module = seeded(ConvNet::new(&Device::flex()), 1);
    let given = [("x", floats(2, [2, 3, 14, 11]))];
    let captured = check(&module, &given, &[], |m, x| m.forward(x.float("x")));
    let names = param_names(&captured);
    assert_eq!(names.len(), 2 * 6 + 2);
    assert!(
        names.contains(&"blocks.1.norm.running_var".to_owned()),
        "{names:?}"
    );
    every_parameter_matters(&captured, &given, &[]);
}

#[test]
fn capturing_leaves_the_module_usable() {
    let module = seeded(ConvNet::new(&Device::flex()), 3);
    let x = || Tensor::<4>::from_data(floats(4, [1, 3, 8, 8]), &Device::flex());
    let before = module.forward(x()).into_data();
    check(&module, &[("x", floats(4, [1, 3, 8, 8]))], &[], |m, x| {
        m.forward(x.float("x"))
    });
    module.forward(x()).into_data().assert_eq(&before, true);
}

#[test]
fn group_norm_and_silu() {
    #[derive(Module, Debug)]
    struct M {
        norm: GroupNorm,
        conv: Conv2d,
    }
    let device = Device::flex();
    let module = M {
        norm: GroupNormConfig::new(2, 6).init(&device),
        conv: Conv2dConfig::new([6, 4], [1, 1]).init(&device),
    };
    let given = [("x", floats(5, [2, 6, 4, 5]))];
    let captured = check(&seeded(module, 6), &given, &[], |m, x| {
        m.conv.forward(silu(m.norm.forward(x.float::<4>("x"))))
    });
    every_parameter_matters(&captured, &given, &[]);
    let module = seeded(InstanceNormConfig::new(3).init(&device), 7);
    check(&module, &[("x", floats(8, [2, 3, 4, 4]))], &[], |m, x| {
        m.forward(x.float::<4>("x"))
    });
}

#[test]
fn convolutions_of_one_dimension() {
    let device = Device::flex();
    let given = [("x", floats(9, [2, 4, 17]))];
    let base = Conv1dConfig::new(4, 6, 3);
    for config in [
        base.clone()
            .with_stride(2)
            .with_padding(PaddingConfig1d::Explicit(1, 1)),
        base.clone().with_dilation(3).with_bias(false),
        base.clone()
            .with_groups(2)
            .with_padding(PaddingConfig1d::Explicit(2, 0)),
        Conv1dConfig::new(4, 8, 5).with_groups(4),
    ] {
        let captured = check(&seeded(config.init(&device), 10), &given, &[], |m, x| {
            m.forward(x.float("x"))
        });
        every_parameter_matters(&captured, &given, &[]);
    }
    for config in [
        ConvTranspose1dConfig::new([4, 6], 3)
            .with_stride(2)
            .with_padding(1)
            .with_padding_out(1),
        ConvTranspose1dConfig::new([4, 6], 4)
            .with_dilation(2)
            .with_groups(2),
    ] {
        let captured = check(&seeded(config.init(&device), 11), &given, &[], |m, x| {
            m.forward(x.float("x"))
        });
        every_parameter_matters(&captured, &given, &[]);
    }
}

#[test]
fn convolutions_of_two_dimensions() {
    let device = Device::flex();
    let given = [("x", floats(12, [2, 4, 9, 12]))];
    let base = Conv2dConfig::new([4, 6], [3, 2]);
    for config in [
        base.clone()
            .with_stride([2, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 0, 1, 0)),
        base.clone().with_dilation([2, 3]).with_bias(false),
        base.clone()
            .with_groups(2)
            .with_padding(PaddingConfig2d::Explicit(0, 1, 2, 3)),
        // Depthwise.
        Conv2dConfig::new([4, 4], [3, 3])
            .with_groups(4)
            .with_padding(PaddingConfig2d::Same),
    ] {
        let captured = check(&seeded(config.init(&device), 13), &given, &[], |m, x| {
            m.forward(x.float("x"))
        });
        every_parameter_matters(&captured, &given, &[]);
    }
    for config in [
        ConvTranspose2dConfig::new([4, 6], [3, 2])
            .with_stride([2, 2])
            .with_padding([1, 0])
            .with_padding_out([1, 0]),
        ConvTranspose2dConfig::new([4, 2], [2, 3])
            .with_dilation([1, 2])
            .with_groups(2)
            .with_bias(false),
    ] {
        let captured = check(&seeded(config.init(&device), 14), &given, &[], |m, x| {
            m.forward(x.float("x"))
        });
        every_parameter_matters(&captured, &given, &[]);
    }
}

#[test]
fn convolutions_of_three_dimensions() {
    let device = Device::flex();
    let given = [("x", floats(15, [1, 2, 4, 5, 6]))];
    let conv = seeded(
        Conv3dConfig::new([2, 3], [2, 3, 2])
            .with_stride([1, 2, 1])
            .init(&device),
        16,
    );
    check(&conv, &given, &[], |m, x| m.forward(x.float("x")));
    let transposed = ConvTranspose3dConfig::new([2, 3], [2, 2, 3]).with_stride([2, 1, 1]);
    check(
        &seeded(transposed.init(&device), 17),
        &given,
        &[],
        |m, x| m.forward(x.float("x")),
    );
}

#[test]
fn pools() {
    let device = Device::flex();
    let any = LinearConfig::new(1, 1).init(&device);
    let rows = [("x", floats(18, [2, 3, 11]))];
    let ceil = |ceil| {
        MaxPool1dConfig::new(3)
            .with_stride(2)
            .with_ceil_mode(ceil)
            .init()
    };
    check(&any, &rows, &[], |_, x| ceil(false).forward(x.float("x")));
    check(&any, &rows, &[], |_, x| {
        MaxPool1dConfig::new(2)
            .with_stride(2)
            .with_dilation(2)
            .init()
            .forward(x.float("x"))
    });
    check(&any, &rows, &[], |_, x| {
        AdaptiveAvgPool1dConfig::new(4).init().forward(x.float("x"))
    });
    for include in [true, false] {
        let padding = PaddingConfig1d::Explicit(1, 1);
        let pool = AvgPool1dConfig::new(3)
            .with_stride(2)
            .with_padding(padding)
            .with_count_include_pad(include);
        check(&any, &rows, &[], |_, x| pool.init().forward(x.float("x")));
    }
    let pictures = [("x", floats(19, [1, 2, 10, 8]))];
    for ceil in [true, false] {
        let max = MaxPool2dConfig::new([3, 3])
            .with_strides([2, 2])
            .with_ceil_mode(ceil)
            .init();
        check(&any, &pictures, &[], |_, x| max.forward(x.float("x")));
        for include in [true, false] {
            let avg = AvgPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_count_include_pad(include)
                .with_ceil_mode(ceil)
                .init();
            check(&any, &pictures, &[], |_, x| avg.forward(x.float("x")));
        }
    }
}

#[test]
fn resampling() {
    let any = LinearConfig::new(1, 1).init(&Device::flex());
    let given = [("x", floats(20, [1, 2, 5, 6]))];
    for (mode, externs) in [
        (InterpolateMode::Nearest, &[][..]),
        (InterpolateMode::Linear, &[]),
        (InterpolateMode::Cubic, &[]),
        (InterpolateMode::Lanczos, &["Interpolate"]),
    ] {
        for align_corners in [true, false] {
            for size in [[10, 12], [7, 4], [1, 3]] {
                let config = Interpolate2dConfig::new()
                    .with_output_size(Some(size))
                    .with_mode(mode.clone())
                    .with_align_corners(align_corners);
                check(&any, &given, externs, |_, x| {
                    config.clone().init().forward(x.float("x"))
                });
            }
        }
    }
}
