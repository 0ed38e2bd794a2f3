# SPDX-License-Identifier: Apache-2.0
"""Which object a sensor looks at, among those whose places are known."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

Pose = tuple[float, float, float]
"""x and y in metres and yaw in radians, counter-clockwise from the x axis."""

Position = tuple[float, float, float]


class Placed(Protocol):
    """Anything with a name and a place, such as an `Embedding`."""

    @property
    def object_id(self) -> str | None:
        """Its name, if it has one."""
        ...

    @property
    def position(self) -> Position:
        """Where it stands, metres."""
        ...


PlacedT = TypeVar("PlacedT", bound=Placed)


def nearest_in_view(
    pose: Pose, objects: Iterable[PlacedT], max_distance: float, max_bearing: float
) -> PlacedT | None:
    """The object a robot looks at, among those whose positions are known.

    Args:
        pose: the robot's.
        objects: what is known, positions in the frame of the pose.
        max_distance: metres from the robot to the object's position, in the plane.
        max_bearing: radians left or right of straight ahead.

    Returns:
        The nearest one inside both limits (of equally near ones the smallest id), or None.
    """
    x, y, yaw = pose
    seen = []
    for candidate in objects:
        dx, dy = candidate.position[0] - x, candidate.position[1] - y
        distance = math.hypot(dx, dy)
        bearing = math.remainder(math.atan2(dy, dx) - yaw, math.tau) if distance else 0.0
        if distance <= max_distance and abs(bearing) <= max_bearing:
            seen.append((distance, candidate.object_id, candidate))
    return min(seen, key=lambda s: s[:2], default=(None,))[-1]


@dataclass(frozen=True)
class SensingRange:
    """From where a sensor looks at an object.

    Attributes:
        min_distance: metres from the robot to the object's middle, at least.
        max_distance: the same, at most.
        max_bearing: radians between straight ahead and the object.
    """

    min_distance: float
    max_distance: float
    max_bearing: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_distance <= self.max_distance < math.inf:
            raise ValueError(
                f"min_distance, max_distance: must not fall, from {self.min_distance} to "
                f"{self.max_distance}"
            )
        if not 0.0 <= self.max_bearing <= math.pi:
            raise ValueError(f"max_bearing: must be in [0, pi], not {self.max_bearing}")

    def looked_at(self, pose: Pose, objects: Iterable[PlacedT]) -> PlacedT | None:
        """The nearest object in view, unless that is too near to tell its attributes apart."""
        seen = nearest_in_view(pose, objects, self.max_distance, self.max_bearing)
        if seen is None or math.dist(pose[:2], seen.position[:2]) < self.min_distance:
            return None
        return seen
