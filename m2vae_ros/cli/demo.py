# SPDX-License-Identifier: Apache-2.0
"""``m2vae demo``."""

from __future__ import annotations

import argparse


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add this group's commands."""
    demo = commands.add_parser(
        "demo",
        help="three robots with one sensor each meet eight objects, over ROS 2",
        add_help=False,  # the demo has its own
    )
    demo.set_defaults(run=run)


def run(_: argparse.Namespace, arguments: list[str]) -> int:
    """Hand the arguments to the demo, which has a parser of its own."""
    from m2vae_ros.demo import main

    return main(arguments)
