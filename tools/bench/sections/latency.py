# SPDX-License-Identifier: Apache-2.0
"""From a sensor to the class of what it sees, in separate processes, and the CPU that takes.

Pictures of 640×480 come at 30 Hz, scans at 10 Hz, intensities at 20 Hz, odometry at 50 Hz. The
robot stands before an object and senses it with each sensor twice a second; the straightforward
node beside it takes whatever comes.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from m2vae_ros.msg import ObjectClassification

from m2vae_ros.bringup.specs import NodeSpec, fusion
from m2vae_ros.ros import qos
from m2vae_ros.sensors.messages import NANOSECONDS, nanoseconds
from m2vae_ros.world.suite import AMIRO
from tools.bench.figures import Figure, Measured, Spread
from tools.bench.running import nodes, running, scripts
from tools.bench.timing import calibration, timed

ROUNDS = 3
SECONDS = 15.0
ROBOT = "bench"


def spec() -> NodeSpec:
    """The fusion node of a robot that stands before an object, in the range of all sensors."""
    near = {"min_distance": 0.0, "max_distance": 2.0, "max_bearing": 0.5, "refresh_period": 0.5}
    of_sensors = {f"{name}.{key}": value for name in AMIRO for key, value in near.items()}
    place = {"objects.names": ["it"], "objects.x": [0.5], "objects.y": [0.0]}
    plain = fusion(ROBOT)
    believing = {"max_surprise": 1e30}  # the readings are noise
    parameters = {**plain.parameters, **of_sensors, **place, **believing}
    return replace(plain, parameters=parameters)


WAYS = {
    "fusion_node": nodes,
    "straightforward node": lambda specs: scripts("straightforward_node.py", specs),
}


def measure() -> Measured:
    """See the module's text."""
    waits: dict[str, list[float]] = defaultdict(list)
    shares: dict[str, list[float]] = defaultdict(list)
    kernel = []
    for _ in range(ROUNDS):
        kernel.append(timed(calibration, 10))
        for way, start in WAYS.items():
            with running() as bench, start([spec()]) as (pid,):
                bench.activate([spec()])
                with scripts("sensor_source.py", [ROBOT]):
                    bench.listen(ObjectClassification, f"/{ROBOT}/classification", qos.EVERY_ONE)
                    bench.hear(1)
                    begin, used = time.monotonic(), cpu_seconds(pid)
                    heard = bench.hear(seconds=SECONDS)
                    shares[way].append((cpu_seconds(pid) - used) / (time.monotonic() - begin))
                waits[way] += [at - nanoseconds(said.header.stamp) for at, said in heard]
    seconds = {way: np.array(found) / NANOSECONDS for way, found in waits.items()}
    last = {way: float(np.quantile(found, 0.99)) for way, found in seconds.items()}
    return Measured(
        Spread.of(kernel),
        [
            Figure("sensor → class", {w: Spread.of(found) for w, found in seconds.items()}),
            Figure("99th percentile of it", {w: Spread(v, v, v) for w, v in last.items()}),
            Figure("CPU", {w: Spread.of(found) for w, found in shares.items()}, "cores"),
        ],
    )


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
