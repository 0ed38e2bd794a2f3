# SPDX-License-Identifier: Apache-2.0
"""Gazebo's sensors, and what they read as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.world.sdf import CameraSensor, Pose, RaySensor

RGB_INT8 = 3
"""Gazebo's number for three bytes a pixel: red, green, blue."""

TYPES = {"image": "camera", "ranges": "ray", "intensities": "ray"}
"""What is measured -> the type of the sensor, in SDF's words."""

# Type of a sensor -> last part of its topic, message.
TOPICS = {"camera": ("image", "ImageStamped"), "ray": ("scan", "LaserScanStamped")}


@dataclass(frozen=True)
class GazeboSensor:
    """A sensor of a robot.

    Attributes:
        robot, name: in the world.
        type: "camera", "ray" or another of SDF's.
        topic, kind: where Gazebo publishes what it reads, and as which message.
        pose: where it is on the robot.
        description: Gazebo's own, `gazebo.msgs.Sensor`.
    """

    robot: str
    name: str
    type: str
    topic: str
    kind: str
    pose: Pose
    description: Any


@dataclass(frozen=True)
class Reading:
    """What a sensor read.

    Attributes:
        time: simulated seconds.
        image: of a camera, uint8 (height, width, 3), red, green, blue; otherwise None.
        ranges: of a ray sensor, float32 (rays,), metres, inf where nothing was hit.
        intensities: of a ray sensor, float32 (rays,), the hit surface's `laser_retro`.
        angles: of a ray sensor, those of its first and its last ray, radians.
        limits: of a ray sensor, the least and the greatest range it tells, metres.
    """

    time: float
    image: np.ndarray | None = None
    ranges: np.ndarray | None = None
    intensities: np.ndarray | None = None
    angles: tuple[float, float] = (0.0, 0.0)
    limits: tuple[float, float] = (0.0, 0.0)


def sensors_of(model: Any) -> dict[str, GazeboSensor]:
    """The sensors of a model (`gazebo.msgs.Model`) by their names, if of a type in `TOPICS`."""
    return {
        sensor.name: GazeboSensor(
            robot=model.name,
            name=sensor.name,
            type=sensor.type,
            topic=f"~/{link.name.replace('::', '/')}/{sensor.name}/{TOPICS[sensor.type][0]}",
            kind=TOPICS[sensor.type][1],
            pose=_joined(link.pose, sensor.pose),
            description=sensor,
        )
        for link in model.link
        for sensor in link.sensor
        if sensor.type in TOPICS
    }


def _joined(link: Any, sensor: Any) -> Pose:
    """A sensor's pose on a link's, both `gazebo.msgs.Pose`."""
    link_turn, turn = (
        Rotation.from_quat((q.x, q.y, q.z, q.w or float(q.x == q.y == q.z == 0.0)))  # none said
        for q in (link.orientation, sensor.orientation)
    )
    at, on_link = (np.array((p.x, p.y, p.z)) for p in (link.position, sensor.position))
    x, y, z = at + link_turn.apply(on_link)
    roll, pitch, yaw = (link_turn * turn).as_euler("xyz")
    return Pose((float(x), float(y), float(z)), (float(roll), float(pitch), float(yaw)))


def camera(sensor: GazeboSensor) -> CameraSensor:
    """What Gazebo says of a camera."""
    description = sensor.description
    return CameraSensor(
        name=sensor.name,
        pose=sensor.pose,
        update_rate=description.update_rate,
        horizontal_fov=description.camera.horizontal_fov,
        width=int(description.camera.image_size.x),
        height=int(description.camera.image_size.y),
        near=description.camera.near_clip,
        far=description.camera.far_clip,
    )


def rays(sensor: GazeboSensor, reading: Reading) -> RaySensor:
    """What Gazebo says of a ray sensor, and with a reading of its rays.

    Only the reading knows how many they are: the description says neither the resolution, which
    multiplies them, nor what has changed since.
    """
    assert reading.ranges is not None  # it is a ray sensor's
    return RaySensor(
        name=sensor.name,
        pose=sensor.pose,
        update_rate=sensor.description.update_rate,
        rays=len(reading.ranges),
        angle_min=reading.angles[0],
        angle_max=reading.angles[1],
        range_min=reading.limits[0],
        range_max=reading.limits[1],
    )


def reading(content: Any) -> Reading:
    """The reading in a message, `gazebo.msgs.ImageStamped` or `LaserScanStamped`.

    Raises:
        GazeboError: an image that is not 8-bit colour, or has another size than it says; a scan
            that is not one row of rays.
    """
    time = content.time.sec + content.time.nsec * 1e-9
    if hasattr(content, "scan"):
        scan = content.scan
        if not len(scan.ranges) == len(scan.intensities) == scan.count:
            raise GazeboError(
                f"scan.ranges: {len(scan.ranges)} ranges and {len(scan.intensities)} intensities "
                f"for {scan.count} rays side by side, only one row is understood"
            )
        return Reading(
            time,
            ranges=np.asarray(scan.ranges, dtype=np.float32),
            intensities=np.asarray(scan.intensities, dtype=np.float32),
            angles=(scan.angle_min, scan.angle_max),
            limits=(scan.range_min, scan.range_max),
        )
    image = content.image
    if image.pixel_format != RGB_INT8:
        raise GazeboError(f"image.pixel_format: {image.pixel_format}, only R8G8B8 is understood")
    if image.step != 3 * image.width or len(image.data) != image.step * image.height:
        raise GazeboError(
            f"image.data: {len(image.data)} bytes, step {image.step}, for {image.width}×"
            f"{image.height} pixels of 3 bytes"
        )
    pixels = np.frombuffer(image.data, dtype=np.uint8)
    return Reading(time, image=pixels.reshape(image.height, image.width, 3))
