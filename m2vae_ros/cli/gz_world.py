# SPDX-License-Identifier: Apache-2.0
"""`m2vae gz-world`: a world for gz-sim, the modern Gazebo."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "gz-world",
        help="make a world for gz-sim, the modern Gazebo, and its bridge to ROS 2",
        description="Make of a world file what gz-sim and ros_gz_bridge take. "
        "amiro_gz.launch.py does so itself; this is for starting them by hand.",
        epilog="Example: m2vae gz-world worlds/amiro.world worlds/amiro_gz.sdf "
        "config/ros_gz_bridge.yaml",
    )
    parser.add_argument("world", type=Path, help="world file of Gazebo classic (SDF)")
    parser.add_argument("sdf", type=Path, help="to write, for gz sim")
    parser.add_argument("bridge", type=Path, help="to write, config_file of ros_gz_bridge")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write both files, or neither."""
    from m2vae_ros.host.files import replacing
    from m2vae_ros.world.gz import bridge_config, gz_world

    sdf, bridge = gz_world(options.world), bridge_config(options.world)
    with replacing(options.sdf) as path, replacing(options.bridge) as other:
        path.write_text(sdf)
        other.write_text(bridge)
    print(f"wrote {options.sdf} and {options.bridge}")
    return 0
