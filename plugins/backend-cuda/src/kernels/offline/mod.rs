//! Every kernel compiled without a device: to PTX for four architectures, and by NVIDIA's assembler to
//! machine code, whose registers and spills are told.
//!
//! The assembler is named by the variable `PTXAS`, else looked for on the path; `scripts/setup-ptxas.sh`
//! gets it. `cargo test -- --nocapture` shows the table.

mod kernels;

use std::{ffi::CStr, path::PathBuf, process::Command};

use cubecl::{Compiler, ir::nvidia::SmArch};
use cubecl_llvm::{
    LlvmTarget, PlironArtifact, PlironCompiler, PlironOptions, nvptx::ptx_version::PtxVersion,
};
use cubecl_runtime::kernel::CubeKernel;

use self::kernels::{Named, all};

/// Architectures: Ampere's two, Ada, Hopper.
const ARCHITECTURES: [u32; 4] = [80, 86, 89, 90];
/// A driver's version that knows all of these.
const DRIVER: i32 = 12080;

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
    let text = ptx(named("attend heads of 64, f16").kernel.as_ref(), 90);
    assert!(text.contains("mma.sync.aligned.m16n8k16"));
    for part in [
        "multiply 64x64 rows, 4 at once, f32",
        "attend heads of 64, f32 as tf32",
    ] {
        let text = ptx(named(part).kernel.as_ref(), 90);
        assert!(text.contains("mma.sync.aligned.m16n8k8"), "{part}");
        assert!(text.contains("cvt.rna.tf32.f32"), "{part}");
    }
}
