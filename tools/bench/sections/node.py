# SPDX-License-Identifier: Apache-2.0
"""A fusion node, active and idle, beside a bare node with three subscriptions."""

from __future__ import annotations

import time
from collections import defaultdict

from m2vae_ros.bringup.specs import fusion
from tools.bench.figures import Figure, Measured, Spread
from tools.bench.running import bare_nodes, modules, nodes, running, status
from tools.bench.timing import calibration, timed

ROUNDS = 5
WAYS = {"fusion_node": nodes, "bare rclpy node": bare_nodes}
MODULES = {
    "fusion_node": "m2vae_ros.nodes.fusion_node",
    "bare rclpy node": "tools.bench.bare_node",
}


def measure() -> Measured:
    """See the module's text."""
    spec = fusion("bench")
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    kernel = []
    for _ in range(ROUNDS):
        kernel.append(timed(calibration, 10))
        for way, start in WAYS.items():
            with running() as team:
                begin = time.perf_counter()
                with start([spec]) as (pid,):
                    team.activate([spec])
                    values["start"][way].append(time.perf_counter() - begin)
                    team.idle()
                    for name, value in status(pid).items():
                        values[name][way].append(value)
    return Measured(
        Spread.of(kernel),
        [
            _figure("process start → active", values["start"], "s"),
            _figure("resident memory", values["memory"], "MB"),
            _figure("threads", values["threads"], "threads"),
            _figure(
                "modules of Python imported",
                {way: [modules(name)] for way, name in MODULES.items()},
                "modules",
            ),
        ],
    )


def _figure(name: str, ways: dict[str, list[float]], unit: str) -> Figure:
    return Figure(name, {way: Spread.of(found) for way, found in ways.items()}, unit)
