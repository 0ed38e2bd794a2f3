# SPDX-License-Identifier: Apache-2.0
"""The seven nodes of the demo from their start until all run, beside seven bare nodes."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace

from m2vae_ros.bringup.specs import simulated_team
from tools.bench.figures import Figure, Measured, Spread
from tools.bench.running import bare_nodes, nodes, running, status
from tools.bench.timing import calibration, timed

ROUNDS = 3
WAYS = {"simulator, three robots": nodes, "as many bare rclpy nodes": bare_nodes}


def measure() -> Measured:
    """See the module's text."""
    specs = simulated_team()
    seconds, memory = defaultdict(list), defaultdict(list)
    kernel = []
    for _ in range(ROUNDS):
        kernel.append(timed(calibration, 10))
        for way, start in WAYS.items():
            # All of the bare ones are lifecycle nodes; of the team's, the fusion nodes.
            led = [spec for spec in specs if spec.lifecycle or start is bare_nodes]
            with running() as team:
                begin = time.perf_counter()
                with start(specs) as pids:
                    team.activate([replace(spec, lifecycle=True) for spec in led])
                    seconds[way].append(time.perf_counter() - begin)
                    team.idle()
                    memory[way].append(sum(status(pid)["memory"] for pid in pids))
    return Measured(
        Spread.of(kernel),
        [
            Figure("start of the first → all active", _spreads(seconds)),
            Figure("resident memory of all", _spreads(memory), "MB"),
        ],
    )


def _spreads(ways: dict[str, list[float]]) -> dict[str, Spread]:
    return {way: Spread.of(values) for way, values in ways.items()}
