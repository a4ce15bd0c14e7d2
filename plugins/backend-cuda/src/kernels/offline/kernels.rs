//! Every kernel, in each form that plans give it, as the engine would compile it.

use std::sync::Arc;

use cubecl::{
    cmma::MatrixLayout,
    ir::{
        ContiguousElements, DeviceIdentity, DeviceProperties, ElemType, FloatKind,
        HardwareProperties, MemoryDeviceProperties, MmaProperties, TargetProperties, UIntKind,
        VectorSize,
        features::{Features, MmaConfig},
    },
    prelude::*,
    profile::TimingMethod,
};
use cubecl_runtime::kernel::CubeKernel;
use mirage_ir::{
    DType,
    ops::{Binary, Unary},
    regions::Activation,
};
use mirage_runtime::elementwise::{Number, Program, Step};

use crate::kernels::{
    attention::{
        few::{self, PlacesCompilationArg, attend_few},
        flash::{self, Heads, RowsCompilationArg, attend},
    },
    copy::copy_kernel,
    elementwise::{
        is_computed,
        run::{self, Reach},
    },
    fragments::Arithmetic,
    join,
    norm::{
        groups::{self, ExtentsCompilationArg, normalize_groups},
        rows::{self, normalize_rows},
    },
    pad,
    product::{
        self,
        finish::{PartsCompilationArg, finish},
        multiply::{SplitCompilationArg, Tile, WindowCompilationArg, multiply},
        plan::Plan,
    },
    spatial::{
        self,
        pool::{GeometryCompilationArg, Pooling, pool},
        resample::{Resampling, ScaleCompilationArg, resample},
    },
    stopwatch::wait_kernel,
};

const HALVES: [(FloatKind, DType); 2] =
    [(FloatKind::F16, DType::F16), (FloatKind::BF16, DType::BF16)];
const SINGLE: (FloatKind, DType) = (FloatKind::F32, DType::F32);

/// A kernel and what it is called in the table.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) kernel: Box<dyn CubeKernel>,
}

fn device() -> Arc<DeviceProperties> {
    let hardware = HardwareProperties {
        load_width: 128,
        vector_register_count: None,
        plane_size_min: 32,
        plane_size_max: 32,
        max_bindings: 32,
        max_shared_memory_size: 101_376,
        max_cube_count: (u32::MAX, 65_535, 65_535),
        max_units_per_cube: 1024,
        max_cube_dim: (1024, 1024, 64),
        num_streaming_multiprocessors: None,
        num_tensor_cores: Some(4),
        min_tensor_cores_dim: Some(8),
        num_cpu_cores: None,
        last_level_cache_size: None,
        max_vector_size: VectorSize::MAX,
        cube_mma_reserved_shared_memory: 0,
    };
    let mut features = Features::default();
    for (kind, _) in HALVES {
        let fragment = |m, n, k| MmaConfig {
            a_type: ElemType::Float(kind),
            b_type: ElemType::Float(kind),
            cd_type: ElemType::Float(FloatKind::F32),
            m,
            n,
            k,
        };
        features.matmul.cmma.insert(fragment(16, 16, 16));
        features.matmul.mma.insert(fragment(16, 8, 16));
    }
    features.matmul.mma.insert(MmaConfig {
        a_type: ElemType::Float(FloatKind::TF32),
        b_type: ElemType::Float(FloatKind::TF32),
        cd_type: ElemType::Float(FloatKind::F32),
        m: 16,
        n: 8,
        k: 8,
    });
    Arc::new(DeviceProperties::new(
        features,
        MemoryDeviceProperties::new(u64::MAX, 512),
        hardware,
        TimingMethod::Device,
        DeviceIdentity {
            name: "none".to_owned(),
            fingerprint: "none".to_owned(),
            physical: None,
        },
    ))
}

/// As the CUDA runtime has it: two 16-bit elements to a register.
fn target() -> Arc<TargetProperties> {
    Arc::new(TargetProperties {
        mma: MmaProperties {
            register_size_bits: 32,
            const_plane_size: 32,
            register_layout_a: MatrixLayout::RowMajor,
            register_layout_b: MatrixLayout::ColMajor,
            register_layout_acc: MatrixLayout::RowMajor,
            register_duplication_a: 1,
            register_duplication_b: 1,
            register_duplication_acc: 1,
            contiguous_elements: ContiguousElements::new(|_, _, _| 2),
        },
    })
}

fn settings(units: usize) -> KernelSettings {
    let cube = *CubeDim::new_1d(units as u32);
    KernelSettings::new(cube, ExecutionMode::Unchecked, AddressType::U32)
}

fn buffer() -> BufferCompilationArg {
    BufferCompilationArg { inplace: None }
}

/// Every kernel, in each form that plans give it.
pub(super) fn all() -> Vec<Named> {
    let mut all = Vec::new();
    for (kind, dtype) in HALVES.into_iter().chain([SINGLE]) {
        let element = ElemType::Float(kind);
        for (arithmetic, name) in arithmetics(dtype) {
            products(element, arithmetic, &name, &mut all);
            attentions(element, arithmetic, &name, &mut all);
        }
        finishes(element, dtype.name(), &mut all);
        others(element, dtype.name(), &mut all);
    }
    let wait = wait_kernel::WaitKernel::new(settings(1), device(), target(), buffer(), ());
    all.push(Named {
        name: "the wait before a node is timed".to_owned(),
        kernel: Box::new(wait),
    });
    all
}

