# SPDX-License-Identifier: Apache-2.0
"""Messages as they travel: looked at before anything is made of them.

A message is in CDR (OMG, DDS-XTypes 1.3, section 7.6.3): four bytes say how, then comes the rest.
Arrays of numbers are views of the bytes where those are many, not copies.
"""

from __future__ import annotations

from typing import Any

from rclpy.serialization import deserialize_message
from rosbags.typesys import Stores, get_typestore

from m2vae_ros.ros.message_types import type_name
from m2vae_ros.sensors import ObservationError

ENCAPSULATION = 4
"""Bytes that say how the others are to be read."""

LARGE = ("sensor_msgs/msg/Image", "sensor_msgs/msg/LaserScan", "sensor_msgs/msg/PointCloud2")
"""Types whose arrays are not to be copied."""

_STORE = get_typestore(Stores.LATEST)


def check(data: bytes) -> None:
    """Make sure that what follows the first four bytes can be a message.

    The last two of their bits count the bytes by which it is padded at its end. Fast CDR 2.3.3, of
    ROS 2 Kilted, takes them off without looking, and ends the process where there are fewer.

    Raises:
        ObservationError: it is too short.
    """
    if len(data) < ENCAPSULATION or len(data) - ENCAPSULATION < data[3] & 3:
        raise ObservationError(f"bytes: {len(data)} are no message")


def message(data: bytes, kind: type[Any]) -> Any:
    """What has the fields of the message.

    Args:
        data: as it travelled.
        kind: its class.

    Raises:
        ObservationError: the bytes are no such message.
    """
    check(data)
    name = type_name(kind)
    try:
        if name in LARGE:
            return _STORE.deserialize_cdr(data, name)
        return deserialize_message(data, kind)
    except Exception as error:  # whatever the bytes made it stumble over
        raise ObservationError(f"bytes: are no {name}: {error}") from error
