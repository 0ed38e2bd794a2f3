# SPDX-License-Identifier: Apache-2.0
"""Velocity commands: what of them is carried out, and how long they hold."""

from __future__ import annotations

import math

MAX_LINEAR = 0.5  # m/s, forwards and backwards; a faster command is carried out at this speed
MAX_ANGULAR = 3.0  # rad/s, either way
COMMAND_TIMEOUT = 0.5  # seconds of simulated time; without a newer command the robot stops


class Command:
    """The last command of a robot.

    Args:
        robot: its name, for errors.
    """

    def __init__(self, robot: str) -> None:
        self._robot = robot
        self.forget()

    def forget(self) -> None:
        """No command was given."""
        self._given = (0.0, 0.0, -math.inf)

    def give(self, linear: float, angular: float, time: float) -> None:
        """Take a velocity in the robot's own frame, m/s forwards and rad/s counter-clockwise.

        Args:
            linear: cut off at ± `MAX_LINEAR`.
            angular: cut off at ± `MAX_ANGULAR`.
            time: when it was given, simulated seconds; it holds for `COMMAND_TIMEOUT`.

        Raises:
            ValueError: not finite. The command before still holds.
        """
        for name, value in (("linear", linear), ("angular", angular)):
            if not math.isfinite(value):
                raise ValueError(f"command of {self._robot}: {name} velocity is {value}")
        self._given = (
            min(max(linear, -MAX_LINEAR), MAX_LINEAR),
            min(max(angular, -MAX_ANGULAR), MAX_ANGULAR),
            time,
        )

    def at(self, time: float) -> tuple[float, float]:
        """What holds at a simulated time: m/s forwards and rad/s counter-clockwise.

        If time has gone back, an older command holds neither now nor when its time comes round.
        """
        linear, angular, since = self._given
        if time < since:
            self.forget()
            return 0.0, 0.0
        # Simulated time is a sum of many steps, so not exactly what it should be.
        if time - since > COMMAND_TIMEOUT - 1e-9:
            return 0.0, 0.0
        return linear, angular
