# SPDX-License-Identifier: Apache-2.0
"""Messages as they travel: looked at before anything is made of them.

A message is in CDR (OMG, DDS-XTypes 1.3, section 7.6.3): four bytes say how, then comes the rest.
Arrays of numbers are views of the bytes where those are many, not copies.
"""

from __future__ import annotations

from functools import cache
from struct import Struct
from struct import error as StructError
from typing import Any, NamedTuple

from rclpy.serialization import deserialize_message

from m2vae_ros.ros.message_types import message_definition, type_name
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.messages import NANOSECONDS

ENCAPSULATION = 4
"""Bytes that say how the others are to be read."""

WITH_ARRAYS = tuple(
    f"{package}/msg/{name}"
    for package, name in (
        ("nav_msgs", "Odometry"),
        ("sensor_msgs", "Image"),
        ("sensor_msgs", "LaserScan"),
        ("sensor_msgs", "PointCloud2"),
    )
)
"""Types whose arrays are not to be copied, or not number by number."""

PARTS = (
    "std_msgs/msg/Header",
    "sensor_msgs/msg/PointField",
    *(f"geometry_msgs/msg/{name}" for name in ("Point", "Quaternion", "Vector3", "Pose", "Twist")),
    *(f"geometry_msgs/msg/{name}WithCovariance" for name in ("Pose", "Twist")),
)
"""Types that those consist of."""


def check(data: bytes) -> None:
    """Make sure that what follows the first four bytes can be a message.

    The last two of their bits count the bytes by which it is padded at its end. Fast CDR 2.3.3, of
    ROS 2 Kilted, takes them off without looking, and ends the process where there are fewer.

    Raises:
        ObservationError: it is too short.
    """
    if len(data) < ENCAPSULATION or len(data) - ENCAPSULATION < data[3] & 3:
        raise ObservationError(f"bytes: {len(data)} are no message")


class Header(NamedTuple):
    """A std_msgs/Header: nanoseconds, and the frame."""

    stamp: int
    frame: str


def has_header(kind: type[Any]) -> bool:
    """Whether messages of this class begin with a std_msgs/Header."""
    first = next(iter(kind.get_fields_and_field_types().items()), None)
    return first == ("header", "std_msgs/Header")


def header(data: bytes) -> Header:
    """With what a message begins that has a header; nothing else of it is read.

    Raises:
        ObservationError: it ends before its header does, or the name of the frame is no text.
    """
    order = "<" if data[1:2] and data[1] & 1 else ">"
    layout = Struct(f"{order}iII")
    try:
        seconds, nanoseconds, length = layout.unpack_from(data, ENCAPSULATION)
    except StructError:
        raise ObservationError(f"bytes: {len(data)} are no message") from None
    begin = ENCAPSULATION + layout.size
    if len(data) < begin + length:
        raise ObservationError("header.frame_id: is longer than the message")
    try:
        frame = data[begin : begin + length].rstrip(b"\0").decode()
    except UnicodeDecodeError:
        raise ObservationError("header.frame_id: is no text in UTF-8") from None
    return Header(seconds * NANOSECONDS + nanoseconds, frame)


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
        if name in WITH_ARRAYS:
            return _store().deserialize_cdr(data, name)
        return deserialize_message(data, kind)
    except Exception as error:  # whatever the bytes made it stumble over
        raise ObservationError(f"bytes: are no {name}: {error}") from error


@cache
def _store() -> Any:
    """What reads the types with arrays, as they are defined here.

    Made with the first of them: a node is active before, and rosbags' own stores are those of every
    ROS 2 one after the other.
    """
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.EMPTY)
    for name in (*PARTS, *WITH_ARRAYS):
        store.register(get_types_from_msg(message_definition(name), name))
    return store
