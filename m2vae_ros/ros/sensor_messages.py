# SPDX-License-Identifier: Apache-2.0
"""The messages of a simulated robot, whatever simulates it."""

from __future__ import annotations

import math

import numpy as np
from sensor_msgs.msg import CameraInfo, LaserScan

from m2vae_ros.world.sdf import CameraSensor, RaySensor

ODOMETRY_PERIOD = 0.05
"""Simulated seconds from one odometry message to the next."""


def info_topic(image_topic: str) -> str:
    """The topic of a camera's CameraInfo: beside that of its images."""
    return image_topic.rpartition("/")[0] + "/camera_info"


def camera_info(sensor: CameraSensor) -> CameraInfo:
    """The pinhole of a simulated camera, without distortion and without its header."""
    focal = sensor.width / 2.0 / math.tan(sensor.horizontal_fov / 2.0)
    cx, cy = sensor.width / 2.0, sensor.height / 2.0
    return CameraInfo(
        width=sensor.width,
        height=sensor.height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[focal, 0.0, cx, 0.0, focal, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[focal, 0.0, cx, 0.0, 0.0, focal, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def scan_message(
    sensor: RaySensor, ranges: np.ndarray | None = None, intensities: np.ndarray | None = None
) -> LaserScan:
    """A scan of ranges or intensities, without its header."""
    return LaserScan(
        angle_min=sensor.angle_min,
        angle_max=sensor.angle_max,
        angle_increment=sensor.angle_increment,
        # Without a rate Gazebo reads at every step, or as often as it can.
        scan_time=1.0 / sensor.update_rate if sensor.update_rate else 0.0,
        range_min=sensor.range_min,
        range_max=sensor.range_max,
        ranges=[] if ranges is None else ranges,
        intensities=[] if intensities is None else intensities,
    )
