# SPDX-License-Identifier: Apache-2.0
"""Messages as rclpy and as rosbags make them: a robot reads what its training read."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from bag_making import STORE, header, new, odometry, scan
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message
from suites import TYPES

from m2vae_ros.robot.pointing import targets
from m2vae_ros.ros.message_types import message_class
from m2vae_ros.sensors import ObservationError, View
from m2vae_ros.sensors.messages import motion, nanoseconds
from m2vae_ros.sensors.views import OWN, view_of


def by_rclpy(message: Any) -> Any:
    """The same message as rclpy makes it of its bytes."""
    kind = message.__msgtype__
    return deserialize_message(bytes(STORE.serialize_cdr(message, kind)), message_class(kind))


def by_rosbags(message: Any) -> Any:
    """The same message as rosbags makes it of its bytes."""
    kind = message.__msgtype__
    return STORE.deserialize_cdr(STORE.serialize_cdr(message, kind), kind)


def image(rng: np.random.Generator, encoding: str, pixel: int) -> Any:
    data = rng.integers(0, 256, 48 * (64 * pixel + 3), dtype=np.uint8)
    return new(
        "sensor_msgs/msg/Image",
        header=header(1.0),
        height=48,
        width=64,
        encoding=encoding,
        is_bigendian=int(rng.integers(2)),
        step=64 * pixel + 3,
        data=data,
    )


def compressed(rng: np.random.Generator) -> Any:
    picture = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    data = cv2.imencode(".png", picture)[1].reshape(-1)
    kind = "sensor_msgs/msg/CompressedImage"
    return new(kind, header=header(1.0), format="png", data=data)


def cloud(rng: np.random.Generator) -> Any:
    points = rng.normal(size=(20, 4)).astype(np.float32)
    fields = [
        new("sensor_msgs/msg/PointField", name=name, offset=4 * i, datatype=7, count=1)
        for i, name in enumerate(("x", "y", "z", "intensity"))
    ]
    return new(
        "sensor_msgs/msg/PointCloud2",
        header=header(1.0),
        height=1,
        width=20,
        fields=fields,
        is_bigendian=False,
        point_step=16,
        row_step=320,
        data=points.view(np.uint8).reshape(-1),
        is_dense=True,
    )


def distance(rng: np.random.Generator) -> Any:
    return new(
        "sensor_msgs/msg/Range",
        header=header(1.0),
        radiation_type=0,
        field_of_view=0.1,
        min_range=0.1,
        max_range=4.0,
        range=float(np.float32(rng.uniform(0.0, 5.0))),
        variance=0.0,
    )


def vector(rng: np.random.Generator) -> Any:
    x, y, z = rng.normal(size=3)
    return new("geometry_msgs/msg/Vector3", x=x, y=y, z=z)


def imu(rng: np.random.Generator) -> Any:
    x, y, z, w = rng.normal(size=4)
    return new(
        "sensor_msgs/msg/Imu",
        header=header(1.0),
        orientation=new("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w),
        orientation_covariance=rng.normal(size=9),
        angular_velocity=vector(rng),
        angular_velocity_covariance=rng.normal(size=9),
        linear_acceleration=vector(rng),
        linear_acceleration_covariance=rng.normal(size=9),
    )


def wrench(rng: np.random.Generator) -> Any:
    inner = new("geometry_msgs/msg/Wrench", force=vector(rng), torque=vector(rng))
    return new("geometry_msgs/msg/WrenchStamped", header=header(1.0), wrench=inner)


MESSAGES = {
    "image": lambda rng: image(rng, "bgr8", 3),
    "image_band": compressed,
    "depth": lambda rng: image(rng, "16UC1", 2),
    "scan": lambda rng: scan(1.0, ranges=rng.uniform(0.1, 0.9, 683)),
    "intensities": lambda rng: scan(1.0, intensities=rng.uniform(0.0, 1.0, 8)),
    "point_cloud": cloud,
    "range": distance,
    "vector": imu,
    "window": wrench,
}
FIELDS = {
    "vector": {"fields": ["angular_velocity.z", "orientation_covariance"], "size": 10},
    "window": {"fields": ["wrench.force.x", "wrench.torque.z"], "seconds": 0.5},
}


def view(kind: str) -> View:
    return view_of({"kind": kind, **FIELDS.get(kind, {})})


@pytest.mark.parametrize("kind", OWN)
@given(seed=st.integers(0, 2**31))
def test_messages_of_rclpy_and_of_rosbags_are_read_alike(kind: str, seed: int) -> None:
    messages = [MESSAGES[kind](np.random.default_rng([seed, i])) for i in range(12)]
    assert messages[0].__msgtype__ == TYPES[kind]
    streams = [view(kind).stream() for _ in range(2)]
    whole = 0
    for index, message in enumerate(messages):
        stamp = index * 10**8
        ours, theirs = streams[0](by_rclpy(message), stamp), streams[1](by_rosbags(message), stamp)
        if ours is None:
            assert theirs is None
            continue
        whole += 1
        assert ours.dtype == theirs.dtype == np.float32
        assert ours.shape == view(kind).shape
        np.testing.assert_array_equal(ours, theirs)
    assert whole >= 1


@pytest.mark.parametrize("kind", OWN)
def test_an_empty_message_of_rclpy_is_refused_or_is_of_nothing(kind: str) -> None:
    message = message_class(TYPES[kind])()
    try:
        result = view(kind).stream()(message, 0)
    except ObservationError:
        assert kind in ("image", "image_band", "depth", "scan", "intensities", "point_cloud")
    else:
        assert result is None or np.isfinite(result).all()


def test_odometry_and_what_points_are_read_alike() -> None:
    moved = odometry(2.0, (0.5, -0.25, 1.0))
    assert motion(by_rclpy(moved)) == motion(by_rosbags(moved))
    point = new("geometry_msgs/msg/Point", x=1.0, y=2.0, z=0.5)
    for message in (
        new("std_msgs/msg/String", data=" box "),
        new("geometry_msgs/msg/PointStamped", header=header(3.0), point=point),
    ):
        ours, theirs = (targets(make(message), 7) for make in (by_rclpy, by_rosbags))
        assert ours == theirs
        assert ours[1] == (nanoseconds(message.header.stamp) if hasattr(message, "header") else 7)
