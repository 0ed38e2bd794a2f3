# SPDX-License-Identifier: Apache-2.0
"""Whom to believe of an object where statements contradict each other, and what it is called.

Everything here follows from the statements that there are (`m2vae_ros.fusion.statements`), so all
robots that heard the same believe the same, and later agreement or contradiction changes it.

**A contradiction** is a pair of statements whose classes have next to nothing in common: the
affinity Σ √(p q) of their probabilities [Bhattacharyya 1943] is below `MIN_AFFINITY`. Of one
sender, the last statement counts, and none that it has disowned. Of several, those are believed of
which more senders say nothing else, then those whose sender fewer others contradict, about whatever
object, then those whose sender agrees with others about more objects, then the oldest. The rest is
in quarantine: it is kept, and counts as soon as enough others agree.

That an object *vanished* contradicts, in the same way, all that holds an observation of before: by
the same count the one or the other is believed. Who only heard of the object has no voice in that
once all who had sensed it say that it is gone. It is no reason to distrust anybody: both were true
when they were said. Nor does it contradict what was sensed later, so whoever sees the object again
says so with effect, however many had said that it is gone.

**A name** belongs to the object that has neither vanished nor grown old and was called so not too
long ago, which more of the believed senders call so, by id or else as alias; then of those who
agree with others about more objects; then to the one that was called so first. So no statement
takes the name of another object that is there, and names alone never make two objects one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from weakref import WeakKeyDictionary

import numpy as np

from m2vae_ros.fusion.association import Cluster
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.validation import LONGEST_NAME, MOST_NAMES

MIN_AFFINITY = 0.1
"""Of honest embeddings of one object of the AMiRo world 5 in 100,000 pairs have less, of full
embeddings of two classes 93 %."""

NEVER = -1
"""A time before every stamp."""


class Consensus:
    """What follows from clusters that change by a few at a time."""

    def __init__(self, classify: Callable[[Embedding], np.ndarray]) -> None:
        """Of no clusters.

        Args:
            classify: the probability of each class, (classes,); empty if nothing says them.
        """
        self._classify = classify
        self._probabilities: WeakKeyDictionary[Embedding, np.ndarray] = WeakKeyDictionary()
        self._compatible: dict[Cluster, np.ndarray] = {}
        self._claimants: dict[str, set[Cluster]] = defaultdict(set)
        self._agreements: Counter[str] = Counter()
        self._contradictions: Counter[tuple[str, str]] = Counter()
        self._opponents: Counter[str] = Counter()
        self._names: dict[Cluster, tuple[str, frozenset[str]]] = {}
        self._horizon = NEVER

    def change(self, gone: Iterable[Cluster], new: Iterable[Cluster], horizon: int = NEVER) -> None:
        """Take clusters away and put others in.

        Args:
            gone: were there.
            new: were not.
            horizon: ns; an object that was last sensed before has grown old.
        """
        self._names.clear()
        self._horizon = horizon
        for one in gone:
            against = _contradictions(one, self._compatible.pop(one))
            self._agreements.subtract(_agreeing(one, against))
            self._contradictions.subtract(against)
            for name in one.claims:
                self._claimants[name].discard(one)
                if not self._claimants[name]:
                    del self._claimants[name]
        for one in new:
            self._compatible[one] = self._compatibility(one.statements)
            against = _contradictions(one, self._compatible[one])
            self._agreements.update(_agreeing(one, against))
            self._contradictions.update(against)
            for name in one.claims:
                self._claimants[name].add(one)
        self._contradictions = +self._contradictions
        self._opponents = Counter(sender for sender, _ in self._contradictions)

    def believed(self, of: Cluster, since: int = NEVER) -> list[Embedding]:
        """The statements that count of those that were sensed after a time (ns)."""
        compatible = self._compatible[of]
        counts = [i for i, one in enumerate(of.statements) if one.newest > since]
        if not compatible.all():
            counts = self._one_side(of.statements, compatible, counts)
        return [of.statements[i] for i in counts]

    def quarantined(self) -> list[Embedding]:
        """The statements that do not count."""
        contested = (one for one, fit in self._compatible.items() if not fit.all())
        return [
            s
            for one in contested
            for s in set(one.statements).difference(self.believed(one))
            if s.newest > self.vanished(one)  # else it was true
        ]

    def vanished(self, of: Cluster) -> int:
        """When, as is believed, nothing was there (ns): nothing of before counts any more."""
        if not of.vanishings:
            return NEVER
        return max((one.newest for one in self.believed(of) if not one.held), default=NEVER)

    def is_old(self, of: Cluster, since: int = NEVER, horizon: int = NEVER) -> bool:
        """Whether nobody has sensed it for long.

        Of what was sensed at time 0, before time began anew, nobody knows how long ago that is.

        Args:
            of: the object.
            since: ns; what was sensed until then does not count.
            horizon: ns, if it is later than that of `change`.
        """
        horizon = max(horizon, self._horizon)
        if horizon <= 0:  # as where nothing grows old; asked in every look
            return False
        floor = max(since, self.vanished(of))
        seen = max((one.newest for one in self.believed(of, floor) if one.held), default=0)
        return 0 < seen < horizon

    def contradict(self, x: Embedding, y: Embedding) -> bool:
        """Whether the classes of two statements have next to nothing in common."""
        return not self._compatibility((x, y)).all()

    def name(self, of: Cluster) -> tuple[str, frozenset[str]]:
        """The id of an object, and all its names."""
        if of not in self._names:
            self._names[of] = self._named(of)
        return self._names[of]

    def named(self, name: str) -> Cluster | None:
        """The object that has a name."""
        if name in self._claimants:
            owner = self._owner(name)
            return owner if name in self.name(owner)[1] else None
        if "~" in name:
            return next((one for one in self._compatible if self.name(one)[0] == name), None)
        return None

    def _compatibility(self, of: Sequence[Embedding]) -> np.ndarray:
        """Which pairs of statements do not contradict each other, bool (n, n)."""
        holding = [i for i, one in enumerate(of) if one.held]
        if len(holding) == len(of):
            return self._alike(of)
        compatible = np.ones((len(of), len(of)), dtype=bool)
        compatible[np.ix_(holding, holding)] = self._alike([of[i] for i in holding])
        oldest = np.array([min(of[i].held.values()) for i in holding], dtype=np.int64)
        for i in set(range(len(of))).difference(holding):
            compatible[i, holding] = compatible[holding, i] = oldest > of[i].vanished
        return compatible

    def _alike(self, of: Sequence[Embedding]) -> np.ndarray:
        """Which pairs of statements have classes in common, bool (n, n)."""
        n = len(of)
        if n <= 1:
            return np.ones((n, n), dtype=bool)
        roots = [np.sqrt(self._probability(one)) for one in of]
        sizes = {len(root) for root in roots}
        if len(sizes) > 1 or sizes == {0}:
            return np.ones((n, n), dtype=bool)
        compatible: np.ndarray = np.stack(roots) @ np.stack(roots).T >= MIN_AFFINITY
        return compatible

    def _probability(self, of: Embedding) -> np.ndarray:
        if of not in self._probabilities:
            try:
                told = np.asarray(self._classify(of), dtype=np.float64)
            except Exception:  # no reason to doubt the statement
                told = np.empty(0)
            self._probabilities[of] = told if np.isfinite(told).all() else np.empty(0)
        return self._probabilities[of]

    def _one_side(
        self, statements: Sequence[Embedding], compatible: np.ndarray, counts: list[int]
    ) -> list[int]:
        sensed = [i for i in counts if statements[i].is_vouched_for]
        last: dict[str, int] = {}
        for i in sorted(counts, key=lambda i: _said(statements[i])):
            last[statements[i].sender] = i
        counts = [i for i in counts if compatible[i, last[statements[i].sender]]]
        empty = [i for i in counts if not statements[i].held]
        counts = [i for i in counts if not self._withdrawn(i, empty, statements, compatible)]
        # where all who had sensed it see it no more, what others only heard of it falls, too
        stand = [i for i in sensed if i in counts]
        gone = [i for i in empty if compatible[i, stand].all() and not compatible[i, sensed].all()]
        counts = [i for i in counts if i in stand or compatible[i, gone].all()]

        def standing(i: int) -> tuple[int, ...]:
            against = {statements[j].sender for j in counts if not compatible[i, j]}
            one = statements[i]
            return (
                len(last.keys() - against),
                -self._opponents[one.sender],
                self._agreements[one.sender],
                -one.newest,
                -one.digest,
            )

        side: list[int] = []
        for i in sorted(counts, key=standing, reverse=True):
            if compatible[i, side].all():
                side.append(i)
        return sorted(side)

    @staticmethod
    def _withdrawn(
        i: int, empty: list[int], statements: Sequence[Embedding], compatible: np.ndarray
    ) -> bool:
        """Whether its sender has seen since that nothing is there, and stands to that."""
        sender = statements[i].sender
        return any(statements[j].sender == sender and not compatible[i, j] for j in empty)

    def _owner(self, name: str) -> Cluster:
        return max(self._claimants[name], key=lambda one: self._claim(one, name))

    def _claim(self, of: Cluster, name: str) -> tuple[int, ...]:
        """How good an object's claim to a name is: the larger, the better."""
        users = [one for one in self.believed(of) if name in one.names]
        if not users:
            return 0, 0, 0, 0, 0, -min(one.digest for one in of.statements)
        stands = any(one.newest > self.vanished(of) for one in of.statements if one.held)
        stands = stands and not self.is_old(of)
        recent = stands and not 0 < max(one.newest for one in users) < self._horizon
        first, digest = min((one.newest, one.digest) for one in users)
        by_id = {one.sender for one in users if one.object_id == name}
        senders = {one.sender for one in users}
        trust = sum(self._agreements[sender] for sender in senders)
        return stands + recent, len(by_id), len(senders), trust, -first, -digest

    def _named(self, of: Cluster) -> tuple[str, frozenset[str]]:
        claims = {name: self._claim(of, name) for name in of.claims if self._owner(name) is of}
        ranked = sorted(claims, key=lambda name: (claims[name], name), reverse=True)
        names = [name for name in ranked if claims[name][2]][:MOST_NAMES]
        if names and claims[names[0]][1]:
            return names[0], frozenset(names)
        # others have a better claim to what it is called
        called = min(one.object_id for one in of.statements)
        place = place_name(max(of.statements, key=lambda one: one.age_key).position)
        id = f"{called[: LONGEST_NAME // 2]}~{place}"
        while id in self._claimants:
            id += "'"
        return id, frozenset([id, *names[: MOST_NAMES - 1]])


def place_name(position: Sequence[float]) -> str:
    """A name from a place: the same for all who meet an object at the same centimetre."""
    x, y, z = (f"{round(c, 2) + 0.0:.2f}" for c in position)  # + 0.0: no "-0.00"
    return f"at_{x}_{y}" if z == "0.00" else f"at_{x}_{y}_{z}"


def _said(of: Embedding) -> tuple[int, ...]:
    """The largest is what its sender said last."""
    return of.disowned, *of.age_key


def _contradictions(of: Cluster, compatible: np.ndarray) -> set[tuple[str, str]]:
    """The pairs of senders of which one contradicts what the other holds of an object, both ways.

    That it vanished is no reason to distrust anybody.
    """
    if compatible.all():
        return set()
    pairs = ((of.statements[i], of.statements[j]) for i, j in np.argwhere(~compatible))
    return {(x.sender, y.sender) for x, y in pairs if x.sender != y.sender and x.held and y.held}


def _agreeing(of: Cluster, against: set[tuple[str, str]]) -> set[str]:
    """The senders that nowhere contradict some other one who speaks of the object, too."""
    return {x for x in of.senders if any(x != y and (x, y) not in against for y in of.senders)}
