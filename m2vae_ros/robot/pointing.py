# SPDX-License-Identifier: Apache-2.0
"""What readings are of, where a topic says so: a name, a place, or detections."""

from __future__ import annotations

import math
from typing import Any

from m2vae_ros.robot.perception import Target
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.messages import nanoseconds

NOWHERE = (0.0, 0.0, 0.0)
"""The place of what has only a name."""


def targets(message: Any, frame: str, now: int) -> tuple[list[Target], int]:
    """What a message names, and from when on.

    Messages are taken by their fields: a std_msgs/String is a name, an empty one is of nothing; a
    geometry_msgs/PointStamped is a place; of a vision_msgs/Detection3DArray each detection is the
    place of its box, and its id if it has one.

    Args:
        message: of one of the types of `sensors.suite.ABOUT_TYPES`.
        frame: that all places have to be in.
        now: the time that counts where the message has none, nanoseconds.

    Returns:
        What it names, and the time, nanoseconds.

    Raises:
        ObservationError: another frame, or a place that is not finite.
    """
    if hasattr(message, "data"):
        name = message.data.strip()
        return ([Target(name, NOWHERE)] if name else []), now
    if message.header.frame_id != frame:
        raise ObservationError(f"header.frame_id: is {message.header.frame_id!r}, not {frame!r}")
    stamp = nanoseconds(message.header.stamp)
    if hasattr(message, "point"):
        return [Target(None, _position(message.point, "point"))], stamp
    return [
        Target(each.id or None, _position(each.bbox.center.position, "detections"))
        for each in message.detections
    ], stamp


def _position(point: Any, field: str) -> tuple[float, float, float]:
    place = (point.x, point.y, point.z)
    if not all(map(math.isfinite, place)):
        raise ObservationError(f"{field}: {place} is not finite")
    return place
