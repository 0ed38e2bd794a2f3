# SPDX-License-Identifier: Apache-2.0
"""Bags of three robots that visit the eight objects, without a simulator and without ROS.

A reading tells which object it is of, so that a test can see whether it was taken for that one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mcap_ros2.writer import Writer as IndependentWriter
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from m2vae_ros.bags.report import BagReport
from m2vae_ros.bags.types import MessageTypes
from m2vae_ros.bags.writer import BagWriter
from m2vae_ros.host.resources import resource
from m2vae_ros.sensors.messages import ODOMETRY
from m2vae_ros.world.objects import WorldObject, objects_of
from m2vae_ros.world.sdf import read_world
from m2vae_ros.world.suite import AMIRO

STORE = get_typestore(Stores.LATEST)
ROBOTS = {"camera": "/amiro1", "lidar": "/amiro2", "reflectance": "/amiro3"}
RECORDED = 10**18
"""When a bag begins, nanoseconds; the stamps in it begin at 0, as simulated time does."""


class Made(NamedTuple):
    """A message: its topic, type, when it was recorded (nanoseconds), its fields."""

    topic: str
    type: str
    stamp: int
    message: Any


def world_objects() -> list[WorldObject]:
    return objects_of(read_world(resource("worlds/amiro.world")))


def new(kind: str, **fields: Any) -> Any:
    return STORE.types[kind](**fields)


def header(seconds: float) -> Any:
    nanoseconds = round(seconds * 1e9)
    stamp = new(
        "builtin_interfaces/msg/Time", sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9
    )
    return new("std_msgs/msg/Header", stamp=stamp, frame_id="map")


def odometry(seconds: float, pose: tuple[float, float, float]) -> Any:
    x, y, yaw = pose
    zero = new("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)
    turn = new(
        "geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=math.sin(yaw / 2), w=math.cos(yaw / 2)
    )
    place = new("geometry_msgs/msg/Point", x=x, y=y, z=0.0)
    nothing = np.zeros(36)
    return new(
        ODOMETRY.type,
        header=header(seconds),
        child_frame_id="base",
        pose=new(
            "geometry_msgs/msg/PoseWithCovariance",
            pose=new("geometry_msgs/msg/Pose", position=place, orientation=turn),
            covariance=nothing,
        ),
        twist=new(
            "geometry_msgs/msg/TwistWithCovariance",
            twist=new("geometry_msgs/msg/Twist", linear=zero, angular=zero),
            covariance=nothing,
        ),
    )


def image(seconds: float, number: int) -> Any:
    """All pixels are ten times the number."""
    return new(
        AMIRO["camera"].type,
        header=header(seconds),
        height=48,
        width=64,
        encoding="rgb8",
        is_bigendian=0,
        step=192,
        data=np.full(48 * 192, 10 * number, np.uint8),
    )


def scan(seconds: float, ranges: Iterable[float] = (), intensities: Iterable[float] = ()) -> Any:
    return new(
        AMIRO["lidar"].type,
        header=header(seconds),
        angle_min=-2.0944,
        angle_max=2.0944,
        angle_increment=2 * 2.0944 / 682,
        time_increment=0.0,
        scan_time=0.1,
        range_min=0.0,
        range_max=5.0,
        ranges=np.array(list(ranges), np.float32),
        intensities=np.array(list(intensities), np.float32),
    )


def profile(seconds: float, number: int) -> Any:
    """The left half lies a centimetre for each number behind the right half."""
    return scan(seconds, ranges=[0.3] * 341 + [0.3 + 0.01 * number] * 342)


def ring(seconds: float, number: int) -> Any:
    """All intensities are a tenth of the number."""
    return scan(seconds, intensities=[number / 10] * 8)


READINGS: dict[str, Callable[[float, int], Any]] = {
    "camera": image,
    "lidar": profile,
    "reflectance": ring,
}


def tour(
    readings: int = 12, objects: list[WorldObject] | None = None, begin: float = 1.0
) -> list[Made]:
    """Each robot stands before each object for some readings, ten a second, and then is at the
    next; its odometry comes twenty times a second. In the order of recording."""
    made: list[Made] = []
    for modality, robot in ROBOTS.items():
        source = AMIRO[modality]
        now = begin
        for number, item in enumerate(objects or world_objects()):
            pose = AMIRO[modality].viewpoint.pose(item.x, item.y)
            for step in range(2 * readings + 1):
                made.append(at(f"{robot}/odom", ODOMETRY.type, now, odometry(now, pose)))
                if step % 2:
                    reading = READINGS[modality](now + 0.01, number)
                    made.append(at(f"{robot}/{source.topic}", source.type, now + 0.01, reading))
                now += 0.05
    return sorted(made, key=lambda m: m.stamp)


def at(topic: str, kind: str, seconds: float, message: Any) -> Made:
    return Made(topic, kind, RECORDED + round(seconds * 1e9), message)


def text(seconds: float, topic: str, data: str) -> Made:
    return at(topic, "std_msgs/msg/String", seconds, new("std_msgs/msg/String", data=data))


def definition(name: str) -> str:
    """A type's own definition, without those of its parts."""
    return STORE.generate_msgdef(name, ros_version=2)[0].split("=" * 80)[0]


