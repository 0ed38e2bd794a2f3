# SPDX-License-Identifier: Apache-2.0
"""Times steps in turn, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from tools.bench.figures import Figure, Measured, Spread

ROUNDS = 15
SHARE = 0.01
"""Seconds that a step gets in each round; one that takes longer is called once."""

Step = Callable[[], object]


def calibration() -> None:
    """The fixed workload: small products and Python between them, as in a step of a robot."""
    x = _X
    for _ in range(200):
        x = np.maximum(_W @ x, 0.0)
        x /= 1.0 + float(x.max())


_RANDOM = np.random.default_rng(0)
_W = _RANDOM.standard_normal((64, 64), dtype=np.float32)
_X = _RANDOM.standard_normal(64, dtype=np.float32)


def timed(step: Step, count: int = 1) -> float:
    """Seconds that one call takes, the mean of some."""
    begin = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - begin) / count


def compare(
    steps: Mapping[str, Mapping[str, Step]], rounds: int = ROUNDS, share: float = SHARE
) -> Measured:
    """Time each way of each step once a round.

    Args:
        steps: name of a figure -> way -> what is timed.
        rounds: how often.
        share: see `SHARE`.
    """
    every: dict[tuple[str, str], Step] = {("", ""): calibration}
    every |= {(name, way): step for name, ways in steps.items() for way, step in ways.items()}
    counts = {}
    for key, step in every.items():
        step()  # what is made at the first call is no cost of a call
        counts[key] = max(1, int(share / max(timed(step), 1e-9)))
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in every}
    for _ in range(rounds):
        for key, step in every.items():
            seconds[key].append(timed(step, counts[key]))
    spreads = {key: Spread.of(values) for key, values in seconds.items()}
    return Measured(
        spreads["", ""],
        [Figure(name, {way: spreads[name, way] for way in ways}) for name, ways in steps.items()],
    )
