# SPDX-License-Identifier: Apache-2.0
"""Processes of nodes, and questions to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import rclpy
from lifecycle_msgs.srv import GetState
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor

from m2vae_ros.bringup.activation import activate
from m2vae_ros.bringup.processes import Processes

PATIENCE = 60.0
"""Seconds; torch takes a while to import when the machine is busy."""


@contextmanager
def asking():
    """A node and its executor, for services."""
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("asking", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        yield node, executor
    finally:
        executor.shutdown()
        node.destroy_node()
        context.try_shutdown()


def bring_up(processes: Processes, node, executor) -> list[str]:
    active: list[str] = []
    activate(processes, node, executor, time.monotonic() + PATIENCE, active.append)
    return active


def until(condition: Callable[[], bool], executor=None) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        if executor is None:
            time.sleep(0.05)
        else:
            executor.spin_once(timeout_sec=0.05)


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def state_of(name: str, node, executor) -> int:
    client = node.create_client(GetState, f"{name}/get_state")
    until(client.service_is_ready, executor)
    future = client.call_async(GetState.Request())
    until(future.done, executor)
    return future.result().current_state.id
