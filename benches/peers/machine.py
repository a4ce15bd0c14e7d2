"""What a result was measured on."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess

PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "openvino", "numpy", "safetensors")


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def flags():
    """The processor's vector extensions."""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            every = line.split(":", 1)[1].split()
            return [f for f in every if f.startswith(("avx", "amx", "fma", "f16c"))]
    return []


def memory_bytes():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def available_bytes():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return memory_bytes()


def describe():
    return {
        "processor": processor(),
        "vector_extensions": flags(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": memory_bytes(),
        "system": platform.platform(),
    }


def versions(mirage):
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    here = pathlib.Path(__file__).parent
    return found | {
        "python": platform.python_version(),
        "mirage": first_line([mirage, "--version"]),
        "commit": first_line(["git", "-C", here, "describe", "--always", "--dirty"]),
        "compiler": first_line(["g++", "--version"]),
    }
