# SPDX-License-Identifier: Apache-2.0
"""A world of Gazebo classic as gz-sim, the modern Gazebo, takes it, and the bridge to ROS 2.

The world is the same; what differs is how gz-sim senses and moves (docs/gazebo.md says where that
is known from):

* Classic's plugins mean nothing to it. Systems take their place, with the same topics and frames.
* Its LiDARs are rendered. They sense visuals, so these carry the collisions' <laser_retro>.
* Its renderer calculates with linear light and encodes pictures as sRGB, so colours are decoded.
* What stands side by side has different names, also a visual and a collision.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from m2vae_ros.sensors.messages import ODOMETRY
from m2vae_ros.world.sdf import Link, Model, Pose, Vector, World, WorldError, read_world
from m2vae_ros.world.suite import AMIRO

VERSION = "1.7"
"""Of SDF: every gz-sim reads it, and so does Gazebo 11, which can check it."""

FRAME = "map"
"""Of the odometry: gz-sim's OdometryPublisher tells poses in the world, whatever it calls it."""

WORLD_SYSTEMS: dict[str, dict[str, str]] = {
    "Physics": {},
    "Sensors": {"render_engine": "ogre2"},
    "UserCommands": {},
    "SceneBroadcaster": {},
}
"""Name of a system -> its settings. A world with systems of its own gets no others."""

ROBOT_SYSTEMS = {
    "VelocityControl": {"topic": "/{robot}/cmd_vel"},
    "OdometryPublisher": {
        "odom_topic": f"/{{robot}}/{ODOMETRY.topic}",
        "tf_topic": "/tf",
        "odom_frame": FRAME,
        "robot_base_frame": "{base}",
        "odom_publish_frequency": "20",
    },
}
"""The same for each robot."""

GZ_TYPES = {
    "rosgraph_msgs/msg/Clock": "gz.msgs.Clock",
    "tf2_msgs/msg/TFMessage": "gz.msgs.Pose_V",
    "nav_msgs/msg/Odometry": "gz.msgs.Odometry",
    "geometry_msgs/msg/Twist": "gz.msgs.Twist",
    "sensor_msgs/msg/Image": "gz.msgs.Image",
    "sensor_msgs/msg/CameraInfo": "gz.msgs.CameraInfo",
    "sensor_msgs/msg/LaserScan": "gz.msgs.LaserScan",
}
"""Type of a ROS message -> that of gz-transport which ros_gz_bridge makes of it."""


class Mount(NamedTuple):
    """Where a sensor is on its robot: the frames of both, and its pose."""

    base: str
    frame: str
    pose: Pose


def gz_world(path: str | os.PathLike[str]) -> str:
    """The world of a file for gz-sim.

    Returns:
        The new world file (SDF).

    Raises:
        WorldError: the world cannot be read, a robot has a sensor that the suite does not know, or
            a link's collisions differ in what they reflect.
    """
    world = _read(path)
    root = ElementTree.parse(path).getroot()
    root.set("version", VERSION)
    for parent in root.iter():
        # gz-sim's window has plugins of its own, too.
        for element in [child for child in parent if child.tag in ("plugin", "gui")]:
            parent.remove(element)
    (top,) = root.iter("world")
    (scene,) = top.iter("scene")
    _set(scene, "background", _colour(world.background))
    _add_systems(top, WORLD_SYSTEMS)
    for element, model in zip(top.findall("model"), world.models, strict=True):
        for part, link in zip(element.findall("link"), model.links, strict=True):
            _convert_visuals(part, link, f"{path}: {model.name}/{link.name}")
        if not model.static:
            _convert_sensors(element, model)
            _add_systems(element, ROBOT_SYSTEMS, robot=model.name, base=_base(model))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0"?>\n<!-- {_note(path)} -->\n{text}\n'


def bridge_config(path: str | os.PathLike[str]) -> str:
    """The topics of a world of gz-sim for ros_gz_bridge, under the same names in ROS 2 (YAML).

    Raises:
        WorldError: the world cannot be read, or a robot has a sensor that the suite does not know.
    """
    entries = [
        {
            "ros_topic_name": topic,
            "gz_topic_name": topic,
            "ros_type_name": type_name,
            "gz_type_name": GZ_TYPES[type_name],
            "direction": "ROS_TO_GZ" if type_name == "geometry_msgs/msg/Twist" else "GZ_TO_ROS",
            # Nothing is rendered for nobody.
            **({"lazy": True} if type_name.startswith("sensor_msgs/") else {}),
        }
        for topic, type_name in _topics(_read(path))
    ]
    text: str = yaml.safe_dump(entries, sort_keys=False)
    return f"# {_note(path)}\n{text}"


