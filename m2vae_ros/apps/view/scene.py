# SPDX-License-Identifier: Apache-2.0
"""What was heard of a team, as plain data: to be drawn whenever there is time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from m2vae_ros.fusion.belief import Belief
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.sensors import Modality
from m2vae_ros.sensors.messages import NANOSECONDS

MOST_READINGS = 16
"""Of each sensor: what a look was made of is not told before it was fused."""

VIEW = "view"
"""Among the nodes that have dropped messages, who looks on."""

TRAIL = 400
"""Places of a robot that are remembered."""


@dataclass(frozen=True)
class Reading:
    """A message of a sensor.

    Attributes:
        stamp: nanoseconds.
        frame: of the sensor; None if the message names none.
        message: gives it; what it was made of is not read before.
        values: gives what the model takes of it; None if it does not make a reading.
        size: bytes of all messages that it was made of, as they travelled.
    """

    stamp: int
    frame: str | None
    message: Callable[[], Any]
    values: Callable[[], np.ndarray | None]
    size: int


@dataclass
class Sensor:
    """A sensor of a robot, and its newest readings."""

    modality: Modality
    readings: deque[Reading] = field(default_factory=lambda: deque(maxlen=MOST_READINGS))
    _messages: deque[tuple[int, int]] = field(default_factory=deque)

    def heard(self, stamp: int, size: int) -> int:
        """The bytes of what a reading is made of whose last message is this: those of a window.

        Args:
            stamp: of the message, nanoseconds.
            size: of the message, bytes.
        """
        begin = stamp - round(self.modality.view.span * NANOSECONDS)
        kept = ((when, much) for when, much in self._messages if begin <= when < stamp)
        self._messages = deque([*kept, (stamp, size)])
        return sum(much for _, much in self._messages)

    def at(self, stamp: int) -> Reading | None:
        """The reading nearest to a time (nanoseconds)."""
        return min(self.readings, key=lambda reading: abs(reading.stamp - stamp), default=None)


@dataclass
class Robot:
    """A robot.

    Attributes:
        place: (4, 4) homogeneous, metres, in the frame of the team; None if it is not known.
        sensor_places: modality -> that of its sensor, which looks along x.
        trail: x, y of where it was.
        sensors: by their modality.
    """

    name: str
    place: np.ndarray | None = None
    sensor_places: dict[str, np.ndarray] = field(default_factory=dict)
    trail: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=TRAIL))
    sensors: dict[str, Sensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """What a robot has sensed of an object: `values` in the shape of the modality's view."""

    robot: str
    stamp: int
    values: np.ndarray


class Scene:
    """All of it.

    Attributes:
        memory: what is known of objects, by the rules of the robots.
        robots: by name.
        looks: object -> modality -> the last look at it.
        last: the object that was looked at last; "" before.
        first: the object that was met first; "" before.
        fused_bytes: of the readings that robots have fused, as they would have to travel if they
            were sent instead of embeddings.
        sent_bytes: of embeddings, as they travelled.
        sent: embeddings.
        drops: node -> reason -> messages.
    """

    def __init__(self, memory: ObjectMemory) -> None:
        self.memory = memory
        self.robots: dict[str, Robot] = {}
        self.looks: dict[str, dict[str, Look]] = {}
        self.last = self.first = ""
        self.fused_bytes = self.sent_bytes = self.sent = 0
        self.drops: dict[str, Counter[str]] = {}
        self._beliefs: dict[str, Belief] = {}

    def beliefs(self) -> list[Belief]:
        """What each object is taken for, by name; the same instance for as long as it stands."""
        self._beliefs = {
            one.object_id: self._belief(one)
            for one in sorted(self.memory.objects(), key=lambda one: one.object_id)
        }
        return list(self._beliefs.values())

    def begin_anew(self) -> None:
        """Time went back: what was known is of another run."""
        self.memory.begin_anew(keep=False)
        self.looks.clear()
        self.last = self.first = ""
        for robot in self.robots.values():
            robot.trail.clear()
            for sensor in robot.sensors.values():
                sensor.readings.clear()

    def sensors(self) -> Iterator[tuple[Robot, Sensor]]:
        """Of all robots: in the order of the suite, of one modality by the robots' names."""
        for modality in self.memory.engine.suite:
            for _, robot in sorted(self.robots.items()):
                if modality in robot.sensors:
                    yield robot, robot.sensors[modality]

    def _belief(self, embedding: Embedding) -> Belief:
        before = self._beliefs.get(embedding.object_id)
        if before is not None and before.embedding == embedding:
            return before
        return Belief(embedding, self.memory.engine.classify(embedding.mean))
