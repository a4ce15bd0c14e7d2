#!/usr/bin/env bash
# LLVM 23 for building plugins/backend-cuda on a machine that cannot download it from GitHub.
#
# cubecl's build script looks for the folder below and fetches a prebuilt LLVM where it is missing. This
# script makes the same folder of Debian's static LLVM 23 (package llvm-23-dev, suite sid), which apt-get
# fetches and checks; nothing is installed. At the end a C program compiles LLVM IR to PTX with it.
# Needs apt-get, dpkg-deb, binutils, gcc, g++. Run again, it does nothing.
set -euo pipefail

release=23.1.0-4                                  # of the crate tracel-llvm-bundler
prefix=${XDG_DATA_HOME:-$HOME/.local/share}/tracel/tracel-llvm-$release
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mirage-llvm # keeps the package, 52 MB
suite=${DEBIAN_SUITE:-sid}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
done_mark=$prefix/.tracel-llvm-installed          # what the crate asks for

fail() { echo "setup-llvm: $*" >&2; exit 1; }
say() { echo "setup-llvm: $*"; }

[ ! -f "$done_mark" ] || { say "there already: $prefix"; exit 0; }
[ "$(uname -m)" = x86_64 ] || fail "unsupported architecture $(uname -m): only x86_64 is supported"
for tool in apt-get dpkg-deb ar nm objcopy gcc g++; do
  command -v "$tool" >/dev/null || fail "$tool is not installed; this script needs it"
done
mkdir -p "$cache" "$(dirname "$prefix")"
work=$(mktemp -d "$prefix.XXXX")
trap 'rm -rf "$work"' EXIT

