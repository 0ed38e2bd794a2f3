# SPDX-License-Identifier: Apache-2.0
"""One node as the whole of a process."""

from __future__ import annotations

import sys
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from m2vae_ros.nodes.parameters import ParameterError


def run(make_node: Callable[[], Node], args: list[str] | None = None) -> int:
    """Run a node until SIGINT, SIGTERM or its context ends it.

    Returns:
        The exit status: 0, or 2 if the node could not be made, which one line on stderr explains.
    """
    rclpy.init(args=args)
    try:
        node = make_node()
    except (ParameterError, OSError, ValueError) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return 2
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # the usual end
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0
