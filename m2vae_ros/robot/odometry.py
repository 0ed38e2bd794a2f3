# SPDX-License-Identifier: Apache-2.0
"""Where a robot stood when it took a reading, going by the odometry before and after."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from m2vae_ros.sensors.messages import NANOSECONDS, Motion

SPAN = 0.2
"""Seconds over which the poses of a robot that reports no speed must agree."""

HOLDS = 0.02
"""Seconds for which odometry holds, so that none of later need be waited for: in so long a robot
that stood gets no faster than 0.05 m/s by 2.5 m/s², and no farther than half a millimetre."""


class UnusedReading(ValueError):
    """A reading that is fit, but not used; the message says why."""


class Unplaced(UnusedReading):
    """A reading taken nobody knows where."""


class OdometryToCome(Unplaced):
    """There is no odometry after it, so far."""


class Moving(UnusedReading):
    """A reading taken by a robot that was not standing."""


@dataclass(frozen=True)
class Standing:
    """When a robot counts as standing, and its odometry as being of the time of a reading.

    Both the speeds that odometry reports and its poses must say so. Many a driver leaves the speeds
    at zero, and poses a few milliseconds apart differ by little, however fast a robot drives: where
    no speed is reported, all poses of the last `SPAN` are compared.

    Attributes:
        tolerance: seconds from the reading to the odometry before, and to that after it.
        max_speed: m/s, in both.
        max_turn: rad/s, in both.
        position_noise: metres by which the place of a robot that stands may wander.
        heading_noise: radians by which its heading may.
    """

    tolerance: float = 0.2
    max_speed: float = 0.05
    max_turn: float = 0.1
    position_noise: float = 0.01
    heading_noise: float = math.radians(1.0)


class Track:
    """The odometry of one robot, in order.

    Attributes:
        standing: when the robot counts as standing.
        keep: seconds before the newest odometry that are remembered.
    """

    def __init__(self, standing: Standing, keep: float = math.inf) -> None:
        self.standing = standing
        self.keep = keep
        self._stamps: list[int] = []
        self._motions: list[Motion] = []

    @property
    def newest(self) -> int | None:
        """The latest time of which there is odometry, nanoseconds; None if there is none."""
        return self._stamps[-1] if self._stamps else None

    @property
    def latest(self) -> Motion | None:
        """The latest odometry; None if there is none."""
        return self._motions[-1] if self._motions else None

    @property
    def moves(self) -> bool:
        """Whether the latest two odometries say that the robot does not stand."""
        return len(self._motions) > 1 and not self._stands(len(self._motions) - 1)

    def add(self, motion: Motion) -> None:
        """Remember where the robot was; of equal stamps the last counts.

        Odometry in another frame begins anew: what was before cannot be compared with it.
        """
        if self._motions and self._motions[-1].frame != motion.frame:
            self._stamps.clear()
            self._motions.clear()
        place = bisect_left(self._stamps, motion.stamp)
        same = self._stamps[place : place + 1] == [motion.stamp]
        self._stamps[place : place + same] = [motion.stamp]
        self._motions[place : place + same] = [motion]
        if self.keep < math.inf:
            old = bisect_left(self._stamps, self._stamps[-1] - int(self.keep * NANOSECONDS))
            del self._stamps[:old], self._motions[:old]

    def at(self, stamp: int) -> Motion:
        """The odometry of where the robot stood at a time (nanoseconds).

        Raises:
            Unplaced: there is no odometry of that time; `OdometryToCome` if there may still be.
            Moving: the robot was not standing.
        """
        before = bisect_right(self._stamps, stamp) - 1
        after = before if self._holds(before, stamp) else before + 1
        self._check_bracket(before, after, stamp)
        if not self._stands(after):
            raise Moving("moving")
        return self._motions[before]

    def _holds(self, index: int, stamp: int) -> bool:
        """Whether the odometry of this index and the one before it say how it is at a time."""
        if index < 1:
            return False
        since = (stamp - self._stamps[index]) / NANOSECONDS
        gap = (self._stamps[index] - self._stamps[index - 1]) / NANOSECONDS
        tolerance = self.standing.tolerance
        return since <= min(HOLDS, tolerance) and gap <= tolerance

    def _check_bracket(self, before: int, after: int, stamp: int) -> None:
        if not 0 <= before <= after < len(self._stamps):
            kind, side = (OdometryToCome, "after") if before >= 0 else (Unplaced, "before")
            raise kind(f"no odometry {side} it{self._nearest(stamp)}")
        for side, index in (("before", before), ("after", after)):
            away = abs(self._stamps[index] - stamp) / NANOSECONDS
            if away > self.standing.tolerance:
                raise Unplaced(
                    f"no odometry within {self.standing.tolerance:g} s {side} it; the nearest is "
                    f"{_span(away)} away"
                )

    def _stands(self, after: int) -> bool:
        """Whether the robot stood between the odometry of this index and the one before."""
        limits = self.standing
        before, now = self._motions[after - 1 : after + 1]
        if max(before.speed, now.speed) > limits.max_speed:
            return False
        if max(before.turn, now.turn) > limits.max_turn:
            return False
        first = bisect_left(self._stamps, now.stamp - int(SPAN * NANOSECONDS))
        lately = self._motions[min(first, after - 1) : after]
        if any(motion.speed or motion.turn for motion in (*lately, now)):
            lately = [before]  # its speeds can be believed
        later = now
        for motion in reversed(lately):
            if not self._near(motion, later):
                return later is not now  # it was put here, and has stood since
            if not self._near(motion, now):
                return False
            later = motion
        return True

    def _near(self, one: Motion, other: Motion) -> bool:
        return (
            math.dist(one.pose[:2], other.pose[:2]) <= self.standing.position_noise
            and abs(math.remainder(one.yaw - other.yaw, math.tau)) <= self.standing.heading_noise
        )

    def _nearest(self, stamp: int) -> str:
        if not self._stamps:
            return ""
        away = min(abs(known - stamp) for known in (self._stamps[0], self._stamps[-1]))
        return f"; the nearest is {_span(away / NANOSECONDS)} away"


def _span(seconds: float) -> str:
    """A span in the unit that people would use."""
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
