# SPDX-License-Identifier: Apache-2.0
"""What of a message counts.

Messages are taken by their fields, so those of rclpy and those of rosbags are equally welcome: the
running robots and the bags they are trained from go through the same code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from m2vae_ros.sensors.observation import ObservationError

NANOSECONDS = 1_000_000_000


class Source(NamedTuple):
    """A topic below a robot's namespace, and the type of its messages."""

    topic: str
    type: str


ODOMETRY = Source("odom", "nav_msgs/msg/Odometry")

GLOBAL_FRAME = "map"
"""The frame that a team shares, unless it is told of another (REP 105)."""


def nanoseconds(stamp: Any) -> int:
    """A builtin_interfaces/Time as nanoseconds."""
    time: int = stamp.sec * NANOSECONDS + stamp.nanosec
    return time


def numbers(field: Sequence[float]) -> np.ndarray:
    """A float32[] field as float32 (n,)."""
    return np.asarray(field, dtype=np.float32)


@dataclass(frozen=True)
class Motion:
    """Where a robot was at a time, in nanoseconds, and how fast: metres, radians, m/s, rad/s.

    The place is that of the frame `child` in `frame`; `deviation` (metres) and `yaw_deviation`
    (radians) are how sure that is, along the worse of x and y; 0 where odometry does not say it.
    """

    x: float
    y: float
    yaw: float
    speed: float
    turn: float
    stamp: int
    frame: str = GLOBAL_FRAME
    child: str = ""
    deviation: float = 0.0
    yaw_deviation: float = 0.0

    @property
    def pose(self) -> tuple[float, float, float]:
        """x, y and yaw."""
        return (self.x, self.y, self.yaw)

    @property
    def matrix(self) -> np.ndarray:
        """(4, 4) homogeneous, metres: from `child` to `frame`."""
        placed = np.eye(4)
        sin, cos = math.sin(self.yaw), math.cos(self.yaw)
        placed[:2] = (cos, -sin, 0.0, self.x), (sin, cos, 0.0, self.y)
        return placed


def rotation(x: float, y: float, z: float, w: float) -> np.ndarray:
    """The turn (3, 3) of a quaternion, whatever its length."""
    x, y, z, w = np.array([x, y, z, w]) / math.hypot(x, y, z, w)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _deviation(variance: float) -> float:
    """0 of what is no variance: many a driver leaves it at 0 or -1, or says that it is infinite."""
    return math.sqrt(variance) if 0.0 < variance < math.inf else 0.0


def motion(message: Any) -> Motion:
    """Where a nav_msgs/Odometry places the robot, in the odometry's frame.

    Raises:
        ObservationError: a pose or twist that is not finite, an orientation that is none, or no
            name of the frame.
    """
    position, q = message.pose.pose.position, message.pose.pose.orientation
    linear, angular = message.twist.twist.linear, message.twist.twist.angular
    covariance = message.pose.covariance
    yaw = math.atan2(2.0 * (q.w * q.z + q.x * q.y), 1.0 - 2.0 * (q.y * q.y + q.z * q.z))
    found = Motion(
        position.x,
        position.y,
        yaw,
        math.hypot(linear.x, linear.y),
        abs(angular.z),
        nanoseconds(message.header.stamp),
        message.header.frame_id.removeprefix("/"),
        message.child_frame_id.removeprefix("/"),
        _deviation(max(covariance[0], covariance[7])),
        _deviation(covariance[35]),
    )
    if not found.frame:
        raise ObservationError("header.frame_id: is empty")
    if not all(map(math.isfinite, (found.x, found.y, found.yaw, found.speed, found.turn))):
        raise ObservationError("pose, twist: holds NaN or infinite values")
    if not 0.9 < math.hypot(q.x, q.y, q.z, q.w) < 1.1:
        raise ObservationError("pose.pose.orientation: not a unit quaternion")
    return found
