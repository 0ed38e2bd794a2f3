# SPDX-License-Identifier: Apache-2.0
"""``m2vae fuse``: the fusion node of one robot, at work at once."""

from __future__ import annotations

import argparse
import os

from m2vae_ros.cli.arguments import robot_name


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "fuse",
        help="run the fusion node of one robot, where there is no ros2 launch",
        description="Run the fusion node of one robot until Ctrl-C: it embeds what its sensors "
        "publish, fuses it with what other robots publish on /embeddings, and classifies. It is "
        "configured and activated by itself. The topics are those of the weights' suite, below "
        "the robot's namespace.",
        epilog="Examples: m2vae fuse models/mine --robot robot7; and with a bag: m2vae fuse "
        "models/mine --robot robot7 --use-sim-time, beside m2vae play run_1 --clock 40. What "
        "follows --ros-args is given to the node as it is: m2vae fuse models/mine --robot robot7 "
        "--ros-args -r scan:=/lidar/scan -p gate:=0.5.",
    )
    parser.add_argument("weights", help="folder of the weights, or a name in the package's models")
    parser.add_argument(
        "--robot", type=robot_name, required=True, help="its name, and its namespace"
    )
    parser.add_argument(
        "--use-sim-time", action="store_true", help="take the time of /clock, a bag's for instance"
    )
    parser.add_argument(
        "--ros-args", nargs=argparse.REMAINDER, default=[], help="remappings, parameters, files"
    )
    parser.set_defaults(run=_fuse)


def _fuse(options: argparse.Namespace) -> int:
    from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

    from m2vae_ros.bringup.processes import environment
    from m2vae_ros.bringup.specs import FUSION_CONFIG
    from m2vae_ros.host.resources import resource, weights_folder
    from m2vae_ros.nodes.fusion_node import FusionNode
    from m2vae_ros.ros.process import run

    def active_node() -> LifecycleNode:
        node = FusionNode()
        for step in (node.trigger_configure, node.trigger_activate):
            if step() != TransitionCallbackReturn.SUCCESS:
                node.destroy_node()
                raise ValueError("the reason is above")
        return node

    os.environ.update(environment())
    given = {
        "weights": weights_folder(options.weights).resolve(),
        "use_sim_time": str(options.use_sim_time).lower(),
    }
    arguments = ["-r", f"__ns:=/{options.robot}", "-r", "__node:=fusion"]
    arguments += ["--params-file", str(resource(FUSION_CONFIG))]
    for name, value in given.items():
        arguments += ["-p", f"{name}:={value}"]
    return run(active_node, ["--ros-args", *arguments, *options.ros_args])
