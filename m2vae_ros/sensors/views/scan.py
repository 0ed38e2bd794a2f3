# SPDX-License-Identifier: Apache-2.0
"""A planar scan of a LiDAR becomes the profile of what is ahead."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from m2vae_ros.sensors.messages import numbers
from m2vae_ros.sensors.observation import ObservationError
from m2vae_ros.sensors.view import Unit, View, check_positive

# Angles in a LaserScan are float32; a direction this close to a beam (in beams) is that beam.
_SNAP = 0.01

LASER_SCAN = "sensor_msgs/msg/LaserScan"

# The mean of so many of the shortest ranges is the distance of the nearest point.
_NEAREST = 5


@dataclass(frozen=True)
class ScanView(View):
    """The ranges in equally spaced directions around straight ahead, or the relief of the nearest.

    With the defaults these are the 227 beams within ±40° of a Hokuyo URG with 683 beams over ±120°;
    a scan with other beams is interpolated. With `depth`, each range becomes the depth behind the
    nearest point: what tells a round front from a flat one are centimetres, which would drown in
    the distance.

    Attributes:
        beams: number of directions.
        half_angle: direction of the outermost beams, radians left and right of straight ahead.
        max_range: metres; what is farther, not positive or not a number is "nothing there".
        depth: metres behind the nearest point that become 1, what is deeper is cut off; None: the
            ranges themselves, `max_range` becomes 1.
    """

    kind: ClassVar[str] = "scan"
    types: ClassVar[tuple[str, ...]] = (LASER_SCAN,)
    measures: ClassVar[str] = "ranges"
    limits: ClassVar[tuple[str, ...]] = ("max_range", "depth")

    beams: int = 227
    half_angle: float = 113 * math.radians(240.0) / 682
    max_range: float = 0.8
    depth: float | None = None

    def __post_init__(self) -> None:
        if self.beams < 2:
            raise ValueError(f"beams: must be at least 2, not {self.beams}")
        if not 0.0 < self.half_angle < math.pi:
            raise ValueError(f"half_angle: must be in (0, pi), not {self.half_angle}")
        check_positive(self, "max_range", *(["depth"] if self.depth is not None else []))

    @property
    def shape(self) -> tuple[int]:
        """Shape of the result."""
        return (self.beams,)

    @property
    def unit(self) -> Unit:
        """See `View.unit`; with `depth`, metres behind the nearest point."""
        return Unit("m", self.max_range if self.depth is None else self.depth)

    @property
    def angles(self) -> np.ndarray:
        """Directions of the result, float64 (beams,), radians, counter-clockwise."""
        return np.linspace(-self.half_angle, self.half_angle, self.beams)

    @property
    def axis(self) -> tuple[str, np.ndarray]:
        """See `View.axis`."""
        return "bearing, rad", self.angles

    @property
    def sector(self) -> tuple[float, float]:
        """See `View.sector`."""
        return -self.half_angle, self.half_angle

    def __call__(self, ranges: np.ndarray, angle_min: float, angle_increment: float) -> np.ndarray:
        """Cut the profile ahead out of a scan.

        Between two beams that both hit something the range is interpolated; where one of them hits
        nothing the nearer beam counts, because halfway between an object and nothing is nothing
        that exists.

        Args:
            ranges: (n,) metres.
            angle_min: direction of the first beam, radians.
            angle_increment: angle from beam to beam, radians; negative for a clockwise scan.

        Returns:
            float32 (beams,) in [0, 1], 1 where nothing is. With `depth`, 0 at the nearest point and
            1 where what is there lies that deep behind it, or deeper.

        Raises:
            ObservationError: no beams, nothing but NaN, angles that are no numbers or that do not
                cover the directions of this view.
        """
        ranges = np.asarray(ranges)
        if ranges.ndim != 1 or ranges.size == 0:
            raise ObservationError(f"ranges: shape {ranges.shape}, expected one row of beams")
        left, right, weight = _beams(self, len(ranges), float(angle_min), float(angle_increment))
        profile = self._near(ranges[left])
        if not np.isfinite(profile).any() and np.isnan(ranges).all():
            raise ObservationError("ranges: every value is NaN")
        if weight.any():
            a, b = profile, self._near(ranges[right])
            nearest = np.where(weight < 0.5, a, b)
            both_hit = np.isfinite(a) & np.isfinite(b)
            with np.errstate(invalid="ignore"):  # inf - inf, not taken
                profile = np.where(both_hit, a + weight * (b - a), nearest)
        if self.depth is None:
            shares: np.ndarray = np.minimum(profile / self.max_range, 1.0).astype(np.float32)
            return shares
        return self._relief(profile, self.depth).astype(np.float32)

    def _relief(self, profile: np.ndarray, depth: float) -> np.ndarray:
        """Depths behind the nearest point, for which a few beams stand, since each is noisy."""
        few = np.sort(np.partition(profile, min(_NEAREST, len(profile)) - 1)[:_NEAREST])
        few = few[few < np.inf]
        if few.size == 0:
            return np.ones_like(profile)
        nearest = few.sum() / few.size
        relief: np.ndarray = np.minimum(np.maximum((profile - nearest) / depth, 0.0), 1.0)
        return relief

    def _near(self, ranges: np.ndarray) -> np.ndarray:
        """Ranges in metres, infinite where nothing is near."""
        ranges = ranges.astype(np.float64)
        return np.where((ranges > 0.0) & (ranges < self.max_range), ranges, np.inf)

    def beams_of(
        self, count: int, first: float, step: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Between which two of `count` beams each direction lies, and how far from the former.

        Raises:
            ObservationError: see `__call__`.
        """
        if not math.isfinite(first):
            raise ObservationError(f"angle_min: {first} is not an angle")
        if not math.isfinite(step) or step == 0.0:
            raise ObservationError(f"angle_increment: {step} is not a step from beam to beam")
        turn = 2.0 * math.pi / abs(step)
        full = count + _SNAP >= turn
        position = np.mod((self.angles - first) / step, turn)
        # Just before the first beam is the first beam, not the end of a turn.
        position = np.where(position > turn - _SNAP, 0.0, position)
        snapped = np.rint(position)
        position = np.where(np.abs(position - snapped) < _SNAP, snapped, position)
        if not full and position.max() > count - 1:
            last = first + (count - 1) * step
            raise ObservationError(
                f"ranges: {count} beams from {math.degrees(first):.1f}° to "
                f"{math.degrees(last):.1f}° do not cover ±{math.degrees(self.half_angle):.1f}°"
            )
        # A full turn may end on the direction it began with; no beam lies beyond the last one.
        position = np.minimum(position, count - 1 + (1.0 - 1e-9 if full else 0.0))
        left = np.floor(position).astype(int)
        right = (left + 1) % count if full else np.minimum(left + 1, count - 1)
        return left, right, position - left

    def read(self, message: Any) -> np.ndarray:
        """See `View.read`."""
        return self(numbers(message.ranges), message.angle_min, message.angle_increment)


@lru_cache(maxsize=16)
def _beams(
    view: ScanView, count: int, first: float, step: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`ScanView.beams_of`, which is the same for every message of a scanner."""
    return view.beams_of(count, first, step)