/// How elements of this type may be multiplied, with names.
fn arithmetics(dtype: DType) -> Vec<(Arithmetic, String)> {
    let exact = Arithmetic::of(dtype, false);
    let rounded = Arithmetic::of(dtype, true);
    match dtype {
        DType::F32 => vec![
            (exact, "f32".to_owned()),
            (rounded, "f32 as tf32".to_owned()),
        ],
        _ => vec![(exact, dtype.name().to_owned())],
    }
}

fn scale() -> ScaleCompilationArg {
    ScaleCompilationArg {
        rows: (),
        columns: (),
        high: (),
        wide: (),
        inner: (),
        step_y: (),
        step_x: (),
    }
}

fn geometry() -> GeometryCompilationArg {
    GeometryCompilationArg {
        rows: (),
        columns: (),
        high: (),
        wide: (),
        inner: (),
        kernel_y: (),
        kernel_x: (),
        stride_y: (),
        stride_x: (),
        padding_y: (),
        padding_x: (),
        step_y: (),
        step_x: (),
    }
}

fn window() -> WindowCompilationArg {
    WindowCompilationArg {
        rows: (),
        in_height: (),
        in_width: (),
        out_height: (),
        out_width: (),
        channels: (),
        taps_across: (),
        taps: (),
        stride_down: (),
        stride_across: (),
        padding_down: (),
        padding_across: (),
        dilation_down: (),
        dilation_across: (),
    }
}

fn products(dtype: ElemType, arithmetic: Arithmetic, name: &str, all: &mut Vec<Named>) {
    for rows in [16, 32, 64] {
        let widest = Plan::new(rows, 64, 64, true, arithmetic, 1).tile.line();
        for (plain, line) in [(true, widest), (false, widest), (false, 2), (false, 1)] {
            let tile: Tile = Plan::new(rows, 64, 64, plain, arithmetic, 1).tile;
            let kernel = multiply::Multiply::new(
                settings(tile.units()),
                device(),
                target(),
                buffer(),
                buffer(),
                buffer(),
                window(),
                SplitCompilationArg {
                    tiles: (),
                    tiles_each: (),
                },
                line,
                tile.line(),
                tile,
                dtype,
            );
            let kind = if plain { "rows" } else { "windows" };
            all.push(Named {
                name: format!(
                    "multiply {}x{} {kind}, {line} at once, {name}",
                    tile.rows, tile.columns
                ),
                kernel: Box::new(kernel),
            });
        }
    }
}

fn finishes(dtype: ElemType, name: &str, all: &mut Vec<Named>) {
    for activation in [
        Activation::None,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Relu,
        Activation::Sigmoid,
        Activation::Silu,
        Activation::Tanh,
    ] {
        let parts = PartsCompilationArg {
            columns: (),
            len: (),
            pitch: (),
            part: (),
            parts: (),
        };
        let kernel = finish::Finish::new(
            settings(product::FINISH_UNITS),
            device(),
            target(),
            buffer(),
            ComptimeOptionCompilationArg::Some(buffer()),
            ComptimeOptionCompilationArg::Some(buffer()),
            buffer(),
            parts,
            4,
            activation,
            dtype,
        );
        all.push(Named {
            name: format!("finish {activation:?}, {name}"),
            kernel: Box::new(kernel),
        });
    }
}

fn attentions(dtype: ElemType, arithmetic: Arithmetic, name: &str, all: &mut Vec<Named>) {
    let (most, widest) = match arithmetic {
        Arithmetic::Half => (192, 8),
        Arithmetic::Tf32 | Arithmetic::Tf32x3 => (96, 4),
    };
    let dims = [12, 24, 48, 64, 96, 128, 192];
    for dim in dims.into_iter().filter(|&dim| dim <= most) {
        let line = if dim == 12 { 4 } else { widest };
        let heads = Heads::new(dim, dim, arithmetic);
        let rows = || RowsCompilationArg {
            batch: (),
            head: (),
            row: (),
        };
        let kernel = attend::Attend::new(
            settings(flash::UNITS),
            device(),
            target(),
            buffer(),
            buffer(),
            buffer(),
            buffer(),
            rows(),
            rows(),
            rows(),
            rows(),
            (),
            (),
            (),
            line,
            heads,
            dtype,
        );
        all.push(Named {
            name: format!("attend heads of {dim}, {name}"),
            kernel: Box::new(kernel),
        });
    }
}

