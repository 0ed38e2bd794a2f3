# SPDX-License-Identifier: Apache-2.0
"""Where a robot was when it took a reading, going by the odometry before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from m2vae_ros.datasets.errors import DataError

Pose = tuple[float, float, float]
"""x and y in metres, yaw in radians."""


class Unplaced(DataError):
    """A reading taken nobody knows where; the message says why."""


class Moving(Unplaced):
    """A reading taken by a robot that was not standing."""


@dataclass(frozen=True)
class Standing:
    """When a robot counts as standing, and its odometry as being of the time of a reading.

    Attributes:
        tolerance: seconds from the reading to the odometry before, and to that after it.
        distance: metres between the places of the two, at most.
        turn: radians between their headings, at most.
    """

    tolerance: float = 0.2
    distance: float = 0.01
    turn: float = math.radians(1.0)


class Track:
    """The odometry of one robot.

    Args:
        stamps: (n,) nanoseconds, in any order; of equal ones the last counts.
        poses: of each.
    """

    def __init__(self, stamps: Sequence[int], poses: Sequence[Pose]) -> None:
        at = dict(zip(stamps, poses, strict=True))
        # int64 throughout: a float cannot hold the nanoseconds of today
        self._stamps = np.array(sorted(at), dtype=np.int64)
        self._poses = [at[stamp] for stamp in self._stamps.tolist()]

    def pose(self, stamp: int, standing: Standing) -> Pose:
        """Where the robot stood at a time (nanoseconds).

        Raises:
            Unplaced: there is no odometry of that time, or the robot was moving.
        """
        after = int(np.searchsorted(self._stamps, stamp, side="right"))
        if after == len(self._stamps) and after and self._stamps[-1] == stamp:
            after -= 1  # the very last odometry is as good a bracket as those before
        if not 0 < after < len(self._stamps):
            raise Unplaced(f"no odometry {'after' if after else 'before'} it{self._nearest(stamp)}")
        for side, index in (("before", after - 1), ("after", after)):
            away = abs(int(self._stamps[index]) - stamp) * 1e-9
            if away > standing.tolerance:
                raise Unplaced(
                    f"no odometry within {standing.tolerance:g} s {side} it; the nearest is "
                    f"{_told(away)} away"
                )
        (x, y, yaw), (other_x, other_y, other_yaw) = self._poses[after - 1], self._poses[after]
        moved = math.hypot(other_x - x, other_y - y)
        turned = abs(math.remainder(other_yaw - yaw, math.tau))
        if not (moved <= standing.distance and turned <= standing.turn):
            raise Moving("moving")
        return x, y, yaw

    def _nearest(self, stamp: int) -> str:
        if not len(self._stamps):
            return ""
        away = int(np.abs(self._stamps - stamp).min()) * 1e-9
        return f"; the nearest is {_told(away)} away"


def _told(seconds: float) -> str:
    """A span in the unit that people would use."""
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