def write(
    folder: Path, made: Iterable[Made], types: Mapping[str, str] | None = None, **options: Any
) -> Path:
    """A bag by the package's own writer; `types` are definitions that nobody else has.

    With `storage="sqlite3"` it is rosbags that writes.
    """
    if options.pop("storage", "mcap") == "sqlite3":
        return write_sqlite3(folder, made)
    own = types or {}
    known = MessageTypes(lambda name: own.get(name) or definition(name))
    writer = BagWriter(folder, known, **options)
    topics: set[str] = set()
    for message in made:
        if message.topic not in topics:
            topics.add(message.topic)
            writer.add_topic(message.topic, message.type)
        assert writer.write(message.topic, message.stamp, serialised(message))
    writer.close()
    return folder


def write_sqlite3(folder: Path, made: Iterable[Made]) -> Path:
    """A bag of sqlite3 by rosbags."""
    with Writer(folder, version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connections: dict[str, Any] = {}
        for message in made:
            if message.topic not in connections:
                connections[message.topic] = writer.add_connection(
                    message.topic, message.type, typestore=STORE
                )
            writer.write(connections[message.topic], message.stamp, serialised(message))
    return folder


def serialised(made: Made) -> bytes:
    """The bytes of a message, or those that stand for it."""
    message = made.message
    if isinstance(message, bytes):
        return message
    return bytes(STORE.serialize_cdr(message, message.__msgtype__))


def write_independently(path: Path, made: Iterable[Made]) -> Path:
    """An mcap file by PyPI's mcap-ros2-support."""
    path.parent.mkdir(parents=True, exist_ok=True)
    schemas: dict[str, Any] = {}
    with path.open("wb") as file, IndependentWriter(file) as writer:
        for message in made:
            if message.type not in schemas:
                text, _ = STORE.generate_msgdef(message.type, ros_version=2)
                schemas[message.type] = writer.register_msgdef(message.type, text)
            schema = schemas[message.type]
            writer.write_message(message.topic, schema, plain(message.message), message.stamp)
    return path


def plain(value: Any) -> Any:
    """A message as nested dicts and lists."""
    if isinstance(value, np.ndarray):
        return value.tobytes() if value.dtype == np.uint8 else value.tolist()
    if hasattr(value, "__dataclass_fields__"):
        return {n: plain(getattr(value, n)) for n in value.__dataclass_fields__ if n[0] != "_"}
    return value


def changed(made: Iterable[Made], change: Callable[[Made], Made | None]) -> Iterator[Made]:
    """Every message changed, or left out."""
    for message in made:
        if (new_one := change(message)) is not None:
            yield new_one


def reasons(report: BagReport) -> dict[str, int]:
    """Topic: reason -> how many messages."""
    found: Counter[str] = Counter()
    for (_, topic, _), (count, reason) in report.unused.items():
        found[f"{topic}: {reason}"] += count
    return dict(found)
