# SPDX-License-Identifier: Apache-2.0
"""What the sensors of a robot read in a compiled world, without noise."""

from __future__ import annotations

import weakref

import numpy as np

from m2vae_ros.sim.backend import mujoco
from m2vae_ros.sim.mujoco_world import COLLISION_GROUP, VISUAL_GROUP, MujocoWorld
from m2vae_ros.world.sdf import CameraSensor, Model, RaySensor


def only(group: int) -> np.ndarray:
    """The mask of one group of geoms, uint8 (6,)."""
    mask: np.ndarray = (np.arange(mujoco.mjNGROUP) == group).astype(np.uint8)
    return mask


class Rays:
    """A planar ray sensor of a robot: a LiDAR, or a ring of proximity sensors."""

    def __init__(self, world: MujocoWorld, model: Model, sensor: RaySensor) -> None:
        self.sensor = sensor
        self._model = world.model
        self._retro = world.retro
        self._site = world.model.site(f"{model.name}/{sensor.name}").id
        self._body = int(world.model.site_bodyid[self._site])
        angles = sensor.angle_min + sensor.angle_increment * np.arange(sensor.rays)
        self._directions = np.stack([np.cos(angles), np.sin(angles), np.zeros(sensor.rays)], axis=1)
        self._mask = only(COLLISION_GROUP)
        self._geoms = np.empty(sensor.rays, dtype=np.int32)
        self._distances = np.empty(sensor.rays)

    def read(self, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray]:
        """Ranges, float64 (rays,), metres, inf where nothing is hit; intensities, (rays,), 0 there.

        The robot itself is not hit. The poses in `data` must be up to date (`mj_kinematics`).
        """
        rotation = data.site_xmat[self._site].reshape(3, 3)
        mujoco.mj_multiRay(
            self._model,
            data,
            data.site_xpos[self._site],
            (self._directions @ rotation.T).ravel(),
            self._mask,
            True,
            self._body,
            self._geoms,
            self._distances,
            None,
            self.sensor.rays,
            self.sensor.range_max,
        )
        hit = (
            (self._geoms >= 0)
            & (self._distances >= self.sensor.range_min)
            & (self._distances <= self.sensor.range_max)
        )
        ranges = np.where(hit, self._distances, np.inf)
        intensities = np.where(hit, self._retro[self._geoms], 0.0)
        return ranges, intensities


class CameraRenderer:
    """Draws what cameras see. The drawing context is made with the first image.

    OpenGL ties a context to a thread: ask for images from one thread only.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._renderers: dict[tuple[int, int], mujoco.Renderer] = {}
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = only(VISUAL_GROUP)
        # Also at the end of the process, before what closing needs is gone.
        self._finalizer = weakref.finalize(self, _close, self._renderers)

    def read(self, data: mujoco.MjData, robot: str, sensor: CameraSensor) -> np.ndarray:
        """The image of a robot's camera, uint8 (height, width, 3), red, green, blue."""
        return self.draw(data, f"{robot}/{sensor.name}", sensor.width, sensor.height)

    def draw(
        self, data: mujoco.MjData, camera: str | mujoco.MjvCamera, width: int, height: int
    ) -> np.ndarray:
        """The image of any camera, uint8 (height, width, 3)."""
        renderer = self._renderers.get((width, height))
        if renderer is None:
            renderer = mujoco.Renderer(self._model, height=height, width=width)
            self._renderers[width, height] = renderer
        renderer.update_scene(data, camera=camera, scene_option=self._option)
        image: np.ndarray = renderer.render()
        return image

    def close(self) -> None:
        """Give the drawing contexts back."""
        _close(self._renderers)


def _close(renderers: dict[tuple[int, int], mujoco.Renderer]) -> None:
    for renderer in renderers.values():
        renderer.close()
    renderers.clear()
