# SPDX-License-Identifier: Apache-2.0
"""A picture of a whole world, to look at."""

from __future__ import annotations

import os

import numpy as np

from m2vae_ros.sim.backend import mujoco
from m2vae_ros.sim.mujoco_world import compile_world
from m2vae_ros.sim.sensors import CameraRenderer
from m2vae_ros.world.sdf import read_world


def world_picture(
    world_path: str | os.PathLike[str],
    width: int = 960,
    height: int = 640,
    azimuth: float = 55.0,
    elevation: float = -42.0,
    distance: float = 5.6,
) -> np.ndarray:
    """Draw a world as seen from above, with a lamp so that shapes show.

    Args:
        world_path: the world file; robots stand where it has them.
        width, height: of the picture, pixels.
        azimuth, elevation: direction of view, degrees.
        distance: from the middle of the world, metres.

    Returns:
        uint8 (height, width, 3), red, green, blue.

    Raises:
        WorldError: the world cannot be read.
    """
    world = read_world(world_path)
    model = compile_world(world).model
    model.vis.global_.offwidth = max(width, model.vis.global_.offwidth)
    model.vis.global_.offheight = max(height, model.vis.global_.offheight)
    model.vis.headlight.ambient[:] = 0.55
    model.vis.headlight.diffuse[:] = 0.5
    data = mujoco.MjData(model)
    for moving in (item for item in world.models if not item.static):
        x, y, _ = moving.pose.position
        for axis, value in (("x", x), ("y", y), ("yaw", moving.pose.roll_pitch_yaw[2])):
            data.joint(f"{moving.name}/{axis}").qpos = value
    mujoco.mj_forward(model, data)
    camera = mujoco.MjvCamera()
    camera.lookat[:] = 0.0, 0.0, 0.2
    camera.distance, camera.azimuth, camera.elevation = distance, azimuth, elevation
    eyes = CameraRenderer(model)
    try:
        return eyes.draw(data, camera, width, height)
    finally:
        eyes.close()
