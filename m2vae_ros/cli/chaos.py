# SPDX-License-Identifier: Apache-2.0
"""`m2vae chaos`: a team under a bad network, failing members and enemies."""

from __future__ import annotations

import argparse
from pathlib import Path

from m2vae_ros.cli.arguments import non_negative, non_negative_number, positive, positive_number


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "chaos",
        help="does a team still agree on the truth on a bad network, among enemies, when killed?",
        description="Runs a team of real fusion nodes, plays their sensors, and puts a relay "
        "between them that loses, delays, doubles, reorders, corrupts and forges their messages; "
        "or kills nodes, or lets an enemy speak. Each scenario says what must hold; `--list` shows "
        "them all. The exit status is 1 if something that must hold does not.",
        epilog="examples: m2vae chaos --loss 0.5 --times 3; m2vae chaos --scenario aliases junk; "
        "m2vae chaos --scenario kills --times 10 --json reports/reliability.json. It takes a ROS "
        "domain that is free; ROS_DOMAIN_ID chooses one. Ctrl-C stops all nodes.",
    )
    parser.add_argument("--list", action="store_true", help="say which scenarios there are")
    parser.add_argument(
        "--scenario",
        nargs="+",
        metavar="NAME",
        help="one or more of them, or all (default: network)",
    )
    parser.add_argument(
        "--robots", type=positive, metavar="N", help="instead of as many as it is meant for"
    )
    parser.add_argument(
        "--times",
        type=positive,
        metavar="N",
        help="runs, kills, stops or messages, instead of as many as it is meant for",
    )
    parser.add_argument(
        "--minutes",
        type=positive_number,
        default=10.0,
        help="of endurance and crowd (default: %(default)g)",
    )
    network = parser.add_argument_group(
        "the network", "of the scenario of that name; shares are between 0 and 1"
    )
    for name, default, words in (
        ("loss", 0.3, "share of messages that never arrive"),
        ("doubled", 0.1, "share that arrives twice"),
        ("reordered", 0.1, "share that is held back until others have overtaken it"),
        ("corrupted", 0.0, "share of deliveries whose bytes are changed"),
        ("forged", 0.0, "share of messages that a forged one accompanies"),
        ("delay", 1.0, "seconds by which a message may be late"),
    ):
        network.add_argument(
            f"--{name}",
            type=non_negative_number,
            default=default,
            metavar="SECONDS" if name == "delay" else "SHARE",
            help=f"{words} (default: %(default)g)",
        )
    parser.add_argument(
        "--seed",
        type=non_negative,
        default=0,
        help="of all that is drawn; what processes do in between is up to the machine "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="add what was measured to this file"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run it; returns the exit status."""
    from m2vae_ros.apps.chaos import playing

    return playing.run(options)
