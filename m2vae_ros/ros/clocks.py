# SPDX-License-Identifier: Apache-2.0
"""Clocks other than a node's own."""

from __future__ import annotations

# Not every distribution has ClockType elsewhere.
from rclpy.clock import Clock, ClockType
from rclpy.timer import Timer


def steady_clock() -> Clock:
    """One that goes on while simulated time stands still."""
    return Clock(clock_type=ClockType.STEADY_TIME)


def set_period(timer: Timer, seconds: float) -> None:
    """Let a timer fire every so often from now on."""
    timer.timer_period_ns = round(seconds * 1e9)
    timer.reset()  # else it waits for the end of a period as long as before
