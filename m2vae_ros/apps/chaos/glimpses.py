# SPDX-License-Identifier: Apache-2.0
"""What the sensors of the world's robots read where they look at the world's objects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nav_msgs.msg import Odometry

from m2vae_ros.bringup.specs import TEAM
from m2vae_ros.fusion.engine import FAMILIAR, Engine
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.host.resources import resource, weights_folder
from m2vae_ros.ros.images import image_message
from m2vae_ros.ros.sensor_messages import scan_message
from m2vae_ros.sim.simulation import Simulation, SimulationError
from m2vae_ros.world.sdf import CameraSensor
from m2vae_ros.world.suite import AMIRO, viewpoint

MOST_DRAWN = 100
"""Readings of one object by one sensor."""


@dataclass(frozen=True)
class Glimpse:
    """One look of one sensor at one object.

    Attributes:
        reading: the sensor's message, without its stamp.
        odometry: of a robot that stands where the sensor sees the object best, without its stamp.
    """

    reading: Any
    odometry: Odometry


def glimpses(seed: int) -> dict[tuple[str, str], Glimpse]:
    """A look at each object of the package's world by each sensor.

    It is shown ever again, so one that the shipped weights take for nothing they know, as a few in
    a hundred, is drawn anew: what a team does with looks is looked at here, not the model.

    Args:
        seed: of the sensors' noise.

    Returns:
        (object, modality) -> the look.

    Raises:
        SimulationError: the world cannot be simulated, or has an object that is unknown.
    """
    engine = OnnxEngine.load(weights_folder("amiro"))
    simulation = Simulation(resource("worlds/amiro.world"), TEAM, seed)
    found = {}
    try:
        for robot, (modality,) in TEAM.items():
            for item in simulation.objects:
                pose = viewpoint(AMIRO[modality]).pose(item.x, item.y)
                simulation.place(robot, *pose)
                for _ in range(MOST_DRAWN):
                    reading = _reading(simulation, robot, modality)
                    if _familiar(engine, modality, reading):
                        break
                else:
                    raise SimulationError(f"{item.name} is unknown to the {modality}")
                found[item.name, modality] = Glimpse(reading, _standing(*pose))
    finally:
        simulation.close()
    return found


def _reading(simulation: Simulation, robot: str, modality: str) -> Any:
    sensor = simulation.sensor(robot, modality)
    if isinstance(sensor, CameraSensor):
        return image_message(simulation.image(robot, modality))
    measures = AMIRO[modality].view.measures
    return scan_message(sensor, **{measures: getattr(simulation, measures)(robot, modality)})


def _familiar(engine: Engine, modality: str, reading: Any) -> bool:
    observation = AMIRO[modality].view.read(reading)
    return engine.encode_modality(modality, observation).surprise <= FAMILIAR


def _standing(x: float, y: float, yaw: float) -> Odometry:
    odometry = Odometry(child_frame_id="base_link")
    odometry.header.frame_id = "map"
    pose = odometry.pose.pose
    pose.position.x, pose.position.y = x, y
    pose.orientation.z, pose.orientation.w = math.sin(yaw / 2), math.cos(yaw / 2)
    return odometry
