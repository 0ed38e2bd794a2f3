# SPDX-License-Identifier: Apache-2.0
"""What the commands that take --bags have in common."""

from __future__ import annotations

import argparse
import hashlib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from m2vae_ros.cli.arguments import positive

if TYPE_CHECKING:
    from rich.table import Table

    from m2vae_ros.bags.report import BagReport
    from m2vae_ros.datasets.samples import Samples
    from m2vae_ros.sensors import SensorSuite

_ENOUGH = 10


def add_options(parser: argparse.ArgumentParser, enough: int = _ENOUGH) -> None:
    """Add --bags and what goes with it."""
    group = parser.add_argument_group(
        "samples from bags",
        "rosbag2 folders, mcap or sqlite3, with the topics of the suite, which also says what a "
        "reading is of and which go together. Of objects a reading counts if its robot stood "
        "before one, going by the odometry. See docs/bags.md.",
    )
    group.add_argument(
        "--bags", type=Path, nargs="+", metavar="FOLDER", help="a bag, or a folder of bags"
    )
    group.add_argument(
        "--world",
        type=Path,
        metavar="FILE",
        help="which objects stood where; default: the world.sdf in a bag's folder, or the "
        "package's worlds/amiro.world",
    )
    group.add_argument(
        "--label-topic",
        metavar="TOPIC",
        help="of std_msgs/String: the class or name of the object sensed from then on, e.g. 'red "
        "box mat', or nothing; instead of world and odometry. Below each robot's namespace, unless "
        "it begins with /",
    )
    group.add_argument(
        "--global-frame",
        default="map",
        metavar="FRAME",
        help="in which the world has its objects; the odometry is in it, or the bag's /tf leads "
        "there from the odometry's (default: %(default)s)",
    )
    group.add_argument(
        "--enough",
        type=int,
        default=enough,
        metavar="N",
        help="readings of each class by each sensor that there must be; default: %(default)s",
    )
    group.add_argument(
        "--most",
        type=positive,
        metavar="N",
        help="readings of one object by one sensor that count, for robots that were left standing; "
        "default: all",
    )


def read(options: argparse.Namespace, suite: SensorSuite) -> Samples:
    """Read a suite's samples of --bags, with a progress bar, and tell what came of every message.

    Raises:
        DataError: see `sim.bags.read_bags`.
    """
    from tqdm import tqdm

    from m2vae_ros.bags.report import NotEnough
    from m2vae_ros.bags.worlds import read_bags

    with tqdm(desc="bags, twice", unit="B", unit_scale=True, dynamic_ncols=True) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        try:
            samples, report = read_bags(
                options.bags,
                options.world,
                suite,
                label_topic=options.label_topic,
                enough=options.enough,
                most=options.most,
                seed=options.seed,
                global_frame=options.global_frame,
                progress=progress,
            )
        except NotEnough as error:
            bar.close()
            show(error.report)
            raise
    show(report)
    return samples


def key(options: argparse.Namespace) -> str:
    """Digits that name --bags and their world files, as they are now, and how they are read.

    Raises:
        DataError: see `bags.reader.find_bags`.
    """
    from m2vae_ros.bags.reader import find_bags
    from m2vae_ros.bags.worlds import world_of_bag

    how = [options.world, options.label_topic, options.enough, options.most, options.seed]
    how.append(options.global_frame)
    found = find_bags(options.bags)
    paths = {path for bag in options.bags for path in (bag, *bag.rglob("*"))}
    paths |= {file.path for file in found}  # also where links lead
    state = [
        (str(path.absolute()), path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(paths)
        if path.is_file()
    ]
    # by what they say, for a world file decides on every label, and need not look changed
    worlds = {world_of_bag(file.bag, options.world) for file in found}
    said = sorted((str(world.absolute()), _digest(world)) for world in worlds)
    return hashlib.sha256(repr((how, state, said)).encode()).hexdigest()[:16]


def _digest(file: Path) -> str:
    """SHA-256 of a file; nothing, if it cannot be read, of which its reader will tell."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def show(report: BagReport) -> None:
    """Print a report."""
    from rich.console import Console

    console = Console(markup=False)  # names may have brackets in them
    for table in (_unused(report), _used(report)):
        if table.row_count:
            console.print(table)


def _used(report: BagReport) -> Table:
    from rich.table import Table

    bags = len({bag for bag, _ in report.used})
    table = Table(title=f"{report.samples} samples of {bags} bag{'s' * (bags != 1)}; readings:")
    table.add_column("class")
    modalities = list(dict.fromkeys(m for found in report.readings.values() for m in found))
    for modality in modalities:
        table.add_column(modality, justify="right")
    for name, readings in report.readings.items():
        table.add_row(name, *(str(readings[modality]) for modality in modalities))
    return table


def _unused(report: BagReport) -> Table:
    """Equal reasons of several files in one row."""
    from rich.table import Table

    rows: dict[tuple[str, str], list[tuple[str, int, str]]] = defaultdict(list)
    for (where, topic, kind), (count, reason) in report.unused.items():
        rows[topic, kind].append((where, count, reason))
    table = Table(title="not used")
    table.add_column("where", overflow="fold")
    table.add_column("topic, object", overflow="fold")
    table.add_column("messages", justify="right")
    table.add_column("why")
    for (topic, _), found in sorted(rows.items()):
        (where, _, reason), others = found[0], len(found) - 1
        where += f" and {others} more" if others else ""
        count = sum(count for _, count, _ in found)
        table.add_row(where, topic, str(count or ""), reason)  # what is missing has none
    return table
