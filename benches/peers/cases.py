"""What is compared: networks, dtypes, sizes; and the bounds that an output has to keep."""

import dataclasses
import fnmatch

MODELS = ("lsd-light", "stress-light", "stress")
DTYPES = ("f32", "bf16", "fp16")
SIZES = (64, 256)

# The largest error of an output, as a share of the largest value of the reference: f32 through another
# engine; half precision as the tests of the passes fp16 and bf16 allow for the same networks.
BOUNDS = {"f32": 1e-4, "bf16": 6e-2, "fp16": 1e-2}

# Mirage's passes: all that keep the numbers, and the precision's own.
PASSES = "sdpa,fuse,fold_batch_norm,channels_last,graph_capture"

# Mirage's backend where none is named.
BACKEND = "cpu"

# Bytes of an element of scores, where an engine writes attention's scores out.
ELEMENT = {"f32": 4, "bf16": 2, "fp16": 2}


@dataclasses.dataclass(frozen=True)
class Case:
    model: str
    dtype: str
    side: int

    @property
    def network(self):
        """The part of the name that weights, inputs and the reference depend on."""
        return f"{self.model}-{self.side}"

    @property
    def name(self):
        return f"{self.model}-{self.dtype}-{self.side}"

    def passes(self, passes=PASSES):
        return passes if self.dtype == "f32" else f"{self.dtype},{passes}"


def all_cases():
    """In the order in which they are measured: what is short and asked for most comes first."""
    small = [Case(m, d, 64) for d in DTYPES for m in MODELS]
    large = [Case(m, d, 256) for m in MODELS for d in DTYPES]
    assert {c.side for c in small + large} == set(SIZES)
    return small + large


def select(patterns):
    """The cases whose names match one of the patterns, such as `lsd-light-*` or `*-f32-64`."""
    chosen = [c for c in all_cases() if any(fnmatch.fnmatch(c.name, p) for p in patterns)]
    for pattern in patterns:
        if not any(fnmatch.fnmatch(c.name, pattern) for c in all_cases()):
            names = ", ".join(c.name for c in all_cases())
            raise ValueError(f"no case is called {pattern}; cases: {names}")
    return chosen


def score_bytes(config, case):
    """What the scores of the network's largest attention take where they are written out: heads × tokens²."""
    network = config["network"]
    if network["kind"] == "stress":
        heads, tokens = 16, case.side**2
    else:
        levels = network["attention"]["levels"]
        first = min(levels)
        channels = network["channels"] * network["multipliers"][first]
        heads = channels // network["attention"]["head_dim"]
        tokens = (case.side >> first) ** 2
    return heads * tokens**2 * ELEMENT[case.dtype]
