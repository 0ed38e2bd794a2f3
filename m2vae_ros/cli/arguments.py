# SPDX-License-Identifier: Apache-2.0
"""Types of arguments that several commands take."""

from __future__ import annotations

import argparse
from pathlib import Path

SUITE_HELP = "the sensor suite: a YAML file, or a name in the package's config/suites"


def positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


def non_negative(text: str) -> int:
    """A whole number that is 0 or above, such as numpy's seeds."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def positive_number(text: str) -> float:
    """A number above 0, seconds for instance."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


def non_negative_number(text: str) -> float:
    """A number that is 0 or above."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is negative, or no number")
    return number


def robot_name(text: str) -> str:
    """The name of a robot, which is its namespace, too, and may be within that of a fleet."""
    from m2vae_ros.bringup.arguments import check_robot

    try:
        return check_robot(text, nested=True)
    except ValueError as error:
        reason = str(error).removeprefix("robot: ")  # argparse names the option
        raise argparse.ArgumentTypeError(reason) from None


_UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "s": 1.0, "min": 60.0}


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write every number there, too, for programs"
    )


def split(text: str) -> tuple[str, float]:
    """A size or a time: "500MB" is ("size", 5e8), "5min" is ("seconds", 300.0)."""
    for unit, factor in _UNITS.items():
        if text.endswith(unit):
            amount = positive_number(text.removesuffix(unit)) * factor
            return ("size" if unit.endswith("B") else "seconds"), amount
    raise argparse.ArgumentTypeError(f"{text}: a number and one of {', '.join(_UNITS)}, e.g. 500MB")


def add_dask(parser: argparse.ArgumentParser) -> None:
    """Add --dask."""
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="of a dask scheduler, e.g. tcp://host:8786, whose workers are used instead of this "
        "machine's cores; each with one thread",
    )
