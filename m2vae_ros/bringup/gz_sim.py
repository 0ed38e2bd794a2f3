# SPDX-License-Identifier: Apache-2.0
"""gz-sim, the modern Gazebo, as launch actions: simulator, bridge to ROS 2, sensors' frames."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch.action import Action
from launch.actions import ExecuteProcess, RegisterEventHandler
from launch.event_handlers import OnShutdown
from launch_ros.actions import Node

from m2vae_ros.bringup.launching import PATIENCE, RESPAWN_DELAY, required
from m2vae_ros.bringup.specs import Robots
from m2vae_ros.host.resources import resource
from m2vae_ros.host.scratch import Scratch
from m2vae_ros.world.gz import Mount, bridge_config, gz_world, mounts


def gz_sim(robots: Robots, world: str, gui: bool, respawn: bool = True) -> list[Action]:
    """gz-sim on a world file, "" for the package's own; the launch ends with it.

    Raises:
        ValueError: a package is not installed, or the world lacks a robot or a sensor.
    """
    _check_installed()
    try:
        sensors = list(mounts(world or resource("worlds/amiro.world"), robots))
        sdf, bridge, made = _files(world)
    except ValueError as error:
        raise ValueError(f"robots, world: {error}") from None
    nodes = [_bridge(bridge, respawn), *(_frame(sensor, respawn) for sensor in sensors)]
    return [*made, *_simulator(sdf, gui), *nodes]


def _check_installed() -> None:
    missing = [] if shutil.which("gz") else ["gz"]
    for package in ("ros_gz_bridge", "tf2_ros"):
        try:
            get_package_prefix(package)
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        ros = f"ros-{os.environ.get('ROS_DISTRO', '$ROS_DISTRO')}"
        raise ValueError(
            f"not installed: {', '.join(missing)}; apt-get install {ros}-ros-gz {ros}-tf2-ros"
        )


def _files(world: str) -> tuple[str, str, list[Action]]:
    """World and bridge for gz-sim; those of a world of one's own are made for this launch."""
    if not world:
        files = resource("worlds/amiro_gz.sdf"), resource("config/ros_gz_bridge.yaml")
        return str(files[0]), str(files[1]), []
    sdf, bridge = gz_world(world), bridge_config(world)
    scratch = Scratch("m2vae-gz-")
    files = scratch.path / f"{Path(world).stem}.sdf", scratch.path / "ros_gz_bridge.yaml"
    for file, text in zip(files, (sdf, bridge), strict=True):
        file.write_text(text)
    removal = OnShutdown(on_shutdown=lambda event, context: scratch.remove())
    return str(files[0]), str(files[1]), [RegisterEventHandler(removal)]


def _simulator(sdf: str, gui: bool) -> list[Action]:
    # ros_gz_sim's gz_sim.launch.py starts gz sim by a shell, which does not pass signals on: a
    # launch that is told to end, and not by a terminal, would leave the simulator running.
    window = [] if gui and _has_display() else ["-s", "--headless-rendering"]
    process = ExecuteProcess(
        cmd=["gz", "sim", "-r", *window, sdf],
        name="gz_sim",
        output="screen",
        sigterm_timeout=str(PATIENCE),
    )
    return [required(process, "gz sim"), process]


def _has_display() -> bool:
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _bridge(config: str, respawn: bool) -> Action:
    return Node(
        package="ros_gz_bridge",
        executable="parameter_bridge",
        name="ros_gz_bridge",
        parameters=[{"config_file": config}],
        output="screen",
        respawn=respawn,
        respawn_delay=RESPAWN_DELAY,
    )


def _frame(sensor: Mount, respawn: bool) -> Action:
    """gz-sim tells where a robot is, but not where it carries its sensors."""
    (x, y, z), (roll, pitch, yaw) = sensor.pose.position, sensor.pose.roll_pitch_yaw
    options = {"x": x, "y": y, "z": z, "roll": roll, "pitch": pitch, "yaw": yaw}
    frames = ["--frame-id", sensor.base, "--child-frame-id", sensor.frame]
    return Node(
        package="tf2_ros",
        executable="static_transform_publisher",
        name=sensor.frame.replace("/", "_"),
        arguments=[*(w for name, v in options.items() for w in (f"--{name}", str(v))), *frames],
        output="screen",
        respawn=respawn,
        respawn_delay=RESPAWN_DELAY,
    )
