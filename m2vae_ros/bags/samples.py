# SPDX-License-Identifier: Apache-2.0
"""From bags to samples: what robots sensed of objects, standing before them.

Each bag is read twice. First its odometry (or the labels somebody gave): then it is known which
object each robot looked at, and when. Then its readings, one at a time; what is kept of one is what
the model takes, 3 kB of an image. An object's readings by the three sensors, taken at any time and
by any robot of the same bag, are paired at random.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

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
from m2vae_ros.datasets.amiro import AmiroSamples, class_named
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.robot.odometry import Standing, Track, Unplaced, UnusedReading
from m2vae_ros.sensors import AMIRO, ObservationError
from m2vae_ros.sensors.messages import NANOSECONDS, ODOMETRY, motion, nanoseconds
from m2vae_ros.sensors.sensing_range import Position

ENOUGH = 10
"""Readings of each class by each sensor, below which nothing can be trained."""

STRING = "std_msgs/msg/String"

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
    readings: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in AMIRO.classes}
    )
    samples: int = 0

    def note(self, where: Path, topic: str, reason: str, count: int = 1) -> None:
        """Something that is not used, and why."""
        # numbers differ from message to message; the reason is the same
        key = (str(where), topic, re.sub(r"[-+.\d]+(e[-+]?\d+)?", "#", reason))
        before, first = self.unused.get(key, (0, reason))
        self.unused[key] = (before + count, first)

    def lacking(self, enough: int) -> list[str]:
        """The classes and sensors of which there are fewer readings than that."""
        return [
            f"{name}: {self.readings[name][modality]} by {modality}"
            for name in AMIRO.classes
            for modality in AMIRO
            if self.readings[name][modality] < enough
        ]


class NotEnough(DataError):
    """Bags that do not hold what is needed.

    Attributes:
        report: why.
    """

    def __init__(self, message: str, report: BagReport) -> None:
        super().__init__(message)
        self.report = report


@dataclass(frozen=True)
class _Reading:
    """What the model takes of one message, and where that came from."""

    values: np.ndarray
    bag: Path
    topic: str


@dataclass(frozen=True)
class _Object:
    """An object as met in one bag, of which it is not known whether it stands in another."""

    bag: Path
    name: str
    class_name: str


def read_bags(
    paths: Iterable[Path],
    objects: ObjectsOf,
    *,
    label_topic: str | None = None,
    enough: int = ENOUGH,
    most: int | None = None,
    seed: int = 0,
    standing: Standing | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[AmiroSamples, BagReport]:
    """Read the samples of bags.

    Without `label_topic`, a reading is of the object that its robot stands before: by the odometry
    before and after it, and by the same limits as in a running robot (`sensors.sensing_range`).

    Args:
        paths: bags, folders of bags, or storage files.
        objects: which objects stood where, in each bag.
        label_topic: of std_msgs/String messages with the class or the name of the object that is
            sensed from then on, in the order of recording; an empty one says none. Below each
            robot's namespace, unless it begins with "/". Odometry is not asked for then.
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
    report = BagReport()
    files = find_bags(paths, lambda path, reason: report.note(path, "", reason))
    bags: dict[Path, list[BagFile]] = defaultdict(list)
    for file in files:
        bags[file.bag].append(file)
    shelf: dict[_Object, dict[str, list[_Reading]]] = {}
    meter = _Meter(_LOOKS * sum(file.size for file in files), progress)
    for bag, parts in bags.items():
        reader = _BagReader(bag, objects, label_topic, standing or Standing(), report, shelf)
        reader.read(in_order(parts), meter)
    samples = _paired(shelf, report, most, np.random.default_rng(seed))
    lacking = report.lacking(enough)
    if lacking:
        raise NotEnough(
            f"{_named(paths)}: at least {enough} readings of each class by each sensor are needed, "
            f"but there are {'; '.join(lacking)}",
            report,
        )
    if not report.samples:
        raise NotEnough(f"{_named(paths)}: no object was sensed by every sensor", report)
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
        bag: Path,
        objects: ObjectsOf,
        label_topic: str | None,
        standing: Standing,
        report: BagReport,
        shelf: dict[_Object, dict[str, list[_Reading]]],
    ) -> None:
        self._bag = bag
        self._label_topic = label_topic
        self._standing = standing
        self._report = report
        self._shelf = shelf
        self._decode = Decoder()
        self._restarted: set[str] = set()
        self._labels: dict[str, tuple[list[int], list[str]]] = {}
        self._tracks: dict[str, Track] = {}
        self._readable: dict[str, bool] = {}
        self._heard: Counter[str] = Counter()
        self._damaged: list[BagFile] = []
        self._objects: Sequence[KnownObject] = ()
        if label_topic is None:
            try:
                self._objects = objects(bag)
            except (ValueError, OSError) as error:
                report.note(bag, "", f"its world is not known: {error}")

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
                self._take(file, lambda t: _modality(t) is not None, self._take_reading, meter)
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
            try:
                take(message)
            except (DataError, ObservationError, UnusedReading) as error:
                # An ordinary reading of nothing is noted for the bag, not of each file.
                ordinary = isinstance(error, UnusedReading) and not isinstance(error, Unplaced)
                where = self._bag if ordinary else file.path
                self._report.note(where, message.topic.name, str(error))

    def _report_missing(self) -> None:
        """Tell which topics are not there, and which have nothing in them."""
        if self._damaged:  # it may be in what cannot be read
            return
        expected = [modality.topic for modality in AMIRO.values()]
        if self._label_topic is None:
            expected.append(ODOMETRY.topic)
        elif not any(_is_label(self._label_topic, listed) for listed in self._readable):
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
        for name, kind in (*((m.topic, m.type) for m in AMIRO.values()), ODOMETRY):
            if _robot(topic.name, name) is not None and topic.type != kind:
                self._report.note(file.path, topic.name, f"is a {topic.type}, expected {kind}")
        if _modality(topic) is None and not self._says_what_is_sensed(topic):
            return
        self._readable[topic.name] = not self._decode.differs(topic)
        if not self._readable[topic.name]:
            self._report.note(
                file.path, topic.name, f"was recorded with another definition of {topic.type}"
            )

    def _says_what_is_sensed(self, topic: BagTopic) -> bool:
        if self._label_topic is None:
            return topic.type == ODOMETRY.type and _robot(topic.name, ODOMETRY.topic) is not None
        return topic.type == STRING and _is_label(self._label_topic, topic.name)

    def _take_what_is_sensed(self, message: BagMessage) -> None:
        if self._label_topic is None:
            self._take_odometry(message)
        else:
            self._take_label(message)

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
        stamps, texts = self._labels.setdefault(message.topic.name, ([], []))
        # where files overlap it may have been recorded before the last one
        place = bisect_right(stamps, message.stamp)
        stamps.insert(place, message.stamp)
        texts.insert(place, "")
        if text and class_named(text) is None:
            raise DataError(f"label {text!r}: is neither a class nor the name of an object")
        texts[place] = text

    def _take_reading(self, message: BagMessage) -> None:
        modality = _modality(message.topic)
        assert modality is not None
        robot = _robot(message.topic.name, AMIRO[modality].topic)
        assert robot is not None
        decoded = self._decode(message)
        if self._label_topic is None:
            met = self._looked_at(robot, modality, nanoseconds(decoded.header.stamp))
        else:
            met = self._labelled(self._label_topic, robot, message.stamp)
        view = AMIRO[modality].view
        values = view.pack(view.read(decoded))
        readings = self._shelf.setdefault(met, {}).setdefault(modality, [])
        readings.append(_Reading(values, self._bag, message.topic.name))

    def _looked_at(self, robot: str, modality: str, stamp: int) -> _Object:
        if robot not in self._tracks:
            raise Unplaced(f"no odometry of {robot or 'a robot without a namespace'}")
        pose = self._tracks[robot].pose(stamp)
        seen = AMIRO[modality].range.looked_at(pose, self._objects)
        if seen is None:
            raise UnusedReading("no object in view")
        return _Object(self._bag, seen.object_id, seen.class_name)

    def _labelled(self, topic: str, robot: str, stamp: int) -> _Object:
        stamps, texts = self._labels.get(
            topic if topic.startswith("/") else f"{robot}/{topic}", ([], [])
        )
        newest = bisect_right(stamps, stamp) - 1
        text = texts[newest] if newest >= 0 else ""
        if not text:
            raise UnusedReading("no label")
        class_name = class_named(text)
        assert class_name is not None  # or the label was refused
        return _Object(self._bag, text, class_name)


