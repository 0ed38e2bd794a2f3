# SPDX-License-Identifier: Apache-2.0
"""Where a robot's sensors are in the frame that the team shares, and whither they look.

Odometry says where the robot is, in a frame of its own that need not be the team's; transforms lead
from there to the team's frame, and from the robot to its sensors. A frame is never taken for
another: where no transform leads to it, nothing is placed.
"""

from __future__ import annotations

import math

import numpy as np

from m2vae_ros.robot.frames import Frames, NoTransform, TransformBuffer, frame_name
from m2vae_ros.sensors.messages import GLOBAL_FRAME, Motion
from m2vae_ros.sensors.sensing_range import Pose, Position

OPTICAL = np.array(
    [[0.0, -1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)
"""A camera's body, which looks along x, in its optical frame, which looks along z (REP 103)."""

MOST_ASSUMED = 32
"""Frames that are noted; a robot has fewer sensors."""


class Placement:
    """Places the sensors of one robot.

    Args:
        frames: what transforms tell.
        global_frame: the team's, in which everything is placed.
        base_frame: the robot's own; "" is the child frame of its odometry.

    Attributes:
        assumed: frames of sensors of which no transform tells how they are mounted, on a robot of
            which none tells anything: they are taken to look ahead from its base.
    """

    def __init__(
        self,
        frames: Frames | None = None,
        global_frame: str = GLOBAL_FRAME,
        base_frame: str = "",
    ) -> None:
        self.frames = TransformBuffer() if frames is None else frames
        self.global_frame = frame_name(global_frame)
        self.assumed: set[str] = set()
        self._base_frame = frame_name(base_frame)

    def base(self, motion: Motion, stamp: int) -> np.ndarray:
        """Where the robot was, by odometry, at a time (nanoseconds).

        Returns:
            (4, 4) homogeneous, metres: from the robot's frame to the team's.

        Raises:
            NoTransform: none leads from the odometry's frame, nor from the robot's, to the team's.
        """
        base_frame = self._base_of(motion)
        try:
            placed: np.ndarray = self.to_global(motion.frame, stamp) @ motion.matrix
            if base_frame != motion.child:
                placed = placed @ self.frames.transform(motion.child, base_frame, stamp)
        except NoTransform:
            if not self.frames.knows(base_frame):
                raise
            placed = self.to_global(base_frame, stamp)  # transforms alone may say where it is
        return placed

    def sensor(self, motion: Motion, frame: str | None, stamp: int) -> np.ndarray:
        """Where a sensor of the robot was, as `base`; it looks along x.

        Args:
            motion: the robot's, by odometry.
            frame: the sensor's; None if its messages name none, and it is the robot's own.
            stamp: nanoseconds.

        Raises:
            NoTransform: see `base`; or none leads from the sensor to the robot.
        """
        base = self.base(motion, stamp)
        base_frame = self._base_of(motion)
        if frame is None or frame_name(frame) == base_frame:
            return base
        if not (self.frames.knows(base_frame) or self.frames.knows(frame)):
            if len(self.assumed) < MOST_ASSUMED:
                self.assumed.add(frame)
            return base
        self.assumed.discard(frame)
        placed = base @ self.frames.transform(base_frame, frame, stamp)
        looking: np.ndarray = placed @ OPTICAL if is_optical(frame) else placed
        return looking

    def to_global(self, frame: str, stamp: int) -> np.ndarray:
        """From a frame to the team's, (4, 4) homogeneous, metres.

        Raises:
            NoTransform: see `Frames.transform`.
        """
        return self.frames.transform(self.global_frame, frame, stamp)

    def _base_of(self, motion: Motion) -> str:
        return self._base_frame or motion.child


def is_optical(frame: str) -> bool:
    """Whether a sensor looks along the z axis of its frame, going by the name (REP 103)."""
    return "optical" in frame


def pose_of(placed: np.ndarray) -> Pose:
    """A place (4, 4) in the plane: x, y, and the yaw of its x axis."""
    return (
        float(placed[0, 3]),
        float(placed[1, 3]),
        math.atan2(float(placed[1, 0]), float(placed[0, 0])),
    )


def point_at(placed: np.ndarray, point: Position) -> Position:
    """A point seen from a place (4, 4), on the ground of the frame in which the place is."""
    x, y, _, _ = placed @ np.array([*point, 1.0])
    return (float(x), float(y), 0.0)
