# SPDX-License-Identifier: Apache-2.0
"""What tells what the readings of a bag are of: odometry, labels, or a topic that points."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from m2vae_ros.bags.pairing import Thing
from m2vae_ros.bags.reader import BagTopic
from m2vae_ros.bags.timeline import Timeline
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.robot.frames import TF, TF_STATIC, TransformBuffer
from m2vae_ros.robot.odometry import Standing, Track, Unplaced, UnusedReading
from m2vae_ros.robot.perception import Target
from m2vae_ros.robot.placement import Placement, point_at, pose_of
from m2vae_ros.robot.pointing import targets
from m2vae_ros.sensors import ObservationError, SensorSuite
from m2vae_ros.sensors.messages import GLOBAL_FRAME, NANOSECONDS, ODOMETRY, motion
from m2vae_ros.sensors.sensing_range import Pose, Position
from m2vae_ros.sensors.suite import STRING

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


class _Pointed(NamedTuple):
    """What somebody names from a time on (nanoseconds), in whose frame the places are."""

    targets: Sequence[Target]
    stamp: int
    frame: str | None


ObjectsOf = Callable[[Path], Sequence[KnownObject]]
"""The folder of a bag -> the objects of the world it was recorded in; raises ValueError."""


def robot_of(topic: str, relative: str) -> str | None:
    """The namespace of a robot's topic, such as "/amiro1"; None if that is another topic.

    Args:
        topic: as it is called in the bag.
        relative: what it is called below a robot's namespace; "" is the robot of one that begins
            with "/".
    """
    if relative.startswith("/"):
        return "" if topic == relative else None
    robot = topic.removesuffix(f"/{relative}")
    return robot if robot != topic else None


class Context:
    """What tells what the readings of one bag are of; it is read before them.

    Args:
        suite: whose readings they are.
        bag: its folder.
        label_topic: see `bags.samples.read_bags`; None where no topic says the class.
        standing: when a robot stands before an object.
        global_frame: in which the objects' places are.

    Attributes:
        objects: those of the bag's world, if that is what readings are of.
    """

    def __init__(
        self,
        suite: SensorSuite,
        bag: Path,
        label_topic: str | None,
        standing: Standing,
        global_frame: str = GLOBAL_FRAME,
    ) -> None:
        self.objects: Sequence[KnownObject] = ()
        self._suite = suite
        self._bag = bag
        self._label_topic = label_topic
        self._standing = standing
        self._restarted: set[str] = set()
        self._labels: dict[str, Timeline[str]] = defaultdict(Timeline)
        self._pointed: dict[str, Timeline[_Pointed]] = defaultdict(Timeline)
        self._tracks: dict[str, Track] = {}
        self._transforms = TransformBuffer(math.inf)
        self._placement = Placement(self._transforms, global_frame)

    @property
    def by_place(self) -> bool:
        """Whether odometry, and the objects of the world, tell what is sensed."""
        return self._suite.about.kind == "objects" and self._label_topic is None

    @property
    def expected(self) -> Mapping[str, str]:
        """Topic, as the suite calls it -> type of what has to be there."""
        about, found = self._suite.about, {}
        if self.by_place:
            found[ODOMETRY.topic] = ODOMETRY.type
        if about.kind == "topic":
            found[about.topic] = about.type
        if self._label_topic is not None:
            found[self._label_topic] = STRING
        return found

    def tells(self, topic: BagTopic) -> bool:
        """Whether a topic tells what is sensed."""
        if self._is_label(topic) or self._is_pointing(topic):
            return True
        # without labels of objects, and for the ranges of what is pointed at
        placed = self.by_place or self._suite.about.kind == "topic"
        is_odometry = robot_of(topic.name, ODOMETRY.topic) is not None
        is_odometry = is_odometry and topic.type == ODOMETRY.type
        return placed and (is_odometry or (topic.name, topic.type) in (TF, TF_STATIC))

    def take(self, topic: BagTopic, recorded: int, message: Any) -> None:
        """Take in a message of a topic that tells what is sensed.

        Args:
            topic: of the message.
            recorded: when it was recorded, nanoseconds.
            message: decoded.

        Raises:
            DataError: a label that says no class, or odometry of several runs.
            ObservationError: a message that does not fit.
        """
        if self._is_label(topic):
            self._take_label(topic.name, recorded, message)
        elif self._is_pointing(topic):
            self._take_pointing(topic.name, recorded, message)
        elif topic.type == TF.type:
            self._take_transforms(message.transforms, topic.name == TF_STATIC.topic)
        else:
            self._take_odometry(topic.name, message)

    def thing(
        self,
        robot: str,
        modality: str,
        recorded: int,
        taken: int,
        span: float,
        frame: str | None = None,
    ) -> Thing:
        """What a reading is of, and its class.

        Args:
            robot: whose.
            modality: of the reading.
            recorded: when it was recorded, nanoseconds.
            taken: when it was taken, nanoseconds.
            span: seconds that it took.
            frame: of its sensor; None for the robot's own.

        Raises:
            UnusedReading: nobody says, or it is of nothing.
        """
        if self.by_place:
            return self._looked_at(robot, modality, taken, frame)
        kind = self._suite.about.kind
        name, class_name = "", ""
        if kind == "topic":
            name = self._pointed_at(robot, modality, recorded, taken, frame)
        elif kind == "robot":
            name = robot or "robot"
        if self._label_topic is not None:
            label = self._labelled(robot, recorded, span)
            class_name = self._suite.class_named(label) or ""
            name = name or label
        elif self._suite.sampling.labels == "name" and self._suite.classes:
            class_name = self._suite.class_named(name) or ""
            if not class_name:
                raise UnusedReading(f"{name!r} is the name of no class")
        return Thing(self._bag, name, class_name)

    def _is_label(self, topic: BagTopic) -> bool:
        return (
            self._label_topic is not None
            and topic.type == STRING
            and robot_of(topic.name, self._label_topic) is not None
        )

    def _is_pointing(self, topic: BagTopic) -> bool:
        about = self._suite.about
        return (
            about.kind == "topic"
            and topic.type == about.type
            and robot_of(topic.name, about.topic) is not None
        )

    def _take_odometry(self, topic: str, message: Any) -> None:
        where = motion(message)
        robot = robot_of(topic, ODOMETRY.topic)
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

    def _take_transforms(self, transforms: Sequence[Any], is_static: bool) -> None:
        """Take in all that fit; then the first that does not is told."""
        refused: list[ObservationError] = []
        for transform in transforms:
            try:
                self._transforms.add(transform, is_static)
            except ObservationError as error:  # the others are not to blame
                refused.append(error)
        if refused:
            raise refused[0]

    def _take_label(self, topic: str, recorded: int, message: Any) -> None:
        text = message.data.strip()
        known = not (text and self._suite.classes) or self._suite.class_named(text) is not None
        # what is said before ends here, even where this says nothing
        self._labels[topic].add(recorded, text if known else "")
        if not known:
            raise DataError(f"label {text!r}: is neither a class nor the name of an object")

    def _take_pointing(self, topic: str, recorded: int, message: Any) -> None:
        named, stamp, frame = targets(message, recorded)
        robot = robot_of(topic, self._suite.about.topic)
        assert robot is not None
        self._pointed[robot].add(stamp, _Pointed(named, stamp, frame))

    def _looked_at(self, robot: str, modality: str, taken: int, frame: str | None) -> Thing:
        limits = self._suite[modality].range
        assert limits is not None  # of objects there always are
        seen = limits.looked_at(self._pose(robot, taken, frame), self.objects)
        if seen is None:
            raise UnusedReading("no object in view")
        return Thing(self._bag, seen.object_id, seen.class_name if self._suite.classes else "")

    def _pose(self, robot: str, taken: int, frame: str | None) -> Pose:
        if robot not in self._tracks:
            raise Unplaced(f"no odometry of {robot or 'a robot without a namespace'}")
        return pose_of(self._placement.sensor(self._tracks[robot].at(taken), frame, taken))

    def _pointed_at(
        self, robot: str, modality: str, recorded: int, taken: int, frame: str | None
    ) -> str:
        about = self._suite.about
        # a name has no stamp of its own: when it was recorded is of the recorder's clock, which
        # need not be that of the readings
        when = recorded if about.type == STRING else taken
        said = self._pointed["" if about.topic.startswith("/") else robot].at(when, about.seconds)
        if said is None or not said.targets:
            raise UnusedReading("nobody says what it is of")
        named = said.targets
        if said.frame is not None:
            place = self._placement.to_global(said.frame, said.stamp)
            named = [Target(name, point_at(place, at)) for name, at, _ in named]
        limits = self._suite[modality].range
        if limits is not None:
            seen = limits.looked_at(self._pose(robot, taken, frame), named)
        else:
            seen = named[0] if len(named) == 1 else None
        if seen is None:
            raise UnusedReading("nothing to look at")
        x, y, z = seen.position
        return seen.object_id or f"at {x:.1f} {y:.1f} {z:.1f}"

    def _labelled(self, robot: str, recorded: int, span: float) -> str:
        assert self._label_topic is not None
        topic = self._label_topic
        labels = self._labels[topic if topic.startswith("/") else f"{robot}/{topic}"]
        text = labels.at(recorded)
        if not text:
            raise UnusedReading("no label")
        if set(labels.between(recorded - int(span * NANOSECONDS), recorded)) != {text}:
            raise UnusedReading("the label changes while it is taken")
        return text
