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


def targets(message: Any, now: int) -> tuple[list[Target], int, str | None]:
    """What a message names, from when on, and in which frame the places are.

    Messages are taken by their fields: a std_msgs/String is a name, an empty one is of nothing; a
    geometry_msgs/PointStamped is a place; of a vision_msgs/Detection3DArray each detection is the
    place of its box, and its id if it has one.

    Args:
        message: of one of the types of `sensors.suite.ABOUT_TYPES`.
        now: the time that counts where the message has none, nanoseconds.

    Returns:
        What it names, the time (nanoseconds), and the frame; None if there are no places.

    Raises:
        ObservationError: no frame, or a place that is not finite.
    """
    if hasattr(message, "data"):
        name = message.data.strip()
        return ([Target(name, NOWHERE)] if name else []), now, None
    if not message.header.frame_id:
        raise ObservationError("header.frame_id: is empty")
    stamp = nanoseconds(message.header.stamp)
    if hasattr(message, "point"):
        return [Target(None, _position(message.point, "point"))], stamp, message.header.frame_id
    return (
        [
            Target(each.id or None, _position(each.bbox.center.position, "detections"))
            for each in message.detections
        ],
        stamp,
        message.header.frame_id,
    )


def _position(point: Any, field: str) -> tuple[float, float, float]:
    place = (point.x, point.y, point.z)
    if not all(map(math.isfinite, place)):
        raise ObservationError(f"{field}: {place} is not finite")
    return place
