//! Every kernel compiled without a device: to PTX for four architectures, and by NVIDIA's assembler to
//! machine code, whose registers and spills are told.
//!
//! The assembler is named by the variable `PTXAS`, else looked for on the path; `scripts/setup-ptxas.sh`
//! gets it. `cargo test -- --nocapture` shows the table.

use std::{ffi::CStr, path::PathBuf, process::Command, sync::Arc};

use cubecl::{
    Compiler,
    cmma::MatrixLayout,
    ir::{
        ContiguousElements, DeviceIdentity, DeviceProperties, ElemType, FloatKind,
        HardwareProperties, MemoryDeviceProperties, MmaProperties, TargetProperties, VectorSize,
        features::{Features, MmaConfig},
        nvidia::SmArch,
    },
    prelude::*,
    profile::TimingMethod,
};
use cubecl_llvm::{
    LlvmTarget, PlironArtifact, PlironCompiler, PlironOptions, nvptx::ptx_version::PtxVersion,
};
use cubecl_runtime::kernel::CubeKernel;
use mirage_ir::{
    DType,
    ops::{Binary, Unary},
    regions::Activation,
};

use super::{
    attention::flash::{self, Heads, RowsCompilationArg, attend},
    copy::copy_kernel,
    elementwise::{
        program::{Number, Program, Step},
        run::{self, Reach},
    },
    norm::{
        groups::{self, ExtentsCompilationArg, normalize_groups},
        rows::{self, normalize_rows},
    },
    product::{
        finish::{PartsCompilationArg, finish},
        multiply::{LINE, SplitCompilationArg, Tile, WindowCompilationArg, multiply},
        plan::Plan,
    },
};

/// Architectures: Ampere's two, Ada, Hopper.
const ARCHITECTURES: [u32; 4] = [80, 86, 89, 90];
const HALVES: [(FloatKind, DType); 2] =
    [(FloatKind::F16, DType::F16), (FloatKind::BF16, DType::BF16)];

/// A driver's version that knows all of these.
const DRIVER: i32 = 12080;

