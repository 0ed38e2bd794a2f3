# SPDX-License-Identifier: Apache-2.0
"""From the start of a participant until another knows its node: multicast, and a server."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import rclpy
from rclpy.context import Context
from rclpy.node import Node

from m2vae_ros.host.domains import own_domain
from m2vae_ros.ros.beside import AMID_WORK
from m2vae_ros.ros.process import letting_go
from tools.bench.figures import Figure, Measured, Spread
from tools.bench.timing import calibration, timed
from tools.discovery_server import discovery_server

ROUNDS = 5
PATIENCE = 30.0


def measure() -> Measured:
    """See the module's text."""
    seconds: dict[str, list[float]] = {"multicast": [], "discovery server": []}
    kernel = []
    for _ in range(ROUNDS):
        kernel.append(timed(calibration, 10))
        for way, found in seconds.items():
            with discovery_server() if way == "discovery server" else nullcontext(), own_domain():
                found.append(_in_its_own_process())
    figure = Figure("a node is found", {way: Spread.of(of) for way, of in seconds.items()})
    return Measured(Spread.of(kernel), [figure])


def _in_its_own_process() -> float:
    """`_found` there: in one that had a server once, Fast DDS does without multicast for good."""
    command = [sys.executable, "-m", __name__]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def _found() -> float:
    with _node("first") as first:
        begin = time.perf_counter()
        with _node("second"):
            while "second" not in first.get_node_names():
                if time.perf_counter() > begin + PATIENCE:
                    raise RuntimeError(f"not found within {PATIENCE} s")
                time.sleep(0.002)
            return time.perf_counter() - begin


@contextmanager
def _node(name: str) -> Iterator[Node]:
    """A node in a context, and so a participant, of its own."""
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node(name, context=context)
    try:
        yield node
    finally:
        with letting_go(AMID_WORK):
            node.destroy_node()
            context.try_shutdown()


if __name__ == "__main__":
    print(_found())
