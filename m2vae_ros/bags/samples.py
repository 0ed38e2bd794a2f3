# SPDX-License-Identifier: Apache-2.0
"""From bags to samples of a sensor suite: what robots sensed, and of what.

Each bag is read twice. First what tells what is sensed: odometry, labels, or whatever the suite
says. Then the readings, one message at a time; what is kept of one is what the model takes, 3 kB of
an image. Readings of one thing by several sensors, taken at any time and by any robot of the same
bag, are paired at random; or readings of one time are, as the suite says.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from m2vae_ros.bags.pairing import Reading, Thing, by_object, by_time
from m2vae_ros.bags.reader import (
    BagFile,
    BagMessage,
    BagTopic,
    Decoder,
    find_bags,
    in_order,
    messages_of,
    topics_of,
)
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.datasets.samples import UNLABELLED, Samples
from m2vae_ros.robot.odometry import Standing, Track, Unplaced, UnusedReading
from m2vae_ros.robot.perception import Target
from m2vae_ros.robot.pointing import targets
from m2vae_ros.sensors import ObservationError, SensorSuite
from m2vae_ros.sensors.messages import NANOSECONDS, ODOMETRY, motion, nanoseconds
from m2vae_ros.sensors.sensing_range import Position
from m2vae_ros.sensors.suite import STRING
from m2vae_ros.sensors.view import Stream

ENOUGH = 10
"""Readings of each class by each sensor, below which nothing can be trained."""

_LOOKS = 2

_RESTARTED = NANOSECONDS
"""Odometry that goes back in time by more than this is of another run."""


class KnownObject(Protocol):
    """An object of the world: its name, its class, where it stands."""

    @property
    def object_id(self) -> str:
        """Its name."""
        ...

    @property
    def class_name(self) -> str:
        """Its class."""
        ...

    @property
    def position(self) -> Position:
        """Where it stands, metres."""
        ...


T = TypeVar("T")

ObjectsOf = Callable[[Path], Sequence[KnownObject]]
"""The folder of a bag -> the objects of the world it was recorded in; raises ValueError."""


@dataclass
class BagReport:
    """What came of the messages of bags.

    Attributes:
        used: (bag, topic) -> readings in the samples.
        unused: (file or bag, topic, kind of reason) -> how many, and the first of the reasons.
        readings: class -> modality -> readings in the samples.
        samples: how many.
    """

    used: Counter[tuple[str, str]] = field(default_factory=Counter)
    unused: dict[tuple[str, str, str], tuple[int, str]] = field(default_factory=dict)
    readings: dict[str, Counter[str]] = field(default_factory=dict)
    samples: int = 0

    @classmethod
    def of(cls, suite: SensorSuite) -> BagReport:
        """With nothing counted yet; without classes, all is of the class ""."""
        return cls(readings={name: Counter() for name in suite.classes or ("",)})

    def note(self, where: Path, topic: str, reason: str, count: int = 1) -> None:
        """Something that is not used, and why."""
        # numbers differ from message to message; the reason is the same
        key = (str(where), topic, re.sub(r"[-+.\d]+(e[-+]?\d+)?", "#", reason))
        before, first = self.unused.get(key, (0, reason))
        self.unused[key] = (before + count, first)

    def lacking(self, modalities: Iterable[str], enough: int) -> list[str]:
        """The classes and sensors of which there are fewer readings than that."""
        return [
            f"{name + ': ' if name else ''}{readings[modality]} by {modality}"
            for name, readings in self.readings.items()
            for modality in modalities
            if readings[modality] < enough
        ]


class NotEnough(DataError):
    """Bags that do not hold what is needed.

    Attributes:
        report: why.
    """

    def __init__(self, message: str, report: BagReport) -> None:
        super().__init__(message)
        self.report = report


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
        progress: called with the bytes read and the bytes in all; each file counts twice.

    Returns:
        Samples, and what came of every message.

    Raises:
        DataError: a path is no bag.
        NotEnough: the bags lack readings.
    """
    report = BagReport.of(suite)
    files = find_bags(paths, lambda path, reason: report.note(path, "", reason))
    bags: dict[Path, list[BagFile]] = defaultdict(list)
    for file in files:
        bags[file.bag].append(file)
    if label_topic is None and suite.sampling.labels not in ("", "name"):
        label_topic = suite.sampling.labels
    shelf: dict[Thing, dict[str, list[Reading]]] = {}
    meter = _Meter(_LOOKS * sum(file.size for file in files), progress)
    for bag, parts in bags.items():
        reader = _BagReader(suite, bag, objects, label_topic, standing or Standing(), report, shelf)
        reader.read(in_order(parts), meter)
    samples = _paired(suite, shelf, report, most, np.random.default_rng(seed))
    lacking = report.lacking(suite, enough)
    if lacking:
        raise NotEnough(
            f"{_named(paths)}: at least {enough} readings of each class by each sensor are needed, "
            f"but there are {'; '.join(lacking)}",
            report,
        )
    if not report.samples:
        raise NotEnough(f"{_named(paths)}: nothing was sensed by every sensor", report)
    return samples, report


