"""One engine in a process of its own, which runs when it is asked to.

Prepares the network, runs it once and writes the outputs; then, for every line on standard input, runs it
once more and prints the milliseconds. `mirage infer --lockstep` speaks the same way. At the end of the
input it prints a line of JSON about itself. If the network cannot be prepared or run, the last line on
standard error is the reason, and the exit code is 3 where the engine does not do what the case asks for.
"""

import argparse
import json
import os
import pathlib
import sys
import time
import traceback


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", required=True)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--key", required=True, help="names the network, dtype and shapes in the cache")
    for file in ("config", "weights", "inputs", "output", "cache"):
        parser.add_argument(f"--{file}", type=pathlib.Path, required=True)
    return parser.parse_args()


def main():
    args = arguments()
    # What libraries print must not stand among the times; and inductor's tuning closes standard input.
    requests = os.fdopen(os.dup(0))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    import engines
    from safetensors.numpy import load_file, save_file

    config = json.loads(args.config.read_text())
    inputs = load_file(args.inputs)
    start = time.perf_counter()
    try:
        forward, outputs = engines.prepare(
            config, args.weights, inputs, args.dtype, args.mode, args.key, args.cache, args.threads
        )
        first = outputs(forward())
    except engines.Unsupported as reason:
        print(reason, file=sys.stderr)
        raise SystemExit(3)
    except Exception as error:
        traceback.print_exc()
        print(f"{type(error).__name__}: {engines.first_line(error)}", file=sys.stderr)
        raise SystemExit(1)
    prepared = time.perf_counter() - start
    save_file(first, args.output)

    for _ in requests:
        start = time.perf_counter()
        forward()
        answers.write(f"{(time.perf_counter() - start) * 1e3:.6f}\n")
    answers.write(json.dumps({"mode": args.mode, "prepare_s": prepared}) + "\n")


if __name__ == "__main__":
    main()