def _robot(topic: str, relative: str) -> str | None:
    """The namespace of a robot's topic, such as "/amiro1"; None if that is another topic."""
    robot = topic.removesuffix(f"/{relative}")
    return robot if robot != topic else None


def _is_label(label_topic: str, topic: str) -> bool:
    if label_topic.startswith("/"):
        return topic == label_topic
    return _robot(topic, label_topic) is not None


def _modality(topic: BagTopic) -> str | None:
    """The modality whose readings come by a topic, if any."""
    for name, modality in AMIRO.items():
        if topic.type == modality.type and _robot(topic.name, modality.topic) is not None:
            return name
    return None


def pairing(counts: Mapping[str, int], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Which reading of each modality goes into which sample of one object.

    There are as many samples as the most plentiful modality has readings, so that none is left out;
    readings of the others are taken again, each as often as any other, give or take once.

    Args:
        counts: modality -> readings, at least one.
        rng: of the order.

    Returns:
        modality -> int64 (samples,), indices of its readings.
    """
    samples = max(counts.values())
    return {
        modality: np.concatenate([rng.permutation(count) for _ in range(-(-samples // count))])[
            :samples
        ]
        for modality, count in counts.items()
    }


def _paired(
    shelf: Mapping[_Object, Mapping[str, Sequence[_Reading]]],
    report: BagReport,
    most: int | None,
    rng: np.random.Generator,
) -> AmiroSamples:
    """The samples of all objects; those that lack a sensor are reported and left out."""
    columns: dict[str, list[Any]] = {modality: [] for modality in AMIRO}
    labels: list[int] = []
    for met, readings in sorted(shelf.items(), key=lambda item: (item[0].bag, item[0].name)):
        missing = [modality for modality in AMIRO if modality not in readings]
        if missing:
            count = sum(map(len, readings.values()))
            report.note(met.bag, met.name, f"left out, not sensed by {', '.join(missing)}", count)
            continue
        readings = {m: _some(readings[m], most, rng) for m in AMIRO}
        picks = pairing({m: len(found) for m, found in readings.items()}, rng)
        for modality, pick in picks.items():
            columns[modality] += [readings[modality][index].values for index in pick]
            report.readings[met.class_name][modality] += len(readings[modality])
            report.used.update((str(r.bag), r.topic) for r in readings[modality])
        labels += [AMIRO.classes.index(met.class_name)] * len(pick)
    report.samples = len(labels)
    bits = np.array(labels, dtype=np.int64)[:, None] >> np.arange(len(AMIRO.attributes))[::-1] & 1
    return AmiroSamples(
        {
            name: np.array(columns[name], dtype=view.packed).reshape(-1, *view.shape)
            for name, view in AMIRO.views.items()
        },
        bits,
    )


def _some(
    readings: Sequence[_Reading], most: int | None, rng: np.random.Generator
) -> Sequence[_Reading]:
    """All of them, or as many as there may be, drawn at random."""
    if most is None or len(readings) <= most:
        return readings
    return [readings[index] for index in np.sort(rng.choice(len(readings), most, replace=False))]
