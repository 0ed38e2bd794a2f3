# SPDX-License-Identifier: Apache-2.0
"""The running world: robots that drive, and what their sensors read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from m2vae_ros.sim.backend import mujoco
from m2vae_ros.sim.mujoco_world import TIMESTEP, compile_world
from m2vae_ros.sim.robots import Robot
from m2vae_ros.sim.sensors import CameraRenderer, Rays
from m2vae_ros.world.noise import SensorNoise, generator
from m2vae_ros.world.objects import WorldObject, objects_of
from m2vae_ros.world.sdf import CameraSensor, Model, Sensor, World, read_world


class SimulationError(ValueError):
    """A robot or sensor that the world does not have; the message names it and those there are."""


class Simulation:
    """A world with robots in it, moved on by `step`.

    Nothing is drawn and no ray is cast unless it is asked for. The same seed, steps, commands and
    readings give the same numbers; a reading of one sensor does not change those of another.

    Args:
        world_path: the world file.
        robots: which robots there are and which of their sensors they carry, by their names in the
            world; the other robots are left out. None takes all robots with all sensors.
        seed: of the sensors' noise.
        noise: of the sensors.

    Raises:
        WorldError: the world cannot be read.
        SimulationError: it has no such robot, or the robot no such sensor.
    """

    def __init__(
        self,
        world_path: str | os.PathLike[str],
        robots: Mapping[str, Iterable[str]] | None = None,
        seed: int = 0,
        noise: SensorNoise | None = None,
    ) -> None:
        world = _with_robots(read_world(world_path), robots)
        compiled = compile_world(world)
        moving = [model for model in world.models if not model.static]
        self.objects: list[WorldObject] = objects_of(world)
        self._noise = SensorNoise() if noise is None else noise
        self._model = compiled.model
        self._data = mujoco.MjData(self._model)
        self._camera = CameraRenderer(self._model)
        self._target = 0.0
        self._robots: dict[str, Robot] = {}
        self._sensors: dict[tuple[str, str], Sensor] = {}
        self._rays: dict[tuple[str, str], Rays] = {}
        self._generators: dict[tuple[str, str], np.random.Generator] = {}
        for model in moving:
            self._robots[model.name] = Robot(self._model, model)
            for sensor in model.links[0].sensors:
                key = (model.name, sensor.name)
                self._sensors[key] = sensor
                self._generators[key] = generator(seed, *key)
                if not isinstance(sensor, CameraSensor):
                    self._rays[key] = Rays(compiled, model, sensor)
        self.reset()

    @property
    def time(self) -> float:
        """Simulated seconds since the start."""
        return float(self._data.time)

    @property
    def robots(self) -> dict[str, tuple[str, ...]]:
        """The robots and the sensors that each carries, in the order of the world."""
        return {
            name: tuple(sensor for robot, sensor in self._sensors if robot == name)
            for name in self._robots
        }

    def sensor(self, robot: str, sensor: str) -> Sensor:
        """What the world file says of a sensor: angles, ranges, size of images, update rate.

        Raises:
            SimulationError: no such robot, or it has no such sensor.
        """
        self._robot(robot)
        try:
            return self._sensors[robot, sensor]
        except KeyError:
            there = ", ".join(self.robots[robot]) or "none"
            raise SimulationError(f"{robot} has no sensor {sensor}, its sensors: {there}") from None

    def reset(self) -> None:
        """Back to the start: time 0, every robot at rest where the world file has it."""
        mujoco.mj_resetData(self._model, self._data)
        self._target = 0.0
        for robot in self._robots.values():
            pose = robot.model.pose
            robot.stop()
            robot.place(self._data, *pose.position[:2], pose.roll_pitch_yaw[2])
        mujoco.mj_forward(self._model, self._data)

    def step(self, dt: float) -> None:
        """Move the world on by `dt` seconds, in whole steps of the physics; the rest is not lost.

        Raises:
            ValueError: dt is negative or not finite.
        """
        if not 0.0 <= dt < float("inf"):
            raise ValueError(f"dt must be finite and not negative, not {dt}")
        self._target += dt
        while self._data.time + 0.5 * TIMESTEP <= self._target:
            for robot in self._robots.values():
                robot.drive(self._data)
            mujoco.mj_step(self._model, self._data)
        # mj_step ends with new positions; sensors see the world as it is at those.
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)

    def place(self, robot: str, x: float, y: float, yaw: float) -> None:
        """Put a robot somewhere (metres, radians), at rest and without a command.

        Raises:
            SimulationError: no such robot.
        """
        self._robot(robot).stop()
        self._robot(robot).place(self._data, x, y, yaw)
        mujoco.mj_forward(self._model, self._data)

    def command(self, robot: str, linear: float, angular: float) -> None:
        """Drive: m/s forwards, rad/s counter-clockwise, in the robot's own frame.

        Cut off at the robot's limits (`commands.MAX_LINEAR`, `MAX_ANGULAR`). The robot stops
        `commands.COMMAND_TIMEOUT` simulated seconds after its last command.

        Raises:
            SimulationError: no such robot.
            ValueError: not finite; the command before still holds.
        """
        self._robot(robot).command(linear, angular, self.time)

    def pose(self, robot: str) -> tuple[float, float, float]:
        """Where a robot is in the world: x, y (metres), yaw (radians, in [-pi, pi])."""
        return self._robot(robot).pose(self._data)

    def twist(self, robot: str) -> tuple[float, float, float]:
        """How a robot moves, in its own frame: forwards, leftwards (m/s), turn (rad/s)."""
        return self._robot(robot).twist(self._data)

    def image(self, robot: str, name: str = "camera") -> np.ndarray:
        """A camera's image, uint8 (height, width, 3), red, green, blue.

        Ask from one thread only: OpenGL ties what it draws with to the thread of the first image.

        Raises:
            SimulationError: no such robot, or it has no such camera.
        """
        sensor = self.sensor(robot, name)
        if not isinstance(sensor, CameraSensor):
            raise SimulationError(f"{robot}/{name} is no camera")
        image = self._camera.read(self._data, robot, sensor)
        return self._noise.image(image, self._generators[robot, name])

    def ranges(self, robot: str, name: str = "lidar") -> np.ndarray:
        """The ranges of a ray sensor, float32 (n,), metres, inf where there is nothing.

        Raises:
            SimulationError: no such robot, or it has no such ray sensor.
        """
        ranges, _ = self._ray_sensor(robot, name).read(self._data)
        return self._noise.ranges(ranges, self._generators[robot, name])

    def intensities(self, robot: str, name: str = "reflectance") -> np.ndarray:
        """The intensities of a ray sensor, float32 (n,), the first one straight ahead.

        Raises:
            SimulationError: no such robot, or it has no such ray sensor.
        """
        _, intensities = self._ray_sensor(robot, name).read(self._data)
        return self._noise.intensities(intensities, self._generators[robot, name])

    def close(self) -> None:
        """Give the drawing context back; another image would make a new one."""
        self._camera.close()

    def _ray_sensor(self, robot: str, name: str) -> Rays:
        self.sensor(robot, name)
        try:
            return self._rays[robot, name]
        except KeyError:
            raise SimulationError(f"{robot}/{name} is no ray sensor") from None

    def _robot(self, name: str) -> Robot:
        try:
            return self._robots[name]
        except KeyError:
            there = ", ".join(self._robots) or "none"
            raise SimulationError(f"there is no robot {name}, there are: {there}") from None


def _with_robots(world: World, robots: Mapping[str, Iterable[str]] | None) -> World:
    """The world with only these robots, and only these of their sensors."""
    if robots is None:
        return world
    wanted = {name: tuple(sensors) for name, sensors in robots.items()}
    models = []
    for model in world.models:
        if model.static:
            models.append(model)
        elif model.name in wanted:
            models.append(_with_sensors(model, wanted.pop(model.name)))
    if wanted:
        there = ", ".join(model.name for model in world.models if not model.static) or "none"
        raise SimulationError(f"there is no robot {next(iter(wanted))}, there are: {there}")
    return replace(world, models=tuple(models))


def _with_sensors(model: Model, names: tuple[str, ...]) -> Model:
    (link,) = model.links
    there = {sensor.name: sensor for sensor in link.sensors}
    for name in names:
        if name not in there:
            raise SimulationError(
                f"{model.name} has no sensor {name}, its sensors: {', '.join(there) or 'none'}"
            )
    sensors = tuple(sensor for name, sensor in there.items() if name in names)
    return replace(model, links=(replace(link, sensors=sensors),))