struct Named {
    name: String,
    kernel: Box<dyn CubeKernel>,
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
fn all() -> Vec<Named> {
    let mut all = Vec::new();
    for (kind, name) in HALVES {
        let dtype = ElemType::Float(kind);
        products(dtype, name.name(), &mut all);
        attentions(dtype, name.name(), &mut all);
    }
    for (kind, name) in HALVES.into_iter().chain([(FloatKind::F32, DType::F32)]) {
        others(ElemType::Float(kind), name.name(), &mut all);
    }
    all
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

fn products(dtype: ElemType, name: &str, all: &mut Vec<Named>) {
    for rows in [16, 32, 64] {
        for (plain, line) in [(true, LINE), (false, LINE), (false, 4), (false, 1)] {
            let tile: Tile = Plan::new(rows, 64, 64, plain, 1).tile;
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
                LINE,
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
            settings(super::product::FINISH_UNITS),
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

fn attentions(dtype: ElemType, name: &str, all: &mut Vec<Named>) {
    for (dim, line) in [
        (12, 4),
        (24, 8),
        (48, 8),
        (64, 8),
        (96, 8),
        (128, 8),
        (192, 8),
    ] {
        let heads = Heads::new(dim, dim);
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
    let kernels: [(&str, Box<dyn CubeKernel>); 5] = [
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

fn group_norm(dtype: ElemType, last: bool, of_parameters: usize) -> impl CubeKernel {
    let extents = ExtentsCompilationArg {
        groups: (),
        len: (),
        run: (),
        pitch: (),
        channel: (),
        channels: (),
    };
    normalize_groups::NormalizeGroups::new(
        settings(groups::UNITS),
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
        Step::Truth(5),
        Step::Copy(5),
    ];
    let mut program = Program {
        operands: 2,
        steps: first,
    };
    let last = |program: &Program| program.operands + program.steps.len() - 1;
    let unknown = [Unary::IsInf, Unary::IsNan, Unary::Sign];
    for &f in Unary::ALL.iter().filter(|f| !unknown.contains(f)) {
        program.steps.push(Step::Unary(f, last(&program)));
    }
    for &f in Binary::ALL.iter().filter(|f| **f != Binary::Rem) {
        program.steps.push(Step::Binary(f, last(&program), 0));
    }
    program
}

fn ptx(kernel: &dyn CubeKernel, architecture: u32) -> String {
    let mut compiler = PlironCompiler {
        target: LlvmTarget::Nvptx,
    };
    let options = PlironOptions {
        sm_arch: Some(SmArch::new(architecture, false)),
        ptx_version: PtxVersion::for_driver(DRIVER),
        ..PlironOptions::default()
    };
    let artifact = compiler.compile(kernel.define(), &options);
    let PlironArtifact::NvptxCode(module) = artifact.expect("the kernel compiles") else {
        panic!("the target's artifact is PTX");
    };
    // SAFETY: the module's text ends with NUL.
    #[allow(unsafe_code)]
    let text = unsafe { CStr::from_ptr(module.ptx.as_ptr()) };
    text.to_string_lossy().into_owned()
}

/// Registers and bytes of spills, as the assembler tells them.
fn assemble(text: &str, assembler: &PathBuf, folder: &std::path::Path) -> Result<[u32; 2], String> {
    let target = text
        .lines()
        .find_map(|l| l.strip_prefix(".target "))
        .and_then(|t| t.split(',').next())
        .ok_or("no target")?;
    let path = folder.join("kernel.ptx");
    std::fs::write(&path, text).map_err(|e| e.to_string())?;
    let output = Command::new(assembler)
        .args(["-v", "-arch", target.trim(), "-o"])
        .arg(folder.join("kernel.cubin"))
        .arg(&path)
        .output()
        .map_err(|e| format!("{}: {e}", assembler.display()))?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(told);
    }
    let before = |words: &str| {
        let at = told.find(words)?;
        told[..at].split_whitespace().next_back()?.parse().ok()
    };
    let registers = before(" registers").ok_or("no registers told")?;
    Ok([registers, before(" bytes spill stores").unwrap_or(0)])
}

fn assembler() -> PathBuf {
    std::env::var_os("PTXAS").map_or_else(|| PathBuf::from("ptxas"), PathBuf::from)
}

#[test]
#[allow(clippy::print_stdout)] // The table is for whoever runs the test.
fn every_kernel_assembles_for_every_architecture() {
    let folder = tempfile::tempdir().expect("a folder");
    let assembler = assembler();
    let mut table = format!("{:52}", "registers (bytes of spills)");
    ARCHITECTURES
        .iter()
        .for_each(|a| table += &format!("{:>12}", format!("sm_{a}")));
    for Named { name, kernel } in all() {
        table += &format!("\n{name:52}");
        for architecture in ARCHITECTURES {
            let text = ptx(kernel.as_ref(), architecture);
            match assemble(&text, &assembler, folder.path()) {
                Ok([registers, 0]) => table += &format!("{registers:>12}"),
                Ok([registers, spills]) => {
                    table += &format!("{:>12}", format!("{registers} ({spills})"))
                }
                Err(why) => panic!(
                    "{name} for sm_{architecture}: {why} (scripts/setup-ptxas.sh gets the assembler)"
                ),
            }
        }
    }
    println!("{table}");
}

#[test]
fn products_and_attention_use_the_tensor_cores_and_wide_loads() {
    let kernels = all();
    let named = |part: &str| {
        kernels
            .iter()
            .find(|k| k.name.contains(part))
            .expect("there")
    };
    for part in ["multiply 16x64 windows, 8 at once", "multiply 64x64 rows"] {
        let text = ptx(named(part).kernel.as_ref(), 90);
        assert!(text.contains("wmma.mma.sync"), "{part}");
        assert!(text.contains("ld.global.nc.v4.b32"), "{part}");
    }
    let text = ptx(named("attend heads of 64").kernel.as_ref(), 90);
    assert!(text.contains("mma.sync.aligned.m16n8k16"));
}
