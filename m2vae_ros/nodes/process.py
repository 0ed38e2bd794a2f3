# SPDX-License-Identifier: Apache-2.0
"""One node as the whole of a process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from m2vae_ros.nodes.parameters import ParameterError

_LOOK_FOR_SIGNALS = 0.1
"""Seconds."""


def run(
    make_node: Callable[[], Node],
    args: list[str] | None = None,
    going_on: Callable[[], bool] = lambda: True,
) -> int:
    """Run a node until SIGINT, SIGTERM or its context ends it; after that both are ignored.

    Args:
        make_node: makes it, once ROS is there.
        args: of the command line; those of the process by default.
        going_on: asked between callbacks, several times a second; False ends the node, too.

    Returns:
        The exit status: 0, or 2 if the node could not be made, which one line on stderr explains.
    """
    # A KeyboardInterrupt can strike anywhere, also where rclpy converts a message, and comes out as
    # another error there. So a signal only leaves word, and the node ends between two callbacks.
    signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: signals.append(received))
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = make_node()
    except (ParameterError, OSError, ValueError) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return 2
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while rclpy.ok() and not signals and going_on():
            executor.spin_once(timeout_sec=_LOOK_FOR_SIGNALS)
    except ExternalShutdownException:
        pass  # whoever shut the context down meant to end the node
    finally:
        executor.shutdown()
        try:
            node.destroy_node()
        finally:
            rclpy.try_shutdown()
        # As Python ends it no longer calls handlers: an impatient second signal would kill it then.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    return 0
