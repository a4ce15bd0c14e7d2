"""Mirage beside PyTorch's ways of running the same network on a card: one forward pass, the same weights and
inputs, which lie on the card already; outputs stay there.

Mirage runs in a process of its own (`mirage infer --lockstep`). All take turns, round by round, so that a
drift of the card's clocks meets all; a time is the processor's clock from the call until the card is idle.

    python3 peers.py --mirage PATH --json peers.json --markdown peers.md [--model stress] [--dtype fp16]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))

ROUNDS_WARM = 5
MEMORY_LIMIT = 1 << 40
# What Mirage's output may differ by: f32 as through another engine, the others as the passes promise.
# tf32 is f32 whose products may be rounded, in PyTorch as in Mirage.
BOUNDS = {"f32": 1e-4, "tf32": 5e-3, "fp16": 1e-2, "bf16": 6e-2}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for file in ("json", "markdown"):
        parser.add_argument(f"--{file}", type=pathlib.Path, required=True)
    parser.add_argument("--mirage", default="mirage")
    parser.add_argument("--backend", default="cuda")
    parser.add_argument("--passes", default="fold_batch_norm,sdpa,channels_last,pad_channels,fuse,graph_capture")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("/tmp/mirage-gpu-peers"))
    parser.add_argument("--model", default="stress")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--dtype", default="fp16", choices=list(BOUNDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--compile", default="reduce-overhead", help="torch.compile's mode, or none")
    parser.add_argument("--limit", type=float, default=300, help="seconds for Mirage's compile and first pass")
    return parser.parse_args()


def material(args):
    """The model's configuration, a file of its weights and one of inputs; made once."""
    import inputs
    from safetensors.numpy import save_file

    args.data.mkdir(parents=True, exist_ok=True)
    shown = subprocess.run(
        [args.mirage, "models", "show", args.model, "--json"], check=True, capture_output=True, text=True
    )
    config = json.loads(shown.stdout)["config"]
    weights = args.data / f"{args.model}-{args.seed}.safetensors"
    if not weights.exists():
        export = [args.mirage, "models", "export", "--model", args.model, "--seed", str(args.seed)]
        subprocess.run([*export, "--output", weights], check=True, stdout=subprocess.DEVNULL)
    taken = inputs.make(config, args.size, args.seed)
    file = args.data / f"{args.model}-{args.size}-{args.seed}-inputs.safetensors"
    save_file(taken, file)
    return config, weights, file, taken


def mirage(args, weights, inputs):
    """Mirage on this case, and the file of its outputs."""
    from turns import Lockstep

    passes = args.passes if args.dtype == "f32" else f"{args.dtype},{args.passes}"
    output = args.data / f"output-{args.dtype}.safetensors"
    command = [args.mirage, "infer", "--lockstep", "--json", "--backend", args.backend, "--model", args.model]
    command += ["--weights", weights, "--inputs", inputs, "--output", output, "--passes", passes]
    log = args.data / "mirage.log"
    process = Lockstep([str(c) for c in command], dict(os.environ), log, MEMORY_LIMIT)
    process.turn(args.limit)
    return process, output


