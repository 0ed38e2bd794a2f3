# SPDX-License-Identifier: Apache-2.0
"""From where a sensor looks at an object.

Robots drive to such viewpoints, and the samples for training are taken around them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Viewpoint:
    """Where a robot stands to look at an object, and how far off it may be.

    Attributes:
        distance: from the robot's centre to the object's centre, metres.
        distance_error: it is drawn evenly from distance ± this, metres.
        bearing_error: the object is straight ahead, give or take this, radians.
        azimuth_error: the robot stands between the object and the middle of the arena, give or
            take this angle about the object, radians.
    """

    distance: float
    distance_error: float
    bearing_error: float = math.radians(4.0)
    azimuth_error: float = math.radians(15.0)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 <= value < math.inf:
                raise ValueError(f"{name}: must not be negative, it is {value}")

    def pose(
        self,
        x: float,
        y: float,
        distance_error: float = 0.0,
        bearing_error: float = 0.0,
        azimuth_error: float = 0.0,
    ) -> tuple[float, float, float]:
        """The pose of a robot that looks at an object at (x, y): x, y (metres), yaw (radians).

        The object must not be in the middle of the arena. The errors, in metres and radians, are 0
        for who wants the best view.
        """
        inwards = math.atan2(-y, -x) + azimuth_error
        distance = self.distance + distance_error
        yaw = inwards + math.pi - bearing_error
        return (
            x + distance * math.cos(inwards),
            y + distance * math.sin(inwards),
            math.remainder(yaw, 2.0 * math.pi),
        )

    def draw(self, x: float, y: float, rng: np.random.Generator) -> tuple[float, float, float]:
        """A random pose within the errors, as `pose`."""
        distance, bearing, azimuth = rng.uniform(-1.0, 1.0, 3)
        return self.pose(
            x,
            y,
            distance * self.distance_error,
            bearing * self.bearing_error,
            azimuth * self.azimuth_error,
        )
