"""What the card can do: memory's bandwidth by a large copy, the tensor cores' rate by a large product.

    python3 floor.py floor.json       # writes floor.md beside it
"""

import json
import pathlib
import statistics
import sys


def median_seconds(torch, work, repeats=20):
    for _ in range(3):
        work()
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return statistics.median(times)


def main():
    path = pathlib.Path(sys.argv[1])
    try:
        import torch
    except ImportError:
        sys.exit("the floor is measured with PyTorch, which python3 does not have")
    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no card")
    source = torch.rand(1 << 30, device="cuda")
    target = torch.empty_like(source)
    copy = median_seconds(torch, lambda: target.copy_(source))
    found = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "copy_gb_per_s": 2 * source.numel() * 4 / copy / 1e9,
    }
    read = median_seconds(torch, lambda: source.sum())
    found["read_gb_per_s"] = source.numel() * 4 / read / 1e9
    del source, target
    side = 8192
    for name, dtype in [("fp16", torch.float16), ("bf16", torch.bfloat16), ("tf32", torch.float32)]:
        torch.backends.cuda.matmul.allow_tf32 = True
        a, b = (torch.randn(side, side, device="cuda", dtype=dtype) for _ in range(2))
        found[f"product_{name}_tflops"] = 2 * side**3 / median_seconds(torch, lambda: a @ b) / 1e12
    path.write_text(json.dumps(found, indent=2) + "\n")
    rows = [f"| {key} | {value if isinstance(value, str) else round(value, 1)} |" for key, value in found.items()]
    path.with_suffix(".md").write_text("\n".join(["| | |", "|---|--:|", *rows]) + "\n")


if __name__ == "__main__":
    main()
