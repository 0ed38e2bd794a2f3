# SPDX-License-Identifier: Apache-2.0
"""``m2vae survey``: bags for training, recorded in Gazebo."""

from __future__ import annotations

import argparse
from pathlib import Path

from m2vae_ros.cli.arguments import non_negative, positive


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this group's commands."""
    survey = commands.add_parser(
        "survey",
        help="record bags for training in Gazebo",
        description="Record bags for training in Gazebo: worlds with eight objects of drawn "
        "colours, widths, materials and places, in which three robots with one sensor each look "
        "at every object from drawn viewpoints. One bag for each world, with its world file. "
        "Gazebo comes from `make gazebo`. The ROS domain is one that no other survey or demo uses, "
        "or ROS_DOMAIN_ID if that is set.",
        epilog="Interrupted with Ctrl-C or killed, the same command goes on with the world it was "
        "in. Bags that are there already are kept, whatever --seed, --views and --world they were "
        "recorded with: for others, take another folder, also while another survey is at work. "
        "Example: m2vae survey bags/train --worlds 60; m2vae survey bags/test --worlds 20 --seed "
        "2; m2vae train amiro --bags bags/train --out models/mine; m2vae evaluate "
        "models/mine --bags bags/test.",
    )
    survey.add_argument("folder", type=Path, help="of the bags; made if need be")
    survey.add_argument("--worlds", type=positive, default=60, help="default: %(default)s")
    survey.add_argument(
        "--views",
        type=positive,
        default=12,
        help="of each object by each sensor in each world; default: %(default)s",
    )
    survey.add_argument("--seed", type=non_negative, default=1, help="default: %(default)s")
    survey.add_argument(
        "--world", default="", metavar="FILE", help="to draw from; default: worlds/amiro.world"
    )
    survey.set_defaults(run=_survey)


def _survey(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from m2vae_ros.apps.survey import survey
    from m2vae_ros.bringup.specs import world_objects

    stops = options.worlds * options.views * len(world_objects(options.world))
    with tqdm(total=stops, desc="looks", unit="look", dynamic_ncols=True) as bar:
        survey(
            options.folder,
            options.worlds,
            options.views,
            options.seed,
            world=options.world,
            progress=bar.update,
            warn=bar.write,
        )
    return 0