# The package, by an apt of its own: the system's sources and lists stay as they are.
package() {
  local mirror apt=$work/apt version
  mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(SITE)' | grep -m1 -E '/debian/?$' || true)}
  [ -n "$mirror" ] || fail "no Debian mirror found; set DEBIAN_MIRROR"
  mkdir -p "$apt"/{lists,archives}/partial "$apt/empty"
  : >"$apt/status"
  echo "deb [arch=amd64 signed-by=$keyring] $mirror $suite main" >"$apt/sources.list"
  cat >"$apt/apt.conf" <<CONF
Dir::Etc { main "/dev/null"; parts "$apt/empty"; sourcelist "$apt/sources.list"; sourceparts "$apt/empty"; preferences "/dev/null"; preferencesparts "$apt/empty"; };
Dir::State "$apt"; Dir::State::lists "$apt/lists"; Dir::State::status "$apt/status";
Dir::Cache "$apt"; Dir::Cache::archives "$apt/archives";
APT::Architecture "amd64"; APT::Sandbox::User "root"; Acquire::Languages "none"; Acquire::Retries "3";
CONF
  export APT_CONFIG=$apt/apt.conf
  if ! apt-get -q -o APT::Update::Error-Mode=any update >"$apt/log" 2>&1; then
    # A mirror may lag behind the clock: its signed index is then past its date, and still signed.
    grep -q 'is expired' "$apt/log" || { cat "$apt/log"; fail "apt-get update failed"; }
    say "the mirror's index is past its date: going on without that check"
    echo 'Acquire::Check-Valid-Until "false";' >>"$apt/apt.conf"
    apt-get -q -o APT::Update::Error-Mode=any update >"$apt/log" 2>&1 || { cat "$apt/log"; fail "apt-get update failed"; }
  fi
  version=$(apt-cache policy llvm-23-dev | awk '/Candidate:/ {print $2}')
  case $version in 1:23.1.*) ;; *) fail "$suite has llvm-23-dev '${version:-none}', wanted 1:23.1.*" ;; esac
  (cd "$cache" && apt-get -q download "llvm-23-dev=$version" >>"$apt/log" 2>&1) || { cat "$apt/log"; fail "apt-get download failed"; }
  unset APT_CONFIG
}
# Nothing where there is none yet, which is no failure.
newest() { { ls -t "$cache"/llvm-23-dev_*_amd64.deb 2>/dev/null || true; } | head -1; }
deb=$(newest)
if [ -z "$deb" ] || ! dpkg-deb --info "$deb" >/dev/null 2>&1; then
  rm -f "$cache"/*.deb
  package
  deb=$(newest)
fi
say "made of $(basename "$deb")"

# Headers, and the archives of the two targets that are needed: the host's and NVIDIA's.
mkdir -p "$work"/{x,bin,lib,include}
dpkg-deb -x "$deb" "$work/x"
mv "$work"/x/usr/include/llvm-23/llvm "$work"/x/usr/include/llvm-c-23/llvm-c "$work/include/"
for list in "$work"/include/llvm/Config/{Targets,AsmParsers,AsmPrinters,Disassemblers}.def; do
  sed -i -E '/^LLVM_[A-Z_]+\((X86|NVPTX)\)/!{/^LLVM_[A-Z_]+\(/d}' "$list"
done
others='AArch64|AMDGPU|ARM|AVR|BPF|Hexagon|Lanai|LoongArch|M68k|MSP430|Mips|PowerPC|RISCV|SPIRV|Sparc|SystemZ|VE|WebAssembly|XCore|Xtensa'
parts='AsmParser|CodeGen|Desc|Disassembler|Info|Utils|TargetMCA|Analysis'
ls "$work"/x/usr/lib/llvm-23/lib/libLLVM*.a |
  sed -E "/libLLVM(BOLT|Exegesis|TableGen|Fuzz|Extensions|UBAware)/d; /libLLVM($others)($parts)\.a/d" >"$work/x/keep"

# One archive, so that the order of linking does not matter. Names that this machine's libraries lack are
# renamed: C23's strto* to the plain ones, those of libraries that nothing here needs to stubs that abort.
all=$work/lib/libLLVM23debian.a
{ echo "CREATE $all"; sed 's/^/ADDLIB /' "$work/x/keep"; echo SAVE; echo END; } | ar -M
nm "$all" 2>/dev/null | awk 'NF==2 && $1=="U" {u[$2]} NF==3 && $2!="U" && $2~/[A-Z]|[uvw]/ {d[$3]}
  END {for (s in u) if (!(s in d)) print s}' | sort -u >"$work/x/undefined"
{
  for lib in libc.so.6 libm.so.6 libstdc++.so.6 libgcc_s.so.1; do nm -D --defined-only "$(g++ -print-file-name=$lib)"; done
  nm "$(g++ -print-file-name=libc_nonshared.a)" 2>/dev/null || true
} | awk 'NF {sub(/@.*/, "", $NF); print $NF}' | sort -u >"$work/x/system"
comm -23 "$work/x/undefined" "$work/x/system" | grep -vxE '__dso_handle|_GLOBAL_OFFSET_TABLE_|__tls_get_addr' |
  awk '/^__isoc23_/ {print $1, substr($1, 10)}
       /^(Z3_|ZSTD_|xml|curl_|el_|history|pfm_|ffi_)/ || /^(compress2|compressBound|crc32|uncompress)$/ {print $1, "llvm23_no_" $1}' >"$work/x/map"
objcopy --redefine-syms="$work/x/map" "$all"
{
  printf '#include <stdio.h>\n#include <stdlib.h>\nstatic void no(const char *n) { fprintf(stderr, "this LLVM is built without %%s\\n", n); abort(); }\n'
  awk '$2 ~ /^llvm23_no_/ {printf "void %s(void) { no(\"%s\"); }\n", $2, $1}' "$work/x/map"
} >"$work/x/no.c"
gcc -O2 -fPIC -c "$work/x/no.c" -o "$work/x/llvm23_no.o"
ar q "$all" "$work/x/llvm23_no.o" && ranlib "$all"

