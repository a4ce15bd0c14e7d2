"""Checks that the twin of the benchmark network gives the output that its checkpoint came with.

    python self_check.py FOLDER      # with stress_b16.safetensors and stress_b16_io.safetensors

The output was computed in f64; so is the twin here, and the two have to agree to f32's rounding.
"""

import argparse
import pathlib

import torch
from safetensors.torch import load_file

from networks.stress import StressNetwork

BOUND = 1e-5


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    network = StressNetwork(16, 50)
    network.load_state_dict(load_file(folder / "stress_b16.safetensors"))
    network.eval().double()
    case = load_file(folder / "stress_b16_io.safetensors")
    with torch.inference_mode():
        # Pictures stay in f64 up to the weights' dtype.
        output = network(case["input"].double(), case["previous"].double(), case["timestep"])[0]
    wanted = case["output"]
    error = ((output - wanted).abs().max() / wanted.abs().max()).item()
    print(f"stress b=16: largest error {error:.2e} of the largest value, at most {BOUND:.0e}")
    if not error <= BOUND:
        raise SystemExit("the twin is not the network of the checkpoint")


if __name__ == "__main__":
    main()
