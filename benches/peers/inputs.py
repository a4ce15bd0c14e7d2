"""The inputs of a network: the same numbers for the same seed."""

import numpy

STATE_FRAMES = 40  # Some frames have passed, so the whole context memory is seen.


def make(config, side, seed):
    """Named arrays as `mirage infer` takes them."""
    rng = numpy.random.default_rng(seed)

    def picture(low):
        return rng.uniform(low, 1.0, (1, 3, side, side)).astype(numpy.float32)

    half = config["schedule"]["train_timesteps"] // 2
    timestep = numpy.array([half], dtype=numpy.int64)
    if config["network"]["kind"] == "stress":
        return {"input": picture(-1.0), "previous": picture(-1.0), "timestep": timestep}
    memory = config["network"]["memory"]
    tokens = rng.standard_normal((1, memory["slots"], memory["dim"])).astype(numpy.float32)
    return {
        "sample": rng.standard_normal((1, 3, side, side)).astype(numpy.float32),
        "frame": picture(-1.0),
        "previous": picture(-1.0),
        "timestep": timestep,
        "memory": tokens,
        "frames": numpy.array([STATE_FRAMES], dtype=numpy.int64),
    }
