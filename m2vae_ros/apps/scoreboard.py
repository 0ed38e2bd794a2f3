# SPDX-License-Identifier: Apache-2.0
"""What a team makes of objects whose true classes are known, from what it published."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from m2vae_ros.fusion.attributes import Marginal
from m2vae_ros.world.objects import WorldObject

GATE = 0.3
"""Metres between a published place and the object it stands for."""


@dataclass(frozen=True)
class Verdict:
    """One published classification: what was held, the class with its probability, attributes.

    If it is told as unknown, the class is what it is most like.
    """

    held: frozenset[str]
    class_name: str
    probability: float
    attributes: tuple[Marginal, ...] = ()
    unknown: bool = False

    @property
    def complete(self) -> bool:
        """Whether every attribute is known."""
        return all(marginal.known() for marginal in self.attributes)


@dataclass
class Record:
    """All that was published of one object, the last of each kind.

    Attributes:
        item: the object, with its true class.
        by_count: number of modalities held -> the last verdict on that many.
        held_by: robot -> the modalities its last verdict was made from.
        published: the modalities that embeddings of it hold, all together.
        looks: robot -> times of its first and its last look at it, seconds.
        complete: how many verdicts rested on every modality of the team, and
        wrong: how many of these were not the truth.
    """

    item: WorldObject
    by_count: dict[int, Verdict] = field(default_factory=dict)
    held_by: dict[str, frozenset[str]] = field(default_factory=dict)
    published: set[str] = field(default_factory=set)
    looks: dict[str, tuple[float, float]] = field(default_factory=dict)
    complete: int = 0
    wrong: int = 0

    @property
    def best(self) -> Verdict | None:
        """The last verdict on the most modalities."""
        return self.by_count[max(self.by_count)] if self.by_count else None

    def stay_of(self, robot: str) -> float:
        """Seconds between a robot's first and last look at it; none is less than any."""
        first, last = self.looks.get(robot, (math.inf, 0.0))
        return last - first

    def right(self, verdict: Verdict | None) -> bool:
        """Whether the verdict is the truth."""
        return verdict is not None and verdict.class_name == self.item.class_name

    def known(self, verdict: Verdict) -> list[bool]:
        """Whether it is the truth, of each attribute that the verdict takes for known."""
        true = self.item.class_name.split()
        return [
            value == truth
            for marginal, truth in zip(verdict.attributes, true, strict=True)
            if (value := marginal.known())
        ]


class Scoreboard:
    """Keeps a record of each object; what is published is matched to objects by its place."""

    def __init__(self, objects: Iterable[WorldObject], team: Mapping[str, Sequence[str]]) -> None:
        self.records = [Record(item) for item in objects]
        self.team = team
        self.modalities = frozenset(m for sensors in team.values() for m in sensors)
        self.looks = 0

    def classified(
        self, robot: str, x: float, y: float, verdict: Verdict, looked: float | None = None
    ) -> Record | None:
        """Take in a classification of an object.

        Args:
            robot: whose it is.
            x, y: where the object is, metres.
            verdict: what it is taken for.
            looked: when the robot looked at it, seconds; None if it was published by others.

        Returns:
            The object's record; None if there is none.
        """
        record = self._record_at(x, y)
        if record is None:
            return None
        record.by_count[len(verdict.held)] = verdict
        record.held_by[robot] = verdict.held
        if verdict.held >= self.modalities:
            record.complete += 1
            record.wrong += not record.right(verdict)
        if looked is not None:
            self.looks += 1
            first, _ = record.looks.get(robot, (looked, looked))
            record.looks[robot] = first, looked
        return record

    def embedded(self, x: float, y: float, held: Iterable[str]) -> None:
        """Take in the place of an embedding, metres, and which modalities it holds."""
        record = self._record_at(x, y)
        if record is not None:
            record.published |= self.modalities.intersection(held)

    def stayed(self, seconds: float) -> bool:
        """Whether every robot has looked at every object for so long."""
        return all(
            record.stay_of(robot) >= seconds for record in self.records for robot in self.team
        )

    @property
    def right_throughout(self) -> int:
        """How many objects were right in every verdict that rested on every modality."""
        return sum(record.complete > 0 and not record.wrong for record in self.records)

    def right_after(self, count: int) -> tuple[int, int]:
        """How many objects were classified right with that many modalities, and of how many."""
        verdicts = [(r, r.by_count[count]) for r in self.records if count in r.by_count]
        return sum(record.right(verdict) for record, verdict in verdicts), len(verdicts)

    def known_after(self, count: int) -> tuple[int, int, int]:
        """How many attributes were known with that many modalities, how many right, of how many."""
        verdicts = [(r, r.by_count[count]) for r in self.records if count in r.by_count]
        known = [right for record, verdict in verdicts for right in record.known(verdict)]
        return len(known), sum(known), sum(len(verdict.attributes) for _, verdict in verdicts)

    @property
    def unknown(self) -> int:
        """How many objects are told as unknown by the last verdict on the most modalities."""
        return sum(r.best is not None and r.best.unknown for r in self.records)

    @property
    def sensed_by_all(self) -> int:
        """How many objects hold every modality of the team."""
        return sum(r.best is not None and r.best.held >= self.modalities for r in self.records)

    @property
    def complete(self) -> bool:
        """Whether every robot of the team knows every object by every modality.

        The embeddings that they know it from have come, too: a robot may hear one, and say what it
        takes the object for, before others have found who published it.
        """
        return all(
            record.published >= self.modalities
            and all(record.held_by.get(robot, set()) >= self.modalities for robot in self.team)
            for record in self.records
        )

    def _record_at(self, x: float, y: float) -> Record | None:
        """That of the object at a place; None if none stands there."""
        record = min(self.records, key=lambda r: math.dist((x, y), (r.item.x, r.item.y)))
        return record if math.dist((x, y), (record.item.x, record.item.y)) <= GATE else None
