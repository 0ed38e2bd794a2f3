# SPDX-License-Identifier: Apache-2.0
"""A node of a process that does other things, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from m2vae_ros.ros.process import LONGEST_END, letting_go

AMID_WORK = 10.0
"""Seconds for DDS to let go of a node where work goes on after it: longer than on a busy machine
it takes, for the work ends, too, if it does not."""

MadeNode = TypeVar("MadeNode", bound=Node)


@contextmanager
def node_beside(
    make: Callable[[Context], MadeNode], longest_end: float = LONGEST_END
) -> Iterator[tuple[MadeNode, SingleThreadedExecutor]]:
    """A node in a context of its own, and what spins it; signals are left to others.

    Args:
        make: makes the node.
        longest_end: seconds in which DDS has to let go of it, see `letting_go`.
    """
    context = Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = make(context)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
    except BaseException:
        context.try_shutdown()
        raise
    try:
        yield node, executor
    finally:
        executor.shutdown()
        with letting_go(longest_end):
            node.destroy_node()
            context.try_shutdown()