# llvm-config, as far as build scripts ask it.
cat >"$work/bin/llvm-config" <<'CONFIG'
#!/bin/sh
P=$(cd "$(dirname "$0")/.." && pwd)
flags="-I$P/include -D_GNU_SOURCE -D__STDC_CONSTANT_MACROS -D__STDC_FORMAT_MACROS -D__STDC_LIMIT_MACROS"
for a; do case $a in
  --link-static) ;;
  --libs|--libnames) echo -lLLVM23debian ;;  --system-libs) echo -lm ;;
  --libdir) echo "$P/lib" ;;  --includedir) echo "$P/include" ;;  --bindir) echo "$P/bin" ;;
  --prefix|--obj-root) echo "$P" ;;  --version) echo 23.1.0 ;;  --targets-built) echo X86 NVPTX ;;
  --cflags|--cppflags) echo "$flags" ;;  --cxxflags) echo "$flags -std=c++17 -fno-exceptions -funwind-tables" ;;
  *) echo "llvm-config: no answer to $a" >&2; exit 1 ;;
esac; done
CONFIG
chmod +x "$work/bin/llvm-config"

# The proof: IR to PTX through the calls that the build's users make.
cat >"$work/x/proof.c" <<'C'
#include <llvm-c/Core.h>
#include <llvm-c/IRReader.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <stdio.h>
#include <string.h>
static const char ir[] = "define ptx_kernel void @k(ptr addrspace(1) %p, float %v) {\n %r = atomicrmw fadd ptr addrspace(1) %p, float %v syncscope(\"device\") monotonic, align 4\n ret void\n}\n";
int main(void) {
  LLVMInitializeAllTargetInfos(); LLVMInitializeAllTargets(); LLVMInitializeAllTargetMCs(); LLVMInitializeAllAsmPrinters();
  char *e = 0; LLVMModuleRef m; LLVMTargetRef t; LLVMMemoryBufferRef o; LLVMContextRef c = LLVMContextCreate();
  LLVMMemoryBufferRef b = LLVMCreateMemoryBufferWithMemoryRangeCopy(ir, strlen(ir), "k");
  if (LLVMParseIRInContext(c, b, &m, &e) || LLVMGetTargetFromTriple("nvptx64-nvidia-cuda", &t, &e)) return puts(e), 1;
  LLVMTargetMachineRef tm = LLVMCreateTargetMachine(t, "nvptx64-nvidia-cuda", "sm_90", "+ptx87", LLVMCodeGenLevelAggressive, LLVMRelocDefault, LLVMCodeModelDefault);
  LLVMSetTarget(m, "nvptx64-nvidia-cuda"); LLVMSetModuleDataLayout(m, LLVMCreateTargetDataLayout(tm));
  if (LLVMRunPasses(m, "default<O3>", tm, LLVMCreatePassBuilderOptions())) return 2;
  if (LLVMTargetMachineEmitToMemoryBuffer(tm, m, LLVMAssemblyFile, &e, &o)) return puts(e), 3;
  fwrite(LLVMGetBufferStart(o), 1, LLVMGetBufferSize(o), stdout); return 0;
}
C
config() { "$work/bin/llvm-config" --link-static "$1"; }
gcc $(config --cflags) -ffunction-sections -c "$work/x/proof.c" -o "$work/x/proof.o"
g++ -Wl,--gc-sections "$work/x/proof.o" -L"$(config --libdir)" $(config --libs) $(config --system-libs) -o "$work/x/proof"
"$work/x/proof" >"$work/x/proof.ptx" || { cat "$work/x/proof.ptx"; fail "the test program failed"; }
grep -q '^.target sm_90' "$work/x/proof.ptx" && grep -q '\.visible \.entry k' "$work/x/proof.ptx" ||
  { cat "$work/x/proof.ptx"; fail "the test program generated no PTX for sm_90"; }

# Into place, the mark last.
rm -rf "$work/x" "$work/apt" "$prefix"
mv "$work" "$prefix"
trap - EXIT
basename "$deb" >"$done_mark"
say "done, and it compiles to PTX: $prefix ($(du -sh "$prefix" | cut -f1))"
