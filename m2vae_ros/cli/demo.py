# SPDX-License-Identifier: Apache-2.0
"""`m2vae demo`: the whole system on one machine."""

from __future__ import annotations

import argparse

from m2vae_ros.cli.arguments import add_json, non_negative, non_negative_number, positive_number


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "demo",
        help="three robots with one sensor each meet eight objects, over ROS 2",
        description="A simulated arena with eight objects and three robots: one has only a "
        "camera, one only a LiDAR, one only the reflectance sensors. They visit the objects in "
        "different orders, send each other embeddings over ROS 2 and classify the objects from "
        "them. No robot alone can know an object: the camera tells its colour, the LiDAR its "
        "shape, the reflectance its material. The robots are ordinary ROS 2 nodes in processes of "
        "their own; while it runs, look at /embeddings from another terminal.",
        epilog="The demo takes a ROS domain that is free; ROS_DOMAIN_ID chooses one.",
    )
    parser.add_argument(
        "--gazebo",
        action="store_true",
        help="in Gazebo classic 11, without a window and without gazebo_ros, instead of MuJoCo; "
        "takes a Gazebo that is installed or was made by `make gazebo`",
    )
    parser.add_argument(
        "--speed",
        type=positive_number,
        metavar="FACTOR",
        help="simulated seconds for each second, at most (default: 2, with --stay 8); Gazebo "
        "keeps to 1",
    )
    parser.add_argument(
        "--stay",
        type=non_negative_number,
        default=0.0,
        metavar="SECONDS",
        help="each robot stays so many simulated seconds at each object and goes on looking at it: "
        "is the class still right, and how much has to be sent? (default: %(default)g)",
    )
    parser.add_argument(
        "--own-odometry",
        action="store_true",
        help="the odometry of each robot is in a frame of its own, as real robots have it; /tf "
        "leads from there to the frame of the team",
    )
    parser.add_argument(
        "--time-out",
        type=positive_number,
        metavar="SECONDS",
        help="give up after this long, start-up included (default: 120, with --gazebo 240; with "
        "--stay longer by what the robots stay)",
    )
    parser.add_argument(
        "--seed", type=non_negative, default=0, help="of the sensors' noise (default: %(default)s)"
    )
    parser.add_argument(
        "--view",
        action="store_true",
        help="show it, too: in a window where there is a display, else in a page for browsers; "
        "see m2vae view",
    )
    parser.add_argument(
        "--weights",
        default="amiro",
        metavar="FOLDER",
        help="folder of the weights, or a name in the package's models (default: %(default)s)",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run it; returns the exit status."""
    from m2vae_ros.apps import demo

    return demo.run(options)