def mounts(path: str | os.PathLike[str], robots: Mapping[str, Sequence[str]]) -> Iterator[Mount]:
    """Where these sensors of these robots are.

    Raises:
        WorldError: the world cannot be read, or has no such robot or sensor.
    """
    there = {model.name: model for model in _robots(read_world(path))}
    for robot, sensors in robots.items():
        if robot not in there:
            raise WorldError(f"{path}: has no robot {robot}, only {_list(there)}")
        poses = {sensor.name: sensor.pose for sensor in there[robot].links[0].sensors}
        for sensor in sensors:
            if sensor not in poses:
                raise WorldError(f"{path}: {robot} has no sensor {sensor}, only {_list(poses)}")
            yield Mount(_base(there[robot]), f"{robot}/{sensor}", poses[sensor])


def _note(path: str | os.PathLike[str]) -> str:
    return f"Made by `m2vae gz-world` of {Path(path).name}, which is the file to edit."


def _read(path: str | os.PathLike[str]) -> World:
    world = read_world(path)
    for robot in _robots(world):
        for sensor in robot.links[0].sensors:
            if sensor.name not in AMIRO:
                known = ", ".join(AMIRO)
                raise WorldError(f"{path}: {robot.name}: {sensor.name} is not one of {known}")
    return world


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _robots(world: World) -> Iterator[Model]:
    return (model for model in world.models if not model.static)


def _base(robot: Model) -> str:
    return f"{robot.name}/{robot.links[0].name}"


def _topic(robot: Model, sensor: str) -> str:
    return f"/{robot.name}/{AMIRO[sensor].topic}"


def _topics(world: World) -> Iterator[tuple[str, str]]:
    """Topic and type of all that passes between gz-sim and ROS 2."""
    yield "/clock", "rosgraph_msgs/msg/Clock"
    yield "/tf", "tf2_msgs/msg/TFMessage"
    for robot in _robots(world):
        yield f"/{robot.name}/{ODOMETRY.topic}", ODOMETRY.type
        yield f"/{robot.name}/cmd_vel", "geometry_msgs/msg/Twist"
        for sensor in robot.links[0].sensors:
            topic, type_name = _topic(robot, sensor.name), AMIRO[sensor.name].type
            yield topic, type_name
            if type_name == "sensor_msgs/msg/Image":
                yield topic.rpartition("/")[0] + "/camera_info", "sensor_msgs/msg/CameraInfo"


def _convert_visuals(element: ElementTree.Element, link: Link, where: str) -> None:
    retros = {collision.laser_retro for collision in link.collisions}
    if len(retros) > 1:
        raise WorldError(f"{where}: its collisions must have one <laser_retro>")
    for part, visual in zip(element.findall("visual"), link.visuals, strict=True):
        part.set("name", f"{visual.name}_visual")
        for retro in retros - {0.0}:
            _set(part, "laser_retro", f"{retro:g}")
        (material,) = part.findall("material")
        for name in ("ambient", "diffuse", "specular"):
            _set(material, name, "0 0 0 1")
        _set(material, "emissive", _colour(visual.colour))


def _convert_sensors(element: ElementTree.Element, robot: Model) -> None:
    for part in element.iter("sensor"):
        name = part.get("name", "")
        for rays in part.findall("ray"):
            rays.tag = "lidar"
            part.set("type", "gpu_lidar")
        _set(part, "topic", _topic(robot, name))
        _set(part, "gz_frame_id", f"{robot.name}/{name}")


def _add_systems(
    element: ElementTree.Element, systems: Mapping[str, Mapping[str, str]], **names: str
) -> None:
    for name, settings in systems.items():
        words = re.sub(r"\B(?=[A-Z])", "-", name).lower()
        attributes = {"filename": f"gz-sim-{words}-system", "name": f"gz::sim::systems::{name}"}
        plugin = ElementTree.SubElement(element, "plugin", attributes)
        for tag, text in settings.items():
            _set(plugin, tag, text.format(**names))


def _set(parent: ElementTree.Element, tag: str, text: str) -> None:
    element = parent.find(tag)
    if element is None:
        element = ElementTree.SubElement(parent, tag)
    element.text = text


def _colour(encoded: Vector) -> str:
    """A colour as it is to be seen (sRGB, IEC 61966-2-1) as linear light."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in encoded]
    return " ".join(f"{value:.4g}" for value in (*linear, 1.0))
