# SPDX-License-Identifier: Apache-2.0
"""Who of a team looks at which object next: where the classes' entropy is expected to fall most.

Objects whose class is known are left alone. Of the others, robots are sent to those where a look by
all their sensors promises most (`m2vae_ros.fusion.active_sensing`), no two to one, so that the sum
of what is promised less the travel is largest. A robot that promises next to nothing stays where it
is, unless nobody else promises more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from m2vae_ros.fusion.active_sensing import expected_gain
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Engine

CERTAIN = 0.95
"""From this probability on the class of an object is known."""

MIN_GAIN = 0.1
"""Nats; who promises less is not sent, unless nobody promises more."""

TRAVEL_COST = 0.01
"""Nats a metre: of what promises the same, the nearer one."""

IN_VAIN = math.log(2.0)
"""Nats by which a robot promises less each time that it was sent and nothing changed."""

_NEVER = -1e6
"""Nats, finite because an assignment of all has to exist."""

Held = Mapping[str, Embedding | None]
"""Object -> what is held of it; None if nothing is."""

Distances = Mapping[tuple[str, str], float]
"""Robot, object -> metres; those that are not known count as none."""


class Planner:
    """Sends the robots of a team, and remembers where it has sent them.

    Attributes:
        team: robot -> the modalities of its sensors.
        certain: see `CERTAIN`.
        min_gain: see `MIN_GAIN`.
    """

    def __init__(
        self,
        engine: Engine,
        team: Mapping[str, Sequence[str]],
        certain: float = CERTAIN,
        min_gain: float = MIN_GAIN,
    ) -> None:
        """Nobody was sent yet.

        Raises:
            ValueError: the model says no classes, or does not have a robot's sensor.
        """
        if not engine.suite.classes:
            raise ValueError("the weights say no classes: there is nothing to find out")
        for robot, modalities in team.items():
            if unknown := set(modalities).difference(engine.modalities):
                known = ", ".join(engine.modalities)
                raise ValueError(f"{min(unknown)!r} of {robot} is not one of {known}")
        self.team = team
        self.certain = certain
        self.min_gain = min_gain
        self._engine = engine
        self._gains: dict[tuple[int | None, frozenset[str]], float] = {}
        self._sent: Counter[tuple[str, str, int | None]] = Counter()

    def is_known(self, held: Embedding | None) -> bool:
        """Whether the class of an object is known."""
        return held is not None and self._engine.classify(held.mean).max() >= self.certain

    def gain(self, robot: str, held: Embedding | None) -> float:
        """Nats that a look by all sensors of a robot promises, see `expected_gain`."""
        key = _digest(held), frozenset(self.team[robot])
        if key not in self._gains:
            self._gains[key] = expected_gain(self._engine, held, self.team[robot])
        return self._gains[key]

    def send(
        self,
        objects: Held,
        free: Collection[str],
        taken: Collection[str] = (),
        distances: Distances | None = None,
    ) -> dict[str, str]:
        """Where robots go next; each counts as sent.

        Args:
            objects: all there are.
            free: the robots that can be sent.
            taken: objects to which somebody is on the way.
            distances: from robots to objects.

        Returns:
            Robot -> object; who is not in it stays.
        """
        self._forget(objects)
        robots = list(self.team)
        open_ = [name for name, held in objects.items() if not self.is_known(held)]
        if not open_ or not robots:
            return {}
        gains = np.array([[self._promise(r, o, objects[o]) for o in open_] for r in robots])
        allowed = (gains >= self.min_gain) | (gains == gains.max(axis=0))
        allowed &= np.isin(robots, list(free))[:, None] & ~np.isin(open_, list(taken))
        travel = np.array([[(distances or {}).get((r, o), 0.0) for o in open_] for r in robots])
        worth = np.where(allowed, gains - TRAVEL_COST * travel, _NEVER)
        pairs = zip(*linear_sum_assignment(worth, maximize=True), strict=True)
        sent = {robots[r]: open_[o] for r, o in pairs if allowed[r, o]}
        self._sent.update((r, o, _digest(objects[o])) for r, o in sent.items())
        return sent

    def _promise(self, robot: str, name: str, held: Embedding | None) -> float:
        return self.gain(robot, held) - IN_VAIN * self._sent[robot, name, _digest(held)]

    def _forget(self, objects: Held) -> None:
        """What was found out about embeddings that are not held any more."""
        digests = {_digest(held) for held in objects.values()}
        self._gains = {key: gain for key, gain in self._gains.items() if key[0] in digests}
        current = {(name, _digest(held)) for name, held in objects.items()}
        self._sent = Counter({key: n for key, n in self._sent.items() if key[1:] in current})


def _digest(held: Embedding | None) -> int | None:
    return None if held is None else held.digest
