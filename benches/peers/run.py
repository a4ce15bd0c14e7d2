"""Mirage beside PyTorch, TorchInductor, ONNX Runtime and OpenVINO: the same networks, weights and inputs.

Started by `run`, which makes the environment. See README.md.
"""

import argparse
import hashlib
import json
import os
import pathlib
import sys
import time

import cases
import engines
import machine
import report
from material import Material
from measure import CaseRun
from store import Store
from turns import Failed

HERE = pathlib.Path(__file__).resolve().parent
# What Mirage, the runner and the system need beside a peer.
RESERVED = 0.15


class Settings:
    def __init__(self, args):
        self.here = HERE
        self.data = args.data.resolve()
        self.data.mkdir(parents=True, exist_ok=True)
        self.mirage = args.mirage.resolve()
        self.program = hashlib.sha256(self.mirage.read_bytes()).hexdigest()
        self.passes, self.threads, self.seed = args.passes, args.threads, args.seed
        self.backend, self.plugin = args.backend, args.plugin and args.plugin.resolve()
        if self.plugin:
            self.program += hashlib.sha256(self.plugin.read_bytes()).hexdigest()
        self.stage, self.again = args.stage, args.again
        self.seconds = min(args.time, 2.0) if args.quick else args.time
        self.limit_s = args.limit
        self.memory_limit = args.memory or int(machine.available_bytes() * (1 - RESERVED))
        self.markdown = args.markdown or self.data / f"peers{self.suffix()}.md"
        self.json = args.json or self.data / f"peers{self.suffix()}.json"
        self.into = args.into

    def suffix(self):
        """What tells files of another backend of Mirage's apart."""
        return "" if self.backend == cases.BACKEND else f"-{self.backend}"

    def environment(self):
        """The same threads for everyone. How they wait is left to each engine: the pause between turns
        is longer than any of them spins."""
        count = str(self.threads)
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
        return os.environ | {name: count for name in names} | {
            "TORCHINDUCTOR_CACHE_DIR": str(self.data / "cache" / "inductor"),
            "PYTHONWARNINGS": "ignore",
        }


def arguments():
    parser = argparse.ArgumentParser(prog="benches/peers/run", description=__doc__.splitlines()[0])
    listed = {"type": lambda text: text.split(",")}
    names = ", ".join(case.name for case in cases.all_cases())
    parser.add_argument("--cases", **listed, default=["*"], help=f"names or patterns, comma-separated: {names}")
    parser.add_argument("--peers", **listed, default=list(engines.PEERS), help=", ".join(engines.PEERS))
    parser.add_argument("--time", type=float, default=8.0, metavar="S", help="seconds of turns for a pair (default 8)")
    parser.add_argument("--quick", action="store_true", help="2 seconds a pair: to see that all works")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of weights and inputs")
    parser.add_argument("--passes", default=cases.PASSES, help="Mirage's, without bf16 and fp16")
    parser.add_argument("--backend", default=cases.BACKEND, metavar="NAME", help=f"Mirage's (default {cases.BACKEND})")
    parser.add_argument(
        "--stage",
        choices=("prepare", "measure"),
        default="measure",
        help="prepare: only make weights, inputs, exported networks and compiled code, which later runs keep; times nothing",
    )
    parser.add_argument("--again", action="store_true", help="measure anew what is done already")
    parser.add_argument("--limit", type=float, default=1200.0, metavar="S", help="for one answer, compiling included")
    parser.add_argument("--memory", type=int, metavar="BYTES", help="the most for a peer; by default 85 %% of what is free")
    path = {"type": pathlib.Path, "metavar": "PATH"}
    parser.add_argument("--mirage", **path, required=True, help="the program")
    parser.add_argument("--plugin", **path, help="a plugin that Mirage loads, such as the one with that backend")
    parser.add_argument("--data", **path, required=True, help="where weights, caches and results are kept")
    parser.add_argument("--markdown", **path, help="the table; by default peers.md in --data")
    parser.add_argument("--json", **path, help="everything; by default peers.json in --data")
    parser.add_argument("--into", **path, help="a page that the table is put into as well")
    args = parser.parse_args()
    for peer in args.peers:
        if peer not in engines.PEERS:
            parser.error(f"there is no peer {peer}; peers: {', '.join(engines.PEERS)}")
    try:
        args.cases = cases.select(args.cases)
    except ValueError as error:
        parser.error(str(error))
    if args.plugin and not args.plugin.is_file():
        parser.error(f"{args.plugin} is no file; docs/expert/graphics-cards.md says how plugins are built")
    if not args.mirage.is_file():
        parser.error(f"{args.mirage} is no file; build the program (cargo build --release --workspace) or name it")
    return args


def main():
    args = arguments()
    settings = Settings(args)
    start = time.monotonic()
    failures = 0
    for number, case in enumerate(args.cases, 1):

        def say(text):
            passed = time.monotonic() - start
            print(f"[{number}/{len(args.cases)}] {passed:6.0f} s  {case.name}: {text}", file=sys.stderr, flush=True)

        material = Material(settings, case)
        try:
            say("weights, inputs, reference")
            material.ensure()
        except Failed as reason:
            say(f"failed: {reason}")
            failures += 1
            continue
        store = Store(settings, case, json.loads(material.config.read_text()))
        measuring = CaseRun(settings, material, store)
        try:
            for peer in args.peers:
                if settings.stage == "prepare":
                    measuring.prepare(peer, say)
                    continue
                measuring.peer(peer, say)
                say(report.row(case, peer, store.content["peers"][peer]))
        finally:
            measuring.end()
        if settings.stage == "measure":
            report.write(settings, list(finished(settings)))
            print(f"table: {settings.markdown}\neverything: {settings.json}")
    raise SystemExit(1 if failures else 0)


def finished(settings):
    """Every case that has been measured, in this run or an earlier one, with what is known of it."""
    for case in cases.all_cases():
        config = Material(settings, case).config
        if config.exists() and Store.exists(settings, case):
            current = Store(settings, case, json.loads(config.read_text())).current()
            if current["peers"]:
                yield case, current


if __name__ == "__main__":
    main()
