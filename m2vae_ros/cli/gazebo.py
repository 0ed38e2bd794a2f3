# SPDX-License-Identifier: Apache-2.0
"""`m2vae gazebo`: the world in Gazebo classic 11, without a window."""

from __future__ import annotations

import argparse
import sys
import time

HINT = """Ctrl-C ends it. In another terminal: ros2 run m2vae_ros gazebo_bridge, or without ROS 2
installed: ./run python -m m2vae_ros.nodes.gazebo_bridge_node"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "gazebo",
        help="run the world in Gazebo classic 11, without a window",
        description="Run a world in Gazebo classic 11, without a window and without gazebo_ros, "
        "until Ctrl-C. The node gazebo_bridge makes ROS 2 topics of it. Gazebo is the machine's "
        "own, or that which `make gazebo` makes. Whoever reaches the port can control the world: "
        "run it in a network you trust.",
    )
    parser.add_argument(
        "world", nargs="?", default="", help="world file (SDF); default: worlds/amiro.world"
    )
    parser.add_argument(
        "--port",
        type=port,
        default=11345,
        help="of Gazebo's master; 0 takes a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--lockstep",
        action="store_true",
        help="simulate as fast as the sensors can follow instead of in real time",
    )
    parser.set_defaults(run=run)


def port(text: str) -> int:
    """A TCP port, or 0."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, 0 to 65535")
    return number


def run(options: argparse.Namespace) -> int:
    """Run it.

    Returns:
        The exit status, 0 when a KeyboardInterrupt tells it to end, also while it starts.
    """
    from m2vae_ros.gazebo.server import GazeboServer

    try:
        with GazeboServer(options.world, lockstep=options.lockstep, port=options.port) as server:
            print(f"Gazebo runs at GAZEBO_MASTER_URI={server.master_uri}", flush=True)
            if sys.stdout.isatty():  # a launch file starts the bridge itself
                print(HINT)
            while True:
                server.check()
                time.sleep(0.2)
    except KeyboardInterrupt:
        return 0