class _Meter:
    """Tells how many bytes lie behind."""

    def __init__(self, total: int, progress: Callable[[int, int], None]) -> None:
        self._total = total
        self._progress = progress
        self._before = 0

    def share(self, size: int) -> Callable[[float], None]:
        """For one file of that size: the share of it that lies behind."""
        return lambda share: self._progress(self._before + int(share * size), self._total)

    def passed(self, size: int) -> None:
        """A file lies behind."""
        self._before += size
        self._progress(self._before, self._total)


def _named(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))


class _BagReader:
    """Reads one bag."""

    def __init__(
        self,
        suite: SensorSuite,
        bag: Path,
        objects: ObjectsOf,
        label_topic: str | None,
        standing: Standing,
        report: BagReport,
        shelf: dict[Thing, dict[str, list[Reading]]],
    ) -> None:
        self._suite = suite
        self._bag = bag
        self._label_topic = label_topic
        self._standing = standing
        self._report = report
        self._shelf = shelf
        self._decode = Decoder()
        self._restarted: set[str] = set()
        self._labels: dict[str, _Timeline[str]] = defaultdict(_Timeline)
        self._pointed: dict[str, _Timeline[Sequence[Target]]] = defaultdict(_Timeline)
        self._tracks: dict[str, Track] = {}
        self._readable: dict[str, bool] = {}
        self._heard: Counter[str] = Counter()
        self._damaged: list[BagFile] = []
        self._streams: dict[tuple[str, str], Stream] = {}
        self._episodes: dict[str, tuple[int, int]] = {}
        self._objects: Sequence[KnownObject] = ()
        if self._by_place:
            try:
                self._objects = objects(bag)
            except (ValueError, OSError) as error:
                report.note(bag, "", f"its world is not known: {error}")

    @property
    def _by_place(self) -> bool:
        """Whether odometry tells what is sensed."""
        return self._suite.about.kind == "objects" and self._label_topic is None

    def read(self, files: Sequence[BagFile], meter: _Meter) -> None:
        """Look twice at every file of the bag."""
        for file in files:
            with self._problems(file):
                for topic in topics_of(file):
                    self._check(file, topic)
                self._take(file, self._says_what_is_sensed, self._take_what_is_sensed, meter)
            meter.passed(file.size)
        for file in files:
            with self._problems(file):
                self._take(file, lambda t: bool(self._modalities(t)), self._take_reading, meter)
            meter.passed(file.size)
        self._report_missing()

    def _take(
        self,
        file: BagFile,
        wanted: Callable[[BagTopic], bool],
        take: Callable[[BagMessage], None],
        meter: _Meter,
    ) -> None:
        def readable(topic: BagTopic) -> bool:
            return wanted(topic) and not self._decode.differs(topic)

        for message in messages_of(file, readable, meter.share(file.size)):
            self._heard[message.topic.name] += 1
            with self._reasons(file, message):
                take(message)

    @contextmanager
    def _reasons(self, file: BagFile, message: BagMessage) -> Iterator[None]:
        """What a message is not used for."""
        try:
            yield
        except (DataError, ObservationError, UnusedReading) as error:
            # An ordinary reading of nothing is noted for the bag, not of each file.
            ordinary = isinstance(error, UnusedReading) and not isinstance(error, Unplaced)
            where = self._bag if ordinary else file.path
            self._report.note(where, message.topic.name, str(error))

    def _report_missing(self) -> None:
        """Tell which topics are not there, and which have nothing in them."""
        if self._damaged:  # it may be in what cannot be read
            return
        expected = list(dict.fromkeys(modality.topic for modality in self._suite.values()))
        expected += [ODOMETRY.topic] if self._by_place else []
        expected += [self._suite.about.topic] if self._suite.about.kind == "topic" else []
        if self._label_topic is not None and not any(
            _robot(listed, self._label_topic) is not None for listed in self._readable
        ):
            self._report.note(self._bag, self._label_topic, f"no {STRING} by this name")
        for topic in expected:
            if not any(_robot(listed, topic) is not None for listed in self._readable):
                self._report.note(self._bag, topic, "no robot has this topic")
        for topic, readable in sorted(self._readable.items()):
            if readable and not self._heard[topic]:
                self._report.note(self._bag, topic, "has no messages")

    @contextmanager
    def _problems(self, file: BagFile) -> Iterator[None]:
        """What makes a file unreadable from some point on."""
        before = self._heard.total()
        try:
            yield
        except DataError as error:
            if file in self._damaged:  # reported in the first pass
                return
            self._damaged.append(file)
            reason = str(error).removeprefix(f"{file.path}: ")
            if self._heard.total() > before:
                reason += "; what comes before that is used"
            self._report.note(file.path, "", reason)

    def _check(self, file: BagFile, topic: BagTopic) -> None:
        """Tell of a topic that ought to be read, but has another type."""
        expected: dict[str, set[str]] = defaultdict(set)  # one topic may have several types
        for modality in self._suite.values():
            expected[modality.topic].add(modality.type)
        if self._by_place:
            expected[ODOMETRY.topic].add(ODOMETRY.type)
        if self._suite.about.kind == "topic":
            expected[self._suite.about.topic].add(self._suite.about.type)
        for name, kinds in expected.items():
            if _robot(topic.name, name) is not None and topic.type not in kinds:
                wanted = " or ".join(sorted(kinds))
                self._report.note(file.path, topic.name, f"is a {topic.type}, expected {wanted}")
        if not self._modalities(topic) and not self._says_what_is_sensed(topic):
            return
        self._readable[topic.name] = not self._decode.differs(topic)
        if not self._readable[topic.name]:
            self._report.note(
                file.path, topic.name, f"was recorded with another definition of {topic.type}"
            )

    def _modalities(self, topic: BagTopic) -> list[str]:
        """The modalities whose readings come by a topic."""
        return [
            name
            for name, modality in self._suite.items()
            if topic.type == modality.type and _robot(topic.name, modality.topic) is not None
        ]

    def _is_label(self, topic: BagTopic) -> bool:
        return (
            self._label_topic is not None
            and topic.type == STRING
            and _robot(topic.name, self._label_topic) is not None
        )

    def _is_pointing(self, topic: BagTopic) -> bool:
        about = self._suite.about
        return (
            about.kind == "topic"
            and topic.type == about.type
            and _robot(topic.name, about.topic) is not None
        )

    def _says_what_is_sensed(self, topic: BagTopic) -> bool:
        if self._is_label(topic) or self._is_pointing(topic):
            return True
        # without labels of objects, and for the ranges of what is pointed at
        placed = self._by_place or self._suite.about.kind == "topic"
        is_odometry = _robot(topic.name, ODOMETRY.topic) is not None
        return placed and topic.type == ODOMETRY.type and is_odometry

    def _take_what_is_sensed(self, message: BagMessage) -> None:
        if self._is_label(message.topic):
            self._take_label(message)
        elif self._is_pointing(message.topic):
            self._take_pointing(message)
        else:
            self._take_odometry(message)

    def _take_odometry(self, message: BagMessage) -> None:
        where = motion(self._decode(message))
        robot = _robot(message.topic.name, ODOMETRY.topic)
        assert robot is not None
        if robot in self._restarted:
            return
        track = self._tracks.setdefault(robot, Track(self._standing))
        if track.newest is not None and where.stamp < track.newest - _RESTARTED:
            self._restarted.add(robot)
            del self._tracks[robot]
            raise DataError(
                "its stamps go back in time, so it is of several runs, which need a bag each; none "
                "of this robot's readings is used"
            )
        track.add(where)

    def _take_label(self, message: BagMessage) -> None:
        text = self._decode(message).data.strip()
        # where files overlap it may have been recorded before the last one
        place = self._labels[message.topic.name].add(message.stamp, "")
        if text and self._suite.class_named(text) is None:
            raise DataError(f"label {text!r}: is neither a class nor the name of an object")
        self._labels[message.topic.name].values[place] = text

    def _take_pointing(self, message: BagMessage) -> None:
        decoded = self._decode(message)
        frame = decoded.header.frame_id if hasattr(decoded, "header") else ""
        named, stamp = targets(decoded, frame, message.stamp)
        robot = _robot(message.topic.name, self._suite.about.topic)
        assert robot is not None
        self._pointed[robot].add(stamp, named)

    def _take_reading(self, message: BagMessage) -> None:
        decoded = self._decode(message)
        stamp = message.stamp
        if hasattr(decoded, "header"):
            stamp = nanoseconds(decoded.header.stamp)
        for modality in self._modalities(message.topic):
            view = self._suite[modality].view
            robot = _robot(message.topic.name, self._suite[modality].topic)
            assert robot is not None
            stream = self._streams.setdefault((message.topic.name, modality), view.stream())
            # before it is known what it is of: a stream must not miss a message
            values = stream(decoded, stamp) if view.span else None
            episode = self._episode(robot, message.stamp)
            if view.span and values is None:
                continue
            thing = self._thing(robot, modality, message.stamp, stamp, view.span)
            if values is None:
                values = view.read(decoded)
            reading = Reading(view.pack(values), stamp, robot, episode, message.topic.name)
            self._shelf.setdefault(thing, {}).setdefault(modality, []).append(reading)

    def _episode(self, robot: str, stamp: int) -> int:
        """The number of the episode, which ends where nothing came for a while."""
        number, last = self._episodes.get(robot, (0, stamp))
        if abs(stamp - last) > self._suite.sampling.pause * NANOSECONDS:
            number += 1
        self._episodes[robot] = (number, stamp)
        return number

    def _thing(self, robot: str, modality: str, stamp: int, taken: int, span: float) -> Thing:
        """What a reading is of, and its class.

        Args:
            robot: whose.
            modality: of the reading.
            stamp: when it was recorded, nanoseconds.
            taken: when it was taken, nanoseconds.
            span: seconds that it took.
        """
        kind = self._suite.about.kind
        name, class_name = "", ""
        if kind == "topic":
            name = self._pointed_at(robot, modality, taken)
        elif self._by_place:
            return self._looked_at(robot, modality, taken)
        elif kind == "robot":
            name = robot or "robot"
        if self._label_topic is not None:
            label = self._labelled(robot, stamp, span)
            class_name = self._suite.class_named(label) or ""
            name = name or label
        elif self._suite.sampling.labels == "name" and self._suite.classes:
            class_name = self._suite.class_named(name) or ""
            if not class_name:
                raise UnusedReading(f"{name!r} is the name of no class")
        return Thing(self._bag, name, class_name)

    def _looked_at(self, robot: str, modality: str, stamp: int) -> Thing:
        limits = self._suite[modality].range
        assert limits is not None  # of objects there always are
        seen = limits.looked_at(self._pose(robot, stamp), self._objects)
        if seen is None:
            raise UnusedReading("no object in view")
        return Thing(self._bag, seen.object_id, seen.class_name if self._suite.classes else "")

    def _pose(self, robot: str, stamp: int) -> tuple[float, float, float]:
        if robot not in self._tracks:
            raise Unplaced(f"no odometry of {robot or 'a robot without a namespace'}")
        return self._tracks[robot].pose(stamp)

    def _pointed_at(self, robot: str, modality: str, stamp: int) -> str:
        about = self._suite.about
        absolute = about.topic.startswith("/")
        said = self._pointed["" if absolute else robot].at(stamp, about.seconds)
        if not said:
            raise UnusedReading("nobody says what it is of")
        limits = self._suite[modality].range
        if limits is not None:
            seen = limits.looked_at(self._pose(robot, stamp), said)
        else:
            seen = said[0] if len(said) == 1 else None
        if seen is None:
            raise UnusedReading("nothing to look at")
        x, y, z = seen.position
        return seen.object_id or f"at {x:.1f} {y:.1f} {z:.1f}"

    def _labelled(self, robot: str, stamp: int, span: float) -> str:
        assert self._label_topic is not None
        topic = self._label_topic
        labels = self._labels[topic if topic.startswith("/") else f"{robot}/{topic}"]
        text = labels.at(stamp)
        if not text:
            raise UnusedReading("no label")
        if span and labels.at(stamp - int(span * NANOSECONDS)) != text:
            raise UnusedReading("the label changes while it is taken")
        return text


