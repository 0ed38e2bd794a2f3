# SPDX-License-Identifier: Apache-2.0
"""Clocks other than a node's own, and what a node's own may do."""

from __future__ import annotations

from collections.abc import Callable

# Not every distribution has ClockType elsewhere.
from rclpy.clock import Clock, ClockType, JumpHandle, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.timer import Timer

JUMP = Duration(seconds=-1)
"""So far back time begins anew; by less, messages come out of order."""


def on_jump_back(node: Node, callback: Callable[[TimeJump], None]) -> JumpHandle:
    """Be called when time begins anew, for as long as the handle is kept."""
    threshold = JumpThreshold(min_forward=None, min_backward=JUMP, on_clock_change=False)
    return node.get_clock().create_jump_callback(threshold, post_callback=callback)


def steady_clock() -> Clock:
    """One that goes on while simulated time stands still."""
    return Clock(clock_type=ClockType.STEADY_TIME)


def set_period(timer: Timer, seconds: float) -> None:
    """Let a timer fire every so often from now on."""
    timer.timer_period_ns = round(seconds * 1e9)
    timer.reset()  # else it waits for the end of a period as long as before
