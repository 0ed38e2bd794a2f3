# SPDX-License-Identifier: Apache-2.0
"""Samples for training and evaluation: random objects, sensed by the robots' own sensors.

One object at a time stands in the arena of the world file, at one of the places where objects stand
there. Each sensor looks at it from a viewpoint of its own, because robots with different sensors
meet an object at different times. Readings get the sensors' noise and go through the views, as
those of the running robots do.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from joblib import Parallel, delayed

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.host.resources import resource
from m2vae_ros.sensors import Modality
from m2vae_ros.sensors.images import as_message
from m2vae_ros.sim.backend import mujoco
from m2vae_ros.sim.mujoco_world import compile_world, geom_name
from m2vae_ros.sim.robots import Robot
from m2vae_ros.sim.sensors import CameraRenderer, Rays
from m2vae_ros.world.noise import SensorNoise
from m2vae_ros.world.objects import DrawnObject, ObjectVariety, attributes_of, class_of
from m2vae_ros.world.sdf import (
    Box,
    CameraSensor,
    Collision,
    Cylinder,
    Link,
    Model,
    Pose,
    RaySensor,
    Sphere,
    Visual,
    World,
    WorldError,
    read_world,
)
from m2vae_ros.world.suite import AMIRO, viewpoint

_BLOCK = 200
"""Samples that are drawn together: by one process, if joblib is told to use several."""

_BELOW_THE_FLOOR = -10.0

SPHERE, NOTHING = 2, 3
"""Shapes that no class has, as the second of `DrawnObject.attributes`."""


def sample(
    count: int,
    seed: int,
    progress: Callable[[int], object] | None = None,
    world_path: str | os.PathLike[str] | None = None,
) -> Samples:
    """Draw samples. The classes are balanced: each block of eight samples has one of each.

    Args:
        count: how many.
        seed: the same seed gives the same samples, and fewer samples are the first of more.
        progress: called now and then with the number of samples drawn since its last call.
        world_path: the world file; the package's own `worlds/amiro.world` by default.

    Raises:
        ValueError: count or seed is negative.
        WorldError: the world cannot be read, or lacks objects or a robot with all the sensors.
    """
    if count < 0 or seed < 0:
        raise ValueError(f"count and seed must not be negative, not {count} and {seed}")
    path = resource("worlds/amiro.world") if world_path is None else world_path
    world = read_world(path)
    _robot_with_all_sensors(world)  # said now
    blocks = [range(first, min(first + _BLOCK, count)) for first in range(0, count, _BLOCK)]
    at_once = None if len(blocks) > 1 else 1  # None: as the caller told joblib
    parts = Parallel(at_once, return_as="generator")(
        delayed(_drawn)(world, seed, block) for block in blocks
    )
    packed: dict[str, np.ndarray] = {
        name: np.empty((count, *view.shape), dtype=view.packed)
        for name, view in AMIRO.views.items()
    }
    labels = np.empty(count, dtype=np.int64)
    for block, (seen, classes) in zip(blocks, parts, strict=True):
        for name, values in seen.items():
            packed[name][block.start : block.stop] = values
        labels[block.start : block.stop] = classes
        if progress is not None:
            progress(len(block))
    # each object is drawn by itself: none is in two samples
    return Samples(AMIRO, packed, labels, np.arange(count).astype(np.str_))


def _drawn(world: World, seed: int, indices: range) -> tuple[dict[str, np.ndarray], list[int]]:
    """Some of the samples: what each modality saw, and the labels."""
    variety = ObjectVariety.of(world)
    renderer = SampleRenderer(world, variety.height, SensorNoise())
    packed: dict[str, list[np.ndarray]] = {name: [] for name in AMIRO}
    labels = []
    try:
        for index in indices:
            block, position = divmod(index, len(AMIRO.classes))
            order = np.random.default_rng([seed, 0, block]).permutation(len(AMIRO.classes))
            rng = np.random.default_rng([seed, 1, index])
            labels.append(int(order[position]))
            renderer.show(variety.draw(attributes_of(labels[-1]), rng))
            for name, modality in AMIRO.items():
                packed[name].append(modality.view.pack(renderer.render(modality, rng)))
    finally:
        renderer.close()
    return {name: np.stack(values) for name, values in packed.items()}, labels


class SampleRenderer:
    """The arena with one robot that carries every sensor and one object that can be any.

    Args:
        world: the arena and the robot are taken from it.
        height: of the objects, metres.
        noise: of the sensors.

    Raises:
        WorldError: no robot of the world has all the sensors.
    """

    def __init__(self, world: World, height: float, noise: SensorNoise) -> None:
        rig = _robot_with_all_sensors(world)
        arena = [model for model in world.models if model.static and class_of(model) is None]
        self._shapes = [
            _thing("cylinder", Cylinder(1.0, height)),
            _thing("box", Box((1.0, 1.0, height))),
            _thing("sphere", Sphere(1.0)),
        ]
        scene = replace(world, models=(*arena, *self._shapes, rig))
        self._world = compile_world(scene)
        self._model = self._world.model
        self._data = mujoco.MjData(self._model)
        self._height = height
        self._noise = noise
        self._robot = Robot(self._model, rig)
        self._camera = CameraRenderer(self._model)
        sensors = rig.links[0].sensors
        self._cameras = {s.name: s for s in sensors if isinstance(s, CameraSensor)}
        self._rays = {
            s.name: Rays(self._world, rig, s) for s in sensors if isinstance(s, RaySensor)
        }
        self._place = (0.0, 0.0)

    def show(self, item: DrawnObject) -> None:
        """Put this object into the arena, in place of the one before.

        Besides what the classes are made of there are spheres (`SPHERE`), which lie on the floor,
        and `NOTHING` to see at its place.
        """
        self._place = (item.x, item.y)
        for shape, model in enumerate(self._shapes):
            link = model.links[0]
            body = self._model.body(f"{model.name}/{link.name}").id
            if shape != item.attributes[1]:
                self._model.body_pos[body] = item.x, item.y, _BELOW_THE_FLOOR
                continue
            height = item.width if shape == SPHERE else self._height
            self._model.body_pos[body] = item.x, item.y, height / 2.0
            half = item.yaw / 2.0
            self._model.body_quat[body] = np.cos(half), 0.0, 0.0, np.sin(half)
            visual = geom_name(model, link, "visual", "thing")
            collision = geom_name(model, link, "collision", "thing")
            for name in (visual, collision):
                self._resize(self._model.geom(name).id, shape, item.width / 2.0)
            self._model.mat_rgba[self._model.material(visual).id, :3] = item.colour
            self._world.retro[self._model.geom(collision).id] = item.laser_retro

    def _resize(self, geom: int, shape: int, half_width: float) -> None:
        half_height = half_width if shape == SPHERE else self._height / 2.0
        extents = np.array([half_width, half_width, half_height])
        sizes = ((half_width, half_height, 0.0), extents, (half_width, 0.0, 0.0))
        bounds = (np.linalg.norm(extents[1:]), np.linalg.norm(extents), half_width)
        self._model.geom_size[geom] = sizes[shape]
        # What MuJoCo derived from the size when compiling, to rule out hits quickly.
        self._model.geom_aabb[geom, 3:] = extents
        self._model.geom_rbound[geom] = bounds[shape]

    def render(self, modality: Modality, rng: np.random.Generator) -> np.ndarray:
        """A sensor's view of the object from a random viewpoint, float32, of the view's shape."""
        self._stand(*viewpoint(modality).draw(*self._place, rng))
        view = modality.view
        if view.measures == "image":
            mujoco.mj_comPos(self._model, self._data)  # the camera's pose is computed after it
            mujoco.mj_camlight(self._model, self._data)
            camera = self._cameras[modality.name]
            image = self._camera.read(self._data, self._robot.name, camera)
            return view.read(as_message(self._noise.image(image, rng)))
        rays = self._rays[modality.name]
        ranges, intensities = rays.read(self._data)
        message = SimpleNamespace(
            angle_min=rays.sensor.angle_min, angle_increment=rays.sensor.angle_increment
        )
        if view.measures == "ranges":
            message.ranges = self._noise.ranges(ranges, rng)
        else:
            message.intensities = self._noise.intensities(intensities, rng)
        return view.read(message)

    def cast(self, name: str, pose: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
        """A ray sensor's raw ranges and intensities from a pose of the robot, without noise."""
        self._stand(*pose)
        return self._rays[name].read(self._data)

    def _stand(self, x: float, y: float, yaw: float) -> None:
        self._robot.place(self._data, x, y, yaw)
        mujoco.mj_kinematics(self._model, self._data)

    def close(self) -> None:
        """Give the drawing context back."""
        self._camera.close()


def _robot_with_all_sensors(world: World) -> Model:
    for model in world.models:
        names = {sensor.name for link in model.links for sensor in link.sensors}
        if not model.static and names.issuperset(AMIRO):
            return replace(model, pose=Pose((0.0, 0.0, model.pose.position[2])))
    raise WorldError(f"{world.name}: no robot has the sensors {', '.join(AMIRO)}")


def _thing(name: str, geometry: Box | Cylinder | Sphere) -> Model:
    """An object whose size, colour and place are set for each sample."""
    visual = Visual("thing", Pose(), geometry, (0.0, 0.0, 0.0))
    collision = Collision("thing", Pose(), geometry, 0.0)
    link = Link("thing", Pose(), None, None, (visual,), (collision,), ())
    return Model(f"sampled_{name}", True, Pose(), (link,))
