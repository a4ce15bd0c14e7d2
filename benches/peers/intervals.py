"""Intervals of a ratio of medians, as `mirage bench` makes them: the paired circular block bootstrap."""

import numpy

RESAMPLES = 4000
SEED = 0
# Below six samples no two order statistics enclose the median with 95 %: 1 - 2 (1/2)^n must reach 0.95.
MIN_SAMPLES = 6
# A smaller difference is never called: placement of code and memory alone moves a program as much.
MARGIN = 0.02


def ratio(numerator, denominator):
    """The numerator's median by the denominator's, with the 95 % interval; None for its ends where there
    are too few samples. Sample i of both was taken in the same turn, so they are drawn together."""
    a, b = numpy.asarray(numerator), numpy.asarray(denominator)
    count = len(a)
    result = {"estimate": float(numpy.median(a) / numpy.median(b)), "low": None, "high": None}
    if count < MIN_SAMPLES:
        return result
    block = max(1, min(round(2 * count ** (1 / 3)), count // 4))
    rng = numpy.random.default_rng(SEED)
    starts = rng.integers(0, count, (RESAMPLES, -(-count // block)))
    drawn = (starts[:, :, None] + numpy.arange(block)).reshape(RESAMPLES, -1)[:, :count] % count
    ratios = numpy.median(a[drawn], axis=1) / numpy.median(b[drawn], axis=1)
    low, high = numpy.quantile(ratios, [0.025, 0.975])
    return result | {"low": float(low), "high": float(high)}


def verdict(interval):
    """Of the other's time by Mirage's: above 1 Mirage is faster."""
    if interval["low"] is None:
        return "too few samples for an interval"
    if interval["low"] > 1 + MARGIN:
        return "faster"
    if interval["high"] < 1 / (1 + MARGIN):
        return "slower (a loss)"
    return "no clear difference"
