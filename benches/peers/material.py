"""What a case needs before anything runs: weights from Mirage, inputs, and a reference output. Each is a
file that is made once and kept."""

import json
import subprocess
import sys

import inputs
from safetensors.numpy import load_file, save_file
from turns import Failed, Lockstep

import numpy

REFERENCE_MODE = "eager"


class Material:
    """Files of one case under `data`."""

    def __init__(self, settings, case):
        self.settings = settings
        self.case = case
        folder = settings.data / "material"
        folder.mkdir(parents=True, exist_ok=True)
        seed = settings.seed
        self.config = folder / f"{case.model}.json"
        self.weights = folder / f"{case.model}-{seed}.safetensors"
        self.inputs = folder / f"{case.network}-{seed}-inputs.safetensors"
        self.reference = folder / f"{case.network}-{seed}-reference.safetensors"
        self.outputs = folder / f"{case.name}{settings.suffix()}-output.safetensors"

    def ensure(self):
        """Makes what is missing."""
        mirage, seed = self.settings.mirage, str(self.settings.seed)
        model = self.case.model
        if not self.config.exists():
            shown = call([mirage, "models", "show", model, "--json"])
            whole(self.config, lambda path: path.write_text(json.dumps(json.loads(shown)["config"])))
        if not self.weights.exists():
            call([mirage, "models", "export", "--model", model, "--seed", seed, "--output", self.weights])
        if not self.inputs.exists():
            config = json.loads(self.config.read_text())
            made = inputs.make(config, self.case.side, self.settings.seed)
            whole(self.inputs, lambda path: save_file(made, path))
        if not self.reference.exists():
            worker = self.worker(REFERENCE_MODE, "f32", self.reference.with_suffix(".partial"))
            worker.close(self.settings.limit_s)
            if worker.process.returncode != 0:
                raise Failed(f"no reference output: {worker._last_words()}")
            self.reference.with_suffix(".partial").rename(self.reference)

    def worker(self, mode, dtype, output):
        """A worker of that mode on this case's network."""
        settings = self.settings
        command = [sys.executable, settings.here / "worker.py", "--mode", mode, "--dtype", dtype]
        command += ["--threads", str(settings.threads), "--key", f"{self.weights.stem}-{self.case.side}-{dtype}"]
        command += ["--config", self.config, "--weights", self.weights, "--inputs", self.inputs]
        command += ["--output", output, "--cache", settings.data / "cache"]
        return self.start(command, f"{self.case.name}-{mode}")

    def mirage(self):
        """Mirage on this case."""
        settings, case = self.settings, self.case
        command = [settings.mirage, "infer", "--lockstep", "--json", "--model", case.model]
        command += ["--weights", self.weights, "--inputs", self.inputs, "--output", self.outputs]
        command += ["--passes", case.passes(settings.passes)]
        command += ["--backend", settings.backend]
        command += ["--plugin", settings.plugin] if settings.plugin else []
        return self.start(command, f"{case.name}-mirage{settings.suffix()}")

    def start(self, command, name):
        logs = self.settings.data / "logs"
        logs.mkdir(exist_ok=True)
        environment = self.settings.environment()
        limit = self.settings.memory_limit
        return Lockstep([str(c) for c in command], environment, logs / f"{name}.log", limit)

    def error(self, path):
        """The largest error of the outputs in a file, as a share of the largest value of the reference."""
        wanted, found = load_file(self.reference), load_file(path)
        worst = 0.0
        for name, reference in wanted.items():
            if name not in found or found[name].shape != reference.shape:
                raise Failed(f"output {name} is missing or of another shape")
            scale = max(float(numpy.abs(reference).max()), 1e-30)
            difference = numpy.abs(found[name].astype(numpy.float64) - reference).max() / scale
            worst = max(worst, float(difference) if numpy.isfinite(difference) else float("inf"))
        return worst


def call(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(done.stderr.strip() or f"{command[0]} failed")
    return done.stdout


def whole(path, write):
    """Writes a file under another name and gives it its own when it is whole."""
    partial = path.with_suffix(".partial")
    write(partial)
    partial.rename(path)
