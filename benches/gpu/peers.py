"""PyTorch's ways of running `stress` on a card: one forward pass, on inputs that lie there already.

The networks are those of benches/peers; weights are drawn anew, which changes no time. Every way is
measured in turn, round by round, so that a drift of the card's clocks meets all.

    python3 peers.py --json peers.json --markdown peers.md [--base 192] [--size 64] [--dtype fp16]
"""

import argparse
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=pathlib.Path, required=True)
    parser.add_argument("--markdown", type=pathlib.Path, required=True)
    parser.add_argument("--base", type=int, default=192)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--dtype", default="fp16", choices=["f32", "fp16", "bf16"])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--compile", default="reduce-overhead", help="torch.compile's mode, or none")
    return parser.parse_args()


def graphed(torch, call):
    """The call as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def main():
    args = arguments()
    try:
        import networks
        import torch
    except ImportError as error:
        sys.exit(f"the peers need PyTorch and benches/peers: {error}")
    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no card")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    dtype = {"f32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[args.dtype]
    config = {
        "network": {"kind": "stress", "base_channels": args.base},
        "schedule": {"train_timesteps": 50},
    }
    with torch.device("cuda"):
        network = networks.build(config).to(dtype).eval().requires_grad_(False)
    side = args.size
    pictures = [torch.rand(1, 3, side, side, device="cuda", dtype=dtype) for _ in range(2)]
    timestep = torch.tensor([20], device="cuda")
    last = torch.channels_last

    def call(net, format=torch.contiguous_format):
        inputs = [x.contiguous(memory_format=format) for x in pictures]
        return lambda: net(*inputs, timestep)

    ways = {}
    with torch.no_grad():
        ways["eager"] = call(network)
        ways["eager, CUDA graph"] = graphed(torch, call(network))
        for way in ways.values():
            way()
        torch.cuda.synchronize()
        found = measure(torch, ways, args.rounds)
        network = network.to(memory_format=last)
        ways = {"eager, channels_last": call(network, last)}
        ways["eager, channels_last, CUDA graph"] = graphed(torch, call(network, last))
        if args.compile != "none":
            torch._inductor.config.freezing = True
            compiled = torch.compile(network, mode=args.compile)
            ways[f"compile {args.compile}, frozen, channels_last"] = call(compiled, last)
        found |= measure(torch, ways, args.rounds)
    report = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "network": f"stress, {args.base} channels, {side}×{side}, {args.dtype}",
        "median_ms": found,
    }
    args.json.write_text(json.dumps(report, indent=2) + "\n")
    rows = [f"| {way} | {ms:.3f} |" for way, ms in found.items()]
    head = [f"{report['network']}, PyTorch {torch.__version__}", "", "| way | median ms |", "|---|--:|"]
    args.markdown.write_text("\n".join(head + rows) + "\n")


def measure(torch, ways, rounds):
    times = {way: [] for way in ways}
    for call in ways.values():
        for _ in range(5):
            call()
    torch.cuda.synchronize()
    for _ in range(rounds):
        for way, call in ways.items():
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            call()
            end.record()
            torch.cuda.synchronize()
            times[way].append(start.elapsed_time(end))
    return {way: statistics.median(values) for way, values in times.items()}


if __name__ == "__main__":
    main()
