# SPDX-License-Identifier: Apache-2.0
"""From bags to samples of a sensor suite: what robots sensed, and of what.

Each bag is read twice. First what tells what is sensed: odometry, labels, or whatever the suite
says. Then the readings, one message at a time; what is kept of one is what the model takes, 3 kB of
an image, and that on disk. Readings of one thing by several sensors, taken at any time and by any
robot of the same bag, are paired at random; or readings of one time are, as the suite says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from m2vae_ros.bags.context import Context, ObjectsOf
from m2vae_ros.bags.pairing import by_object, by_time
from m2vae_ros.bags.reader import BagFile, find_bags, in_order
from m2vae_ros.bags.readings import LOOKS, BagReadings, Meter
from m2vae_ros.bags.report import BagReport, NotEnough
from m2vae_ros.bags.shelf import Shelf
from m2vae_ros.datasets.samples import UNLABELLED, Samples
from m2vae_ros.host.spill import gathered
from m2vae_ros.robot.odometry import Standing
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.messages import GLOBAL_FRAME

ENOUGH = 10
"""Readings of each class by each sensor, below which nothing can be trained."""


def read_bags(
    suite: SensorSuite,
    paths: Iterable[Path],
    objects: ObjectsOf,
    *,
    label_topic: str | None = None,
    enough: int = ENOUGH,
    most: int | None = None,
    seed: int = 0,
    standing: Standing | None = None,
    global_frame: str = GLOBAL_FRAME,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Samples, BagReport]:
    """Read the samples of bags.

    What a reading is of, the suite says. Of objects it is the one that its robot stands before, by
    the odometry before and after it, and by the same limits as in a running robot.

    Args:
        suite: whose topics are read.
        paths: bags, folders of bags, or storage files.
        objects: which objects stood where, in each bag; not asked where odometry is not needed.
        label_topic: of std_msgs/String messages with the class or the name of the object that is
            sensed from then on, in the order of recording; an empty one says none. Below each
            robot's namespace, unless it begins with "/". Odometry is not asked for then. By
            default the suite's.
        enough: readings of each class by each sensor, at least.
        most: readings of one object by one sensor, at most: of more, some are drawn at random, so
            that a robot which was left standing does not outweigh all others.
        seed: of the pairing.
        standing: when a robot stands before an object.
        global_frame: in which the objects' places are; odometry is in it, or /tf leads there.
        progress: called with the bytes read and the bytes in all; each file counts twice.

    Returns:
        Samples, and what came of every message.

    Raises:
        DataError: a path is no bag.
        NotEnough: the bags lack readings.
        TooMuch: there is no room on disk for them.
    """
    report = BagReport.of(suite.classes)
    files = find_bags(paths, lambda path, reason: report.note(path, "", reason))
    bags: dict[Path, list[BagFile]] = defaultdict(list)
    for file in files:
        bags[file.bag].append(file)
    if label_topic is None and suite.sampling.labels not in ("", "name"):
        label_topic = suite.sampling.labels
    shelf = Shelf(suite)
    meter = Meter(LOOKS * sum(file.size for file in files), progress)
    for bag, parts in bags.items():
        context = Context(suite, bag, label_topic, standing or Standing(), global_frame)
        if context.by_place:
            try:
                context.objects = objects(bag)
            except (ValueError, OSError) as error:
                report.note(bag, "", f"its world is not known: {error}")
        BagReadings(suite, bag, context, report, shelf).read(in_order(parts), meter)
    samples = _paired(suite, shelf, report, most, np.random.default_rng(seed))
    lacking = report.lacking(suite, enough)
    if lacking:
        raise NotEnough(
            f"{_named(paths)}: at least {enough} readings of each class by each sensor are needed "
            f"(the option enough), but there are {'; '.join(lacking)}",
            report,
        )
    if not report.samples:
        raise NotEnough(f"{_named(paths)}: nothing was sensed by every sensor", report)
    return samples, report


def _named(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))


def _paired(
    suite: SensorSuite,
    shelf: Shelf,
    report: BagReport,
    most: int | None,
    rng: np.random.Generator,
) -> Samples:
    """The samples of all things; those that lack a sensor are reported and left out."""
    rows: dict[str, list[np.ndarray]] = {modality: [] for modality in suite}
    labels: list[np.ndarray] = []
    groups: list[np.ndarray] = []
    names: dict[str, int] = {}
    things = list(shelf.things())
    # by numbers: the same bags are the same samples, wherever they lie
    numbers = {bag: number for number, bag in enumerate(sorted({thing.bag for thing, _ in things}))}
    for thing, readings in things:
        missing = [modality for modality in suite if modality not in readings]
        if missing:
            count = sum(map(len, readings.values()))
            report.note(
                thing.bag, thing.name, f"left out, not sensed by {', '.join(missing)}", count
            )
            continue
        some = {m: _some(readings[m], most, rng) for m in suite}
        origins = {m: shelf.origins(m)[found] for m, found in some.items()}
        if suite.sampling.pairing == "time":
            stamps = {m: of["stamp"] for m, of in origins.items()}
            picks = by_time(stamps, suite.sampling.tolerance)
            for modality, pick in picks.items():
                unpaired = np.delete(origins[modality], pick)
                for topic, count in _topics(shelf, unpaired).items():
                    reason = "no reading of every other sensor at that time"
                    report.note(thing.bag, topic, reason, count)
        else:
            picks = by_object({m: len(found) for m, found in some.items()}, rng)
        for modality, pick in picks.items():
            rows[modality].append(some[modality][pick])
            used = origins[modality][np.unique(pick)]
            report.readings.setdefault(thing.class_name, Counter())[modality] += len(used)
            report.used.update({(str(thing.bag), t): n for t, n in _topics(shelf, used).items()})
        first = next(iter(suite))
        kinds, of_kind = np.unique(
            origins[first][["robot", "episode"]][picks[first]], return_inverse=True
        )
        split, number = suite.sampling.split, numbers[thing.bag]
        found = [thing.group(split, number, shelf.name(r), int(e)) for r, e in kinds]
        ids = np.array([names.setdefault(name, len(names)) for name in found], dtype=np.int64)
        groups.append(ids[of_kind])
        label = suite.classes.index(thing.class_name) if thing.class_name else UNLABELLED
        labels.append(np.full(len(of_kind), label))
    nothing = np.empty(0, dtype=np.int64)
    report.samples = sum(map(len, labels))
    return Samples(
        suite,
        {m: gathered(shelf.values(m), np.concatenate([nothing, *rows[m]])) for m in suite},
        np.concatenate([nothing, *labels]),
        gathered(np.array(list(names), dtype=np.str_), np.concatenate([nothing, *groups])),
    )


def _topics(shelf: Shelf, origins: np.ndarray) -> dict[str, int]:
    """Topic -> how many readings came by it."""
    numbers, counts = np.unique(origins["topic"], return_counts=True)
    return {shelf.name(n): int(c) for n, c in zip(numbers, counts, strict=True)}


def _some(rows: np.ndarray, most: int | None, rng: np.random.Generator) -> np.ndarray:
    """All of them, or as many as there may be, drawn at random."""
    if most is None or len(rows) <= most:
        return rows
    return rows[np.sort(rng.choice(len(rows), most, replace=False))]
