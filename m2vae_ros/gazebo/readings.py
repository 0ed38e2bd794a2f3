# SPDX-License-Identifier: Apache-2.0
"""Gazebo's sensors, and what they read as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.sim.world import CameraSensor, Pose, RaySensor

RGB_INT8 = 3
"""Gazebo's number for three bytes a pixel: red, green, blue."""

# Type of a sensor -> last part of its topic, message.
TOPICS = {"camera": ("image", "ImageStamped"), "ray": ("scan", "LaserScanStamped")}


@dataclass(frozen=True)
class GazeboSensor:
    """A sensor of a robot.

    Attributes:
        robot, name: in the world.
        type: "camera", "ray" or another of SDF's.
        topic, kind: where Gazebo publishes what it reads, and as which message.
        description: Gazebo's own, `gazebo.msgs.Sensor`.
    """

    robot: str
    name: str
    type: str
    topic: str
    kind: str
    description: Any


@dataclass(frozen=True)
class Reading:
    """What a sensor read.

    Attributes:
        time: simulated seconds.
        image: of a camera, uint8 (height, width, 3), red, green, blue; otherwise None.
        ranges: of a ray sensor, float32 (rays,), metres, inf where nothing was hit.
        intensities: of a ray sensor, float32 (rays,), the hit surface's `laser_retro`.
    """

    time: float
    image: np.ndarray | None = None
    ranges: np.ndarray | None = None
    intensities: np.ndarray | None = None


def sensors_of(model: Any) -> dict[str, GazeboSensor]:
    """The sensors of a model (`gazebo.msgs.Model`) by their names, if of a type in `TOPICS`."""
    return {
        sensor.name: GazeboSensor(
            robot=model.name,
            name=sensor.name,
            type=sensor.type,
            topic=f"~/{link.name.replace('::', '/')}/{sensor.name}/{TOPICS[sensor.type][0]}",
            kind=TOPICS[sensor.type][1],
            description=sensor,
        )
        for link in model.link
        for sensor in link.sensor
        if sensor.type in TOPICS
    }


def camera(sensor: GazeboSensor) -> CameraSensor:
    """What Gazebo says of a camera."""
    told = sensor.description
    return CameraSensor(
        name=sensor.name,
        pose=Pose(),
        update_rate=told.update_rate,
        horizontal_fov=told.camera.horizontal_fov,
        width=int(told.camera.image_size.x),
        height=int(told.camera.image_size.y),
        near=told.camera.near_clip,
        far=told.camera.far_clip,
    )


def rays(sensor: GazeboSensor) -> RaySensor:
    """What Gazebo says of a ray sensor."""
    told = sensor.description
    return RaySensor(
        name=sensor.name,
        pose=Pose(),
        update_rate=told.update_rate,
        rays=told.ray.horizontal_samples,
        angle_min=told.ray.horizontal_min_angle,
        angle_max=told.ray.horizontal_max_angle,
        range_min=told.ray.range_min,
        range_max=told.ray.range_max,
    )


def reading(content: Any) -> Reading:
    """The reading in a message, `gazebo.msgs.ImageStamped` or `LaserScanStamped`.

    Raises:
        GazeboError: an image that is not 8-bit colour, or has another size than it says.
    """
    time = content.time.sec + content.time.nsec * 1e-9
    if hasattr(content, "scan"):
        scan = content.scan
        return Reading(
            time,
            ranges=np.asarray(scan.ranges, dtype=np.float32),
            intensities=np.asarray(scan.intensities, dtype=np.float32),
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