class _Timeline(Generic[T]):
    """What holds from a time on."""

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self.values: list[T] = []

    def add(self, stamp: int, value: T) -> int:
        """Remember a value; returns its place among `values`."""
        place = bisect_right(self._stamps, stamp)
        self._stamps.insert(place, stamp)
        self.values.insert(place, value)
        return place

    def at(self, stamp: int, seconds: float = math.inf) -> T | None:
        """What holds at a time, if it was said so many seconds before it at most."""
        newest = bisect_right(self._stamps, stamp) - 1
        if newest < 0 or stamp - self._stamps[newest] > seconds * NANOSECONDS:
            return None
        return self.values[newest]


def _robot(topic: str, relative: str) -> str | None:
    """The namespace of a robot's topic, such as "/amiro1"; None if that is another topic."""
    if relative.startswith("/"):
        return "" if topic == relative else None
    robot = topic.removesuffix(f"/{relative}")
    return robot if robot != topic else None


def _paired(
    suite: SensorSuite,
    shelf: Mapping[Thing, Mapping[str, Sequence[Reading]]],
    report: BagReport,
    most: int | None,
    rng: np.random.Generator,
) -> Samples:
    """The samples of all things; those that lack a sensor are reported and left out."""
    columns: dict[str, list[Any]] = {modality: [] for modality in suite}
    labels: list[int] = []
    groups: list[str] = []
    for thing, readings in sorted(shelf.items(), key=lambda item: (item[0].bag, item[0].name)):
        missing = [modality for modality in suite if modality not in readings]
        if missing:
            count = sum(map(len, readings.values()))
            report.note(
                thing.bag, thing.name, f"left out, not sensed by {', '.join(missing)}", count
            )
            continue
        readings = {m: _some(readings[m], most, rng) for m in suite}
        if suite.sampling.pairing == "time":
            picks = by_time(readings, suite.sampling.tolerance)
        else:
            picks = by_object({m: len(found) for m, found in readings.items()}, rng)
        for modality, pick in picks.items():
            chosen = [readings[modality][index] for index in pick]
            columns[modality] += [reading.values for reading in chosen]
            used = [readings[modality][index] for index in sorted(set(pick.tolist()))]
            report.readings[thing.class_name][modality] += len(used)
            report.used.update((str(thing.bag), reading.topic) for reading in used)
        first = [readings[next(iter(suite))][index] for index in picks[next(iter(suite))]]
        groups += [thing.group(suite.sampling.split, reading) for reading in first]
        label = suite.classes.index(thing.class_name) if suite.classes else UNLABELLED
        labels += [label] * len(first)
    report.samples = len(labels)
    return Samples(
        suite,
        {
            name: np.array(columns[name], dtype=view.packed).reshape(-1, *view.shape)
            for name, view in suite.views.items()
        },
        np.array(labels, dtype=np.int64),
        np.array(groups, dtype=np.str_),
    )


def _some(
    readings: Sequence[Reading], most: int | None, rng: np.random.Generator
) -> Sequence[Reading]:
    """All of them, or as many as there may be, drawn at random."""
    if most is None or len(readings) <= most:
        return readings
    return [readings[index] for index in np.sort(rng.choice(len(readings), most, replace=False))]
