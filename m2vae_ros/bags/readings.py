# SPDX-License-Identifier: Apache-2.0
"""The readings of one bag, each by what it is of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from m2vae_ros.bags.context import Context, robot_of
from m2vae_ros.bags.reader import (
    BagFile,
    BagMessage,
    BagTopic,
    Decoder,
    messages_of,
    topics_of,
)
from m2vae_ros.bags.report import BagReport
from m2vae_ros.bags.shelf import Shelf
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.robot.odometry import Unplaced, UnusedReading
from m2vae_ros.sensors import ObservationError, SensorSuite
from m2vae_ros.sensors.messages import NANOSECONDS, nanoseconds
from m2vae_ros.sensors.suite import STRING
from m2vae_ros.sensors.view import Stream

LOOKS = 2
"""Times that each file is read."""


class Meter:
    """Tells how many bytes lie behind.

    Args:
        total: of all files, `LOOKS` times each.
        progress: called with the bytes that lie behind and with those in all.
    """

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


class BagReadings:
    """Reads one bag, twice: first what tells what is sensed, then what was sensed.

    Args:
        suite: whose topics are read.
        bag: the folder.
        context: what tells what is sensed.
        report: gets what is not used, and why.
        shelf: gets the readings.
    """

    def __init__(
        self, suite: SensorSuite, bag: Path, context: Context, report: BagReport, shelf: Shelf
    ) -> None:
        self._suite = suite
        self._bag = bag
        self._context = context
        self._report = report
        self._shelf = shelf
        self._decode = Decoder()
        self._has_topics = False
        self._readable: dict[str, bool] = {}
        self._heard: Counter[str] = Counter()
        self._damaged: list[BagFile] = []
        self._streams: dict[tuple[str, str], Stream] = {}
        self._episodes: dict[str, tuple[int, int]] = {}

    def read(self, files: Sequence[BagFile], meter: Meter) -> None:
        """Look twice at every file of the bag."""
        for file in files:
            with self._problems(file):
                for topic in topics_of(file):
                    self._has_topics = True
                    self._check(file, topic)
                self._take(file, self._context.tells, self._take_what_tells, meter)
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
        take: Callable[[BagFile, BagMessage], None],
        meter: Meter,
    ) -> None:
        def readable(topic: BagTopic) -> bool:
            return wanted(topic) and not self._decode.differs(topic)

        for message in messages_of(file, readable, meter.share(file.size)):
            self._heard[message.topic.name] += 1
            with self._reasons(file, message):
                take(file, message)

    @contextmanager
    def _reasons(self, file: BagFile, message: BagMessage) -> Iterator[None]:
        """What a message is not used for."""
        try:
            yield
        except (DataError, ObservationError, UnusedReading) as error:
            # An ordinary reading of nothing is noted for the bag, not of each file.
            ordinary = isinstance(error, UnusedReading) and not isinstance(error, Unplaced)
            where = self._bag if ordinary else file.path
            self._report.note(where, message.topic.name, str(error), 1)

    def _report_missing(self) -> None:
        """Tell which topics are not there, and which have nothing in them."""
        if self._damaged:  # it may be in what cannot be read
            return
        if not self._has_topics:
            self._report.note(self._bag, "", "is empty: it has no topics and no messages")
            return
        expected = {modality.topic: "" for modality in self._suite.values()}
        for topic, kind in {**expected, **self._context.expected}.items():
            if not any(robot_of(listed, topic) is not None for listed in self._readable):
                by_name = f"no {STRING} by this name"
                missing = by_name if kind == STRING else "no robot has this topic"
                self._report.note(self._bag, topic, missing)
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
        for name, kind in self._context.expected.items():
            expected[name].add(kind)
        for name, kinds in expected.items():
            if robot_of(topic.name, name) is not None and topic.type not in kinds:
                wanted = " or ".join(sorted(kinds))
                self._report.note(file.path, topic.name, f"is a {topic.type}, expected {wanted}")
        if not self._modalities(topic) and not self._context.tells(topic):
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
            if topic.type == modality.type and robot_of(topic.name, modality.topic) is not None
        ]

    def _take_what_tells(self, file: BagFile, message: BagMessage) -> None:
        self._context.take(message.topic, message.stamp, self._decode(message))

    def _take_reading(self, file: BagFile, message: BagMessage) -> None:
        decoded = self._decode(message)
        taken, frame = message.stamp, None
        if hasattr(decoded, "header"):
            taken = nanoseconds(decoded.header.stamp)
            frame = decoded.header.frame_id
        for modality in self._modalities(message.topic):
            with self._reasons(file, message):  # the other modalities are not to blame
                self._keep(modality, message, decoded, taken, frame)

    def _keep(
        self, modality: str, message: BagMessage, decoded: Any, taken: int, frame: str | None
    ) -> None:
        """Keep what a modality takes of a message."""
        view = self._suite[modality].view
        robot = robot_of(message.topic.name, self._suite[modality].topic)
        assert robot is not None
        stream = self._streams.setdefault((message.topic.name, modality), view.stream())
        episode = self._episode(robot, message.stamp)
        # before it is known what it is of: a stream that takes time must not miss a message
        values = stream(decoded, taken) if view.span else None
        if view.span and values is None:
            return
        thing = self._context.thing(robot, modality, message.stamp, taken, view.span, frame)
        if values is None:
            values = stream(decoded, taken)
            if values is None:
                return
        packed = view.pack(values)
        self._report.keep(packed.nbytes)
        self._shelf.put(modality, thing, packed, taken, message.topic.name, robot, episode)

    def _episode(self, robot: str, recorded: int) -> int:
        """The number of the episode, which ends where nothing came for a while."""
        number, last = self._episodes.get(robot, (0, recorded))
        if abs(recorded - last) > self._suite.sampling.pause * NANOSECONDS:
            number += 1
        self._episodes[robot] = (number, recorded)
        return number
