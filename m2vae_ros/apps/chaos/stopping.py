# SPDX-License-Identifier: Apache-2.0
"""Stops a whole system at random moments while the machine is busy."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from rclpy.node import Node

from m2vae_ros.apps.chaos.scenario import Options, Outcome, Says
from m2vae_ros.bringup.activation import activate
from m2vae_ros.bringup.processes import BringupError, Processes
from m2vae_ros.bringup.specs import simulated_team
from m2vae_ros.host.children import die_with_parent
from m2vae_ros.host.domains import own_domain
from m2vae_ros.host.shared_memory import abandoned_memory, memory_of
from m2vae_ros.ros.beside import AMID_WORK, node_beside

IN_TIME = 2.0
"""Seconds in which every node has to be down."""

BEFORE_PYTHON = "ended with signal SIGINT"
"""What ends a process that has not yet begun to be a node, as it should."""

WITHOUT_DDS = "Timeout ("
"""What a node says that has done all it had to, and that DDS does not let go."""

LONGEST_LIFE = 12.0
"""Seconds from the start until a system is stopped, at most: it is at work by then."""


def stop_often(options: Options, says: Says) -> Outcome:
    """Start and stop the simulator and a team with its patrols, again and again."""
    times = options.times or 50
    generator = random.Random(f"{options.seed} stop")
    broken, seconds, without_dds = [], [], 0
    with own_domain(), _busy_core():
        for number in range(times):
            life = generator.uniform(0.0, LONGEST_LIFE)
            took, unclean = _stopped_after(life)
            says(f"stop {number + 1} of {times}, {life:.1f} s after the start: {took:.2f} s")
            seconds.append(took)
            where = f"stop {number + 1}, {life:.1f} s after the start"
            if took > IN_TIME:
                broken.append(f"{where}: took {took:.2f} s")
            kept = [words for words in unclean if WITHOUT_DDS in words]
            without_dds += len(kept)
            broken += [f"{where}: {words}" for words in unclean if words not in kept]
    numbers: dict[str, float] = {
        "stops": times,
        "median s": median(seconds),
        "most s": max(seconds),
        "nodes that DDS did not let go": without_dds,
    }
    return Outcome(broken, numbers)


def _stopped_after(life: float) -> tuple[float, list[str]]:
    """The seconds that all of a system took to end, and what did not end as it should."""
    deadline = time.monotonic() + life
    with Processes(simulated_team()) as processes:
        _at_work(processes, deadline)
        shared = memory_of(processes.pids().values())
        begin = time.monotonic()
        processes.stop()
        took = time.monotonic() - begin
    left = shared.intersection(abandoned_memory())
    return took, [
        *(words for words in processes.unclean if BEFORE_PYTHON not in words),
        *(f"{name} is left in shared memory" for name in sorted(left)),
    ]


def _at_work(processes: Processes, deadline: float) -> None:
    """Let a system start, and work if there is time for that, until the deadline."""
    made = node_beside(lambda context: Node("chaos", context=context), AMID_WORK)
    with made as (node, executor):
        try:
            activate(processes, node, executor, deadline)
        except BringupError:
            processes.check()  # else its time is over before it is active
    time.sleep(max(0.0, deadline - time.monotonic()))


@contextmanager
def _busy_core() -> Iterator[None]:
    """Something else computes all the time."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=die_with_parent)
    try:
        yield
    finally:
        busy.kill()
        busy.wait()
