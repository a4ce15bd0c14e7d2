"""Lets the CUDA build of PyTorch run on a CPU without NVIDIA's libraries.

The package index may serve only the CUDA build, whose shared objects need gigabytes of NVIDIA's to be
loaded at all, though nothing here calls them. This writes libraries of the same names beside PyTorch's,
with every symbol it asks for; each function answers 100, `cudaErrorNoDevice`. PyTorch then reports that
there is no CUDA, which is so, and its CPU code is untouched.

    python cuda_stand_ins.py            # in the environment; needs gcc, nm and readelf; again: does nothing
    python cuda_stand_ins.py FOLDER     # the folder with PyTorch's shared objects
"""

import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile

VENDOR = re.compile(r"^lib(cu|nccl|nv)\w*\.so\.\d+$")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def missing_libraries(folder):
    """Names of NVIDIA's libraries that PyTorch's shared objects need and that are not beside them."""
    needed = set()
    for library in folder.glob("lib*.so"):
        needed.update(re.findall(r"NEEDED.*\[(.+)\]", output("readelf", "-d", library)))
    return sorted(n for n in needed if VENDOR.match(n) and not (folder / n).exists())


def wanted_symbols(folder, libraries):
    """Of each library, its version's name (None without one) and the symbols wanted of it. Symbols that
    name no library go to the first."""
    versions = {library: None for library in libraries}
    wanted, defined = set(), set()
    for library in folder.glob("lib*.so*"):
        needs = re.findall(r"File: (\S+)|Name: (\S+)", output("readelf", "-V", library))
        file = None
        for name, version in needs:
            file = name or file
            if version and file in versions:
                versions[file] = version
        for line in output("nm", "-D", library).splitlines():
            *_, kind, symbol = line.split()
            (wanted if kind == "U" else defined).add(symbol.replace("@@", "@"))
    owners = {version: library for library, version in versions.items() if version}
    symbols = {library: set() for library in libraries}
    for symbol in wanted - defined:
        name, _, version = symbol.partition("@")
        if version in owners:
            symbols[owners[version]].add(name)
        elif not version and re.match(r"(__)?(cu|nccl|nv)", name):
            symbols[libraries[0]].add(name)
    return {library: (versions[library], symbols[library]) for library in libraries}


def build(folder, library, version, symbols):
    # One function under many names.
    lines = [".text"]
    for symbol in sorted(symbols):
        lines += [f".globl {symbol}", f".type {symbol}, @function", f"{symbol}:"]
    lines += ["movl $100, %eax", "ret", '.section .note.GNU-stack,"",@progbits']
    options = ["-shared", "-nostdlib", f"-Wl,-soname,{library}"]
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch, "stand_in.s")
        source.write_text("\n".join(lines) + "\n")
        if version:
            script = pathlib.Path(scratch, "versions.map")
            script.write_text(f"{version} {{ global: *; }};\n")
            options.append(f"-Wl,--version-script,{script}")
        subprocess.run(["gcc", *options, "-o", folder / library, source], check=True)


def torch_folder():
    """Where this environment's PyTorch has its shared objects; None if NVIDIA's own are here."""
    found = importlib.util.find_spec("torch")
    if found is None:
        raise SystemExit("torch is not installed in this environment")
    if importlib.util.find_spec("nvidia") is not None:
        return None
    return pathlib.Path(found.origin).parent / "lib"


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else torch_folder()
    if folder is None:
        return
    libraries = missing_libraries(folder)
    if not libraries:
        return
    for library, (version, symbols) in wanted_symbols(folder, libraries).items():
        build(folder, library, version, symbols)
    print(f"CUDA is not installed: created {len(libraries)} stand-ins for NVIDIA's libraries in {folder}", file=sys.stderr)


if __name__ == "__main__":
    main()