/// Kernels that need no tensor cores.
fn others(dtype: ElemType, name: &str, all: &mut Vec<Named>) {
    let copy = copy_kernel::CopyKernel::new(
        settings(256),
        device(),
        target(),
        buffer(),
        buffer(),
        (),
        8,
        dtype,
    );
    let layer = normalize_rows::NormalizeRows::new(
        settings(rows::UNITS),
        device(),
        target(),
        buffer(),
        buffer(),
        ComptimeOptionCompilationArg::Some(buffer()),
        buffer(),
        (),
        (),
        (),
        8,
        [dtype, dtype],
    );
    let join = join::join::Join::new(
        settings(join::UNITS),
        device(),
        target(),
        buffer(),
        buffer(),
        buffer(),
        (),
        (),
        (),
        8,
        dtype,
    );
    let pad = pad::pad::Pad::new(
        settings(pad::UNITS),
        device(),
        target(),
        buffer(),
        buffer(),
        (),
        (),
        (),
        (),
        (),
        8,
        dtype,
    );
    let resample = |resampling| {
        resample::Resample::new(
            settings(spatial::UNITS),
            device(),
            target(),
            buffer(),
            buffer(),
            scale(),
            (),
            8,
            resampling,
            dtype,
        )
    };
    let pool = |pooling| {
        pool::Pool::new(
            settings(spatial::UNITS),
            device(),
            target(),
            buffer(),
            buffer(),
            geometry(),
            (),
            8,
            pooling,
            dtype,
        )
    };
    let program = everything();
    let elementwise = run::run::Run::new(
        settings(256),
        device(),
        target(),
        buffer(),
        ComptimeOptionCompilationArg::Some(buffer()),
        ComptimeOptionCompilationArg::None,
        ComptimeOptionCompilationArg::None,
        buffer(),
        (),
        (),
        8,
        [Reach::Whole; 4],
        program,
        [dtype; 5],
    );
    let kernels: [(&str, Box<dyn CubeKernel>); 13] = [
        ("attend to few keys", Box::new(few_keys(dtype))),
        ("join", Box::new(join)),
        ("pad", Box::new(pad)),
        ("resample, nearest", Box::new(resample(Resampling::Nearest))),
        (
            "resample, nearest exact",
            Box::new(resample(Resampling::NearestExact)),
        ),
        ("resample, linear", Box::new(resample(Resampling::Linear))),
        ("pool, largest", Box::new(pool(Pooling::Max))),
        ("pool, mean", Box::new(pool(Pooling::MeanOfPadded))),
        ("copy", Box::new(copy)),
        ("layer norm", Box::new(layer)),
        (
            "group norm, channels last",
            Box::new(group_norm(dtype, true, 8)),
        ),
        ("group norm", Box::new(group_norm(dtype, false, 1))),
        ("every function of elements", Box::new(elementwise)),
    ];
    all.extend(kernels.into_iter().map(|(kind, kernel)| Named {
        name: format!("{kind}, {name}"),
        kernel,
    }));
}

/// Attention over few keys, with all that may be asked of it.
fn few_keys(dtype: ElemType) -> impl CubeKernel {
    let rows = || RowsCompilationArg {
        batch: (),
        head: (),
        row: (),
    };
    let places = || PlacesCompilationArg {
        batch: (),
        head: (),
        row: (),
        key: (),
    };
    attend_few::AttendFew::new(
        settings(few::UNITS),
        device(),
        target(),
        buffer(),
        buffer(),
        buffer(),
        ComptimeOptionCompilationArg::Some(buffer()),
        ComptimeOptionCompilationArg::Some(buffer()),
        buffer(),
        rows(),
        rows(),
        rows(),
        rows(),
        places(),
        places(),
        (),
        (),
        (),
        (),
        (),
        8,
        true,
        [dtype, ElemType::UInt(UIntKind::U8)],
    )
}

fn group_norm(dtype: ElemType, last: bool, of_parameters: usize) -> impl CubeKernel {
    let planes = groups::planes(usize::MAX);
    let extents = ExtentsCompilationArg {
        groups: (),
        len: (),
        run: (),
        pitch: (),
        channel: (),
        channels: (),
    };
    normalize_groups::NormalizeGroups::new(
        settings(groups::units(planes)),
        device(),
        target(),
        buffer(),
        ComptimeOptionCompilationArg::Some(buffer()),
        ComptimeOptionCompilationArg::Some(buffer()),
        buffer(),
        extents,
        (),
        8,
        of_parameters,
        last,
        planes,
        Activation::Silu,
        [dtype, dtype],
    )
}

/// A program with every function that programs may have.
fn everything() -> Program {
    let first = vec![
        Step::Binary(Binary::Mul, 0, 1),
        Step::WithScalar(Binary::Add, 2, Number::of(0.5)),
        Step::Binary(Binary::Gt, 3, 0),
        Step::Select(4, 0, 3),
        Step::ToBool(5),
        Step::ToF16(5),
        Step::ToBf16(5),
        Step::Copy(5),
    ];
    let mut program = Program {
        operands: 2,
        steps: first,
    };
    let last = |program: &Program| program.operands + program.steps.len() - 1;
    for &f in Unary::ALL {
        let step = Step::Unary(f, last(&program));
        program.steps.extend(is_computed(step).then_some(step));
    }
    for &f in Binary::ALL {
        let step = Step::Binary(f, last(&program), 0);
        program.steps.extend(is_computed(step).then_some(step));
    }
    program
}
