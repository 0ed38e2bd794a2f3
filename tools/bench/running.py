# SPDX-License-Identifier: Apache-2.0
"""Processes of nodes from their start until they are active, and what they then take."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

from m2vae_ros.bringup.activation import Activation
from m2vae_ros.bringup.processes import Processes, environment
from m2vae_ros.bringup.specs import NodeSpec
from m2vae_ros.host.children import die_with_parent, stop
from m2vae_ros.host.domains import own_domain
from m2vae_ros.ros.beside import AMID_WORK, node_beside

PATIENCE = 120.0
IDLE = 1.0
"""Seconds after which what a node takes is read."""


class Running:
    """What leads nodes to active; used with a domain of its own."""

    def __init__(self, node: Node, executor: SingleThreadedExecutor) -> None:
        self._node, self._executor = node, executor

    def activate(self, specs: Sequence[NodeSpec]) -> None:
        """Return when all are active.

        Raises:
            RuntimeError: one refused, or was not there in time.
        """
        deadline = time.monotonic() + PATIENCE
        waiting = [Activation(self._node, spec) for spec in specs]
        while waiting:
            self._executor.spin_once(timeout_sec=0.01)
            waiting = [one for one in waiting if not one.step()]
            refused = [one.spec.full_name for one in waiting if one.refused]
            if refused or time.monotonic() > deadline:
                raise RuntimeError(f"not active: {refused or [w.spec.full_name for w in waiting]}")

    def idle(self) -> None:
        """Let what has just started come to rest."""
        time.sleep(IDLE)

    def listen(self, kind: type, topic: str, profile: QoSProfile) -> None:
        """Note from now on what comes on a topic, and when."""
        self._heard: list[tuple[int, Any]] = []
        clock = self._node.get_clock()

        def note(message: Any) -> None:
            self._heard.append((clock.now().nanoseconds, message))

        self._node.create_subscription(kind, topic, note, profile)

    def hear(self, least: int = 0, seconds: float = 0.0) -> list[tuple[int, Any]]:
        """What comes in so many seconds, and until there are at least so many.

        Returns:
            when each came, nanoseconds, and the message.

        Raises:
            RuntimeError: nothing came for long.
        """
        self._heard.clear()
        begin = time.monotonic()
        while time.monotonic() < begin + seconds or len(self._heard) < least:
            self._executor.spin_once(timeout_sec=0.01)
            if time.monotonic() > begin + seconds + PATIENCE:
                raise RuntimeError(f"{len(self._heard)} messages came, not {least}")
        return list(self._heard)


@contextmanager
def running() -> Iterator[Running]:
    """In a ROS domain and a context of its own."""
    made = node_beside(lambda context: Node("bench", context=context), AMID_WORK)
    with own_domain(), made as (node, executor):
        yield Running(node, executor)


@contextmanager
def nodes(specs: Sequence[NodeSpec]) -> Iterator[list[int]]:
    """The nodes of this package: their process ids."""
    with Processes(specs) as processes:
        yield list(processes.pids().values())


@contextmanager
def scripts(file: str, of: Sequence[NodeSpec | str]) -> Iterator[list[int]]:
    """A file of this folder, run for each node in its place, or for each word: their ids."""
    path = str(Path(__file__).with_name(file))
    started = []
    try:
        for one in of:
            words = [one] if isinstance(one, str) else named(one)
            started.append(
                subprocess.Popen(
                    [sys.executable, path, *words],
                    env=environment(),
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                )
            )
        yield [process.pid for process in started]
    finally:
        stop(started)


def bare_nodes(specs: Sequence[NodeSpec]) -> AbstractContextManager[list[int]]:
    """As many bare nodes with the same names."""
    return scripts("bare_node.py", specs)


def named(spec: NodeSpec) -> list[str]:
    """What gives a node its names."""
    return ["--ros-args", "-r", f"__ns:={spec.namespace}", "-r", f"__node:={spec.name}"]


def modules(name: str) -> float:
    """How many modules of Python there are once one of them is imported."""
    code = f"import {name}, sys; print(len(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(run.stdout)


def status(pid: int) -> dict[str, float]:
    """Resident memory (MB) and threads of a process."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return {"memory": int(fields["VmRSS"].split()[0]) / 1e3, "threads": float(fields["Threads"])}
