# SPDX-License-Identifier: Apache-2.0
"""Drives a robot that turns on the spot to a place, and faces it to another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from m2vae_ros.sensors.sensing_range import Pose

CLOSE = 0.02
"""Metres from the place that count as there."""

FACING = 0.02
"""Radians off that count as facing."""

STUCK_AFTER = 1.5
"""Seconds without coming nearer, after which something is in the way."""


class Velocity(NamedTuple):
    """m/s forwards and rad/s counter-clockwise."""

    linear: float
    angular: float


STILL = Velocity(0.0, 0.0)


@dataclass(frozen=True)
class Goal:
    """Where to stand and what to face, metres."""

    x: float
    y: float
    facing_x: float
    facing_y: float


class Driver:
    """Straight to the goal: turn, drive, turn.

    Blocked, it backs off and steps aside, to the other side each time, so that two robots that
    block each other part.
    """

    def __init__(self, goal: Goal, speed: float, turn: float, time: float) -> None:
        """Begin.

        Args:
            goal: where to.
            speed: m/s at most.
            turn: rad/s at most.
            time: now, seconds.
        """
        self._goal = goal
        self.limit(speed, turn)
        self._arrived = False
        self._nearest = math.inf
        self._nearest_at = time
        self._side = 1.0

    def limit(self, speed: float, turn: float) -> None:
        """Go on with these (m/s and rad/s) at most; where it was blocked, it tries anew."""
        self._speed = speed
        self._turn = turn
        self._manoeuvre: list[tuple[float, Velocity]] = []

    def command(self, time: float, pose: Pose) -> Velocity | None:
        """The velocity to drive with now; None when the goal is reached.

        Args:
            time: seconds.
            pose: of the robot now.
        """
        while self._manoeuvre and time >= self._manoeuvre[0][0]:
            del self._manoeuvre[0]
            self._nearest, self._nearest_at = math.inf, time
        if self._manoeuvre:
            return self._manoeuvre[0][1]
        distance, bearing = _polar(pose, self._goal.x, self._goal.y)
        if not self._arrived and distance > CLOSE:
            error = distance + 0.2 * abs(bearing)  # turning towards it counts as coming nearer
            return self._unstick(time, error) or self._towards(distance, bearing)
        self._arrived = True  # turning on the spot may move it a little: no going back for that
        _, bearing = _polar(pose, self._goal.facing_x, self._goal.facing_y)
        if abs(bearing) > FACING:
            return Velocity(0.0, self._turning(bearing))
        return None

    def _towards(self, distance: float, bearing: float) -> Velocity:
        if abs(bearing) > 0.5:
            return Velocity(0.0, self._turning(bearing))
        return Velocity(min(self._speed, 0.03 + 2.0 * distance), self._turning(bearing))

    def _turning(self, bearing: float) -> float:
        return max(-self._turn, min(self._turn, 4.0 * bearing))

    def _unstick(self, time: float, error: float) -> Velocity | None:
        if error < self._nearest - 0.01:
            self._nearest, self._nearest_at = error, time
        if time - self._nearest_at < STUCK_AFTER:
            return None
        self._side = -self._side
        back, aside = Velocity(-self._speed, 0.0), Velocity(0.0, self._side * self._turn)
        until_back = time + 0.15 / self._speed
        until_turned = until_back + 1.2 / self._turn
        until_aside = until_turned + 0.2 / self._speed
        self._manoeuvre = [
            (until_back, back),
            (until_turned, aside),
            (until_aside, Velocity(self._speed, 0.0)),
        ]
        return back


def _polar(pose: Pose, x: float, y: float) -> tuple[float, float]:
    """Distance and bearing (radians, left is positive) of a point."""
    dx, dy = x - pose[0], y - pose[1]
    return math.hypot(dx, dy), math.remainder(math.atan2(dy, dx) - pose[2], math.tau)
