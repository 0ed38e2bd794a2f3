# SPDX-License-Identifier: Apache-2.0
"""Clocks other than a node's own."""

from __future__ import annotations

# Every distribution has ClockType here, but not all say that others may import it.
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]


def steady_clock() -> Clock:
    """One that goes on while simulated time stands still."""
    return Clock(clock_type=ClockType.STEADY_TIME)
