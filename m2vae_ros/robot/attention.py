# SPDX-License-Identifier: Apache-2.0
"""Where what a robot looks at stands, if only its LiDAR can tell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.sensing_range import Pose, Position


def point_ahead(pose: Pose, distance: float) -> Position:
    """The point so many metres straight ahead, at height 0, in the frame of the pose."""
    x, y, yaw = pose
    return (x + distance * math.cos(yaw), y + distance * math.sin(yaw), 0.0)


@dataclass(frozen=True)
class ScanAttention:
    """Finds the object straight ahead in a laser scan.

    Neighbouring beams belong to one surface unless their ranges jump. Of the surfaces that are
    near, narrow and ahead, the one whose middle is closest to straight ahead is looked at. The
    middle of an upright, roughly round object lies behind the middle of the surface it shows.

    Attributes:
        max_distance: metres from the scanner to the surface; farther ones are not looked at.
        max_bearing: radians between straight ahead and the middle of the surface.
        jump: metres between the ranges of two beams that separate two surfaces.
        radius: metres from the surface to the middle of a typical object.
        max_width: metres from edge to edge; wider surfaces are walls.
        min_beams: surfaces with fewer beams are noise.
        lost_beams: so many neighbouring beams without a range do not divide a surface.
    """

    max_distance: float = 1.0
    max_bearing: float = math.radians(40.0)
    jump: float = 0.1
    radius: float = 0.1
    max_width: float = 0.6
    min_beams: int = 3
    lost_beams: int = 2

    def __post_init__(self) -> None:
        for name in ("max_distance", "max_bearing", "jump", "max_width", "min_beams"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        for name in ("radius", "lost_beams"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")

    def __call__(
        self,
        pose: Pose,
        ranges: Sequence[float] | np.ndarray,
        angle_min: float,
        angle_increment: float,
    ) -> Position | None:
        """Where the middle of the object ahead is.

        Args:
            pose: the scanner's.
            ranges: (n,) metres; values that are not finite or not positive hit nothing.
            angle_min: direction of the first beam, radians from straight ahead.
            angle_increment: radians from beam to beam; negative for a clockwise scan.

        Returns:
            x, y in the frame of the pose and 0, metres; None if nothing is looked at.

        Raises:
            ObservationError: the angles or the pose are no numbers.
        """
        if not (all(map(math.isfinite, (*pose, angle_min, angle_increment))) and angle_increment):
            raise ObservationError(
                f"scan: pose {pose}, angle_min {angle_min}, angle_increment {angle_increment} "
                "are not a direction for each beam"
            )
        seen = []
        for bearings, distances in self._surfaces(ranges, angle_min, angle_increment):
            bearing = float(bearings[0] + bearings[-1]) / 2
            width = abs(
                distances[-1] * np.exp(1j * bearings[-1]) - distances[0] * np.exp(1j * bearings[0])
            )
            if (
                distances.min() <= self.max_distance
                and abs(bearing) <= self.max_bearing
                and width <= self.max_width
            ):
                third = len(distances) // 3
                middle = float(np.median(distances[third : len(distances) - third]))
                seen.append((abs(bearing), middle, bearing))
        if not seen:
            return None
        _, distance, bearing = min(seen)
        return point_ahead((pose[0], pose[1], pose[2] + bearing), distance + self.radius)

    def shows_nothing(
        self,
        point: Position,
        ranges: Sequence[float] | np.ndarray,
        angle_min: float,
        angle_increment: float,
    ) -> bool:
        """Whether every beam towards a place goes past what would stand there.

        A beam that comes back from nowhere (+inf, REP 117) does; one without a valid range says
        nothing, and what stands in front of the place or is as far away hides it.

        Args:
            point: the place, in the scanner's frame, metres.
            ranges: see `__call__`, as the other arguments.
        """
        distance, bearing = math.hypot(*point[:2]), math.atan2(point[1], point[0])
        distances = np.asarray(ranges, dtype=np.float64).ravel()
        away = angle_min + angle_increment * np.arange(distances.size) - bearing
        away = np.abs(np.remainder(away + math.pi, math.tau) - math.pi)
        towards = distances[away <= math.atan2(self.radius, distance)]
        return towards.size >= self.min_beams and bool((towards > distance + self.radius).all())

    def _surfaces(
        self, ranges: Sequence[float] | np.ndarray, angle_min: float, angle_increment: float
    ) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        """Bearings (n,) in ascending order and distances (n,) of every surface."""
        distances = np.asarray(ranges, dtype=np.float64).ravel()
        bearings = angle_min + angle_increment * np.arange(distances.size)
        bearings = np.remainder(bearings + math.pi, math.tau) - math.pi
        hit = np.flatnonzero(np.isfinite(distances) & (distances > 0))
        hit = hit[np.argsort(bearings[hit], kind="stable")]  # a full turn may begin straight ahead
        bearings, distances = bearings[hit], distances[hit]
        edges = np.flatnonzero(
            (np.diff(bearings) > (self.lost_beams + 1.5) * abs(angle_increment))
            | (np.abs(np.diff(distances)) > self.jump)
        )
        for part in np.split(np.arange(hit.size), edges + 1):
            if part.size >= self.min_beams:
                yield bearings[part], distances[part]
