# SPDX-License-Identifier: Apache-2.0
"""Clocks other than a node's own."""

from __future__ import annotations

# Not every distribution has ClockType elsewhere.
from rclpy.clock import Clock, ClockType


def steady_clock() -> Clock:
    """One that goes on while simulated time stands still."""
    return Clock(clock_type=ClockType.STEADY_TIME)