class Torch:
    """PyTorch's ways, one after the other prepared on the same network."""

    def __init__(self, torch, args, config, weights, taken):
        import engines

        self.torch, self.args = torch, args
        self.network = engines.load(config, weights, "f32").to("cuda")
        self.names = self.network.OUTPUTS
        # What a module computes with beside weights lies where it was made.
        for module in self.network.modules():
            for name, value in vars(module).items():
                if torch.is_tensor(value):
                    setattr(module, name, value.to("cuda"))
        tensors = {name: torch.from_numpy(value).to("cuda") for name, value in taken.items()}
        self.inputs = [tensors[name] for name in self.network.INPUTS]

    def reference(self):
        """The outputs in f32, nothing rounded to tf32."""
        matmul, cudnn = self.torch.backends.cuda.matmul, self.torch.backends.cudnn
        matmul.allow_tf32 = cudnn.allow_tf32 = False
        found = self.outputs(self.network(*self.inputs))
        matmul.allow_tf32 = cudnn.allow_tf32 = self.args.dtype != "f32"
        cudnn.benchmark = True
        return found

    def outputs(self, results):
        return {name: result.float().cpu().numpy() for name, result in zip(self.names, results)}

    def ways(self):
        """Name and call of each."""
        torch, last = self.torch, self.torch.channels_last
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.args.dtype, torch.float32)
        network = self.network.to(dtype)
        run = lambda net, inputs: lambda: net(*inputs)  # noqa: E731
        yield "PyTorch eager", run(network, self.inputs)
        network = network.to(memory_format=last)
        inputs = [x.contiguous(memory_format=last) if x.dim() == 4 else x for x in self.inputs]
        yield "PyTorch eager, channels_last", run(network, inputs)
        yield "PyTorch eager, channels_last, CUDA graph", self.graphed(run(network, inputs))
        if self.args.compile != "none":
            torch._inductor.config.freezing = True
            compiled = torch.compile(network, mode=self.args.compile)
            yield f"torch.compile {self.args.compile}, frozen, channels_last", run(compiled, inputs)

    def graphed(self, call):
        torch = self.torch
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                call()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            results = call()

        def replay():
            graph.replay()
            return results

        return replay

    def timed(self, call):
        def turn():
            start = time.perf_counter()
            call()
            self.torch.cuda.synchronize()
            return (time.perf_counter() - start) * 1e3

        return turn


def error(found, reference):
    """The largest error, as a share of the largest value of the reference's output."""
    import numpy

    worst = 0.0
    for name, wanted in reference.items():
        scale = max(float(numpy.abs(wanted).max()), 1e-30)
        worst = max(worst, float(numpy.abs(found[name].astype("f8") - wanted).max()) / scale)
    return worst


def main():
    args = arguments()
    try:
        import torch
        from safetensors.numpy import load_file
    except ImportError as missing:
        sys.exit(f"the peers need PyTorch and safetensors: {missing}")
    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no card")
    config, weights, file, taken = material(args)
    process, output = mirage(args, weights, file)
    errors, turns = {}, {"Mirage": lambda: process.turn(args.limit)}
    with torch.no_grad():
        peers = Torch(torch, args, config, weights, taken)
        reference = peers.reference()
        errors["Mirage"] = error(load_file(output), reference)
        for name, call in peers.ways():
            errors[name] = error(peers.outputs(call()), reference)
            turns[name] = peers.timed(call)
        times = {name: [] for name in turns}
        for round_ in range(ROUNDS_WARM + args.rounds):
            for name, turn in turns.items():
                took = turn()
                if round_ >= ROUNDS_WARM:
                    times[name].append(took)
    process.close()
    report(args, torch, times, errors)
    if errors["Mirage"] > BOUNDS[args.dtype]:
        sys.exit(f"Mirage's output is off by {errors['Mirage']:.2e}, more than {BOUNDS[args.dtype]:.0e}")


def report(args, torch, times, errors):
    medians = {name: statistics.median(values) for name, values in times.items()}
    ours = medians["Mirage"]
    quarters = {name: statistics.quantiles(values, n=4) for name, values in times.items()}
    found = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "network": f"{args.model}, {args.size}×{args.size}, {args.dtype}",
        "passes": args.passes,
        "rounds": args.rounds,
        "median_ms": medians,
        "middle_half_ms": {name: [q[0], q[2]] for name, q in quarters.items()},
        "error": errors,
    }
    args.json.write_text(json.dumps(found, indent=2) + "\n")
    lines = [f"{found['network']}, PyTorch {torch.__version__}, {args.rounds} rounds in turn", ""]
    lines += ["| way | median ms | middle half | Mirage is | error |", "|---|--:|---|--:|--:|"]
    for name, ms in medians.items():
        low, _, high = quarters[name]
        lines.append(f"| {name} | {ms:.3f} | {low:.3f}–{high:.3f} | {ms / ours:.2f}× | {errors[name]:.1e} |")
    args.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
