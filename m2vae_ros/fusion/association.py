# SPDX-License-Identifier: Apache-2.0
"""Which statements are about one object.

About one object are statements whose places lie within the gate of each other, all of them, unless
one run of a robot's program gives them different names: it has met both. The nearest are joined
first (agglomerative clustering with complete linkage), so a chain of places, each within the gate
of the next, does not become one object. The order in which statements came has no part in it, and
whatever one of them seemed to join, later ones can part again.

Where two statements say how uncertain their places are, the gate between them is the distance that
two looks at one object exceed once in `1 / MISSED`, if that is less: the validation gate of data
association [Bar-Shalom & Fortmann, Tracking and data association, 1988] of the χ² distribution with
two degrees of freedom, whose quantiles are -2 ln p. So the better places are known, the nearer two
objects may stand.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from m2vae_ros.fusion.embedding import Embedding

Position = tuple[float, float, float]

MISSED = 1e-4
"""Share of pairs of looks at one object whose places lie outside their gate."""


def gate_between(x: Any, y: Any, gate_m: float) -> Any:
    """Metres by which the places of two looks at one object may differ.

    Args:
        x: standard deviation of the one place, metres, or an array of them; 0 if not known.
        y: of the other.
        gate_m: the most.
    """
    quantile = math.sqrt(-2.0 * math.log(MISSED))
    unknown = np.minimum(x, y) <= 0.0
    return np.where(unknown, gate_m, np.minimum(gate_m, quantile * np.hypot(x, y)))


class Cluster:
    """Statements about one object; compared by identity.

    Attributes:
        statements: at least one, in an order that all robots have in common.
        senders: of the statements that hold something.
        vanishings: the statements that nothing is there any more.
        claims: every name that one of them uses.
    """

    def __init__(self, statements: Iterable[Embedding]) -> None:
        self.statements = tuple(sorted(statements, key=lambda one: one.digest))
        self.senders = frozenset(one.sender for one in self.statements if one.held)
        self.vanishings = tuple(one for one in self.statements if not one.held)
        self.claims = frozenset[str]().union(*(one.names for one in self.statements))


class Association:
    """The clusters of a set of statements that changes by a few at a time."""

    def __init__(self, gate_m: float | None) -> None:
        """Of no statements.

        Args:
            gate_m: metres between two places that may be one; None if the id alone tells which
                object it is.
        """
        self._gate = gate_m
        self._places: dict[Hashable, set[Embedding]] = defaultdict(set)
        self._cluster_of: dict[Embedding, Cluster] = {}

    def __getitem__(self, statement: Embedding) -> Cluster:
        return self._cluster_of[statement]

    def clusters(self) -> Iterable[Cluster]:
        """All of them."""
        return dict.fromkeys(self._cluster_of.values())

    def place(self, of: Embedding) -> Hashable:
        """The cube as wide as the gate in which a statement lies, or else its id."""
        return of.object_id if self._gate is None else self._cube(of.position)

    def around(self, position: Sequence[float]) -> set[Cluster]:
        """Clusters that have a statement within the gate of a place, and maybe some others."""
        if self._gate is None:
            return set()
        cubes = _around(self._cube(position))
        return {self._cluster_of[s] for cube in cubes for s in self._places.get(cube, ())}

    def change(
        self, gone: Iterable[Embedding], new: Iterable[Embedding]
    ) -> tuple[set[Cluster], list[Cluster]]:
        """Take statements away and put others in; returns the clusters before and after."""
        touched = {self.place(one) for one in (*gone, *new)}
        region = self._connected(touched)
        before = {self._cluster_of.pop(s) for p in region for s in self._places.get(p, ())}
        for one in gone:
            self._places[self.place(one)].discard(one)
        for one in new:
            self._places[self.place(one)].add(one)
        members = [s for p in region for s in self._places.get(p, ())]
        for place in touched:
            if not self._places[place]:
                del self._places[place]
        after = [Cluster(group) for group in clustered(members, self._gate)]
        kept = {one.statements: one for one in before}
        after = [kept.get(one.statements, one) for one in after]
        for cluster in after:
            self._cluster_of.update(dict.fromkeys(cluster.statements, cluster))
        return before.difference(after), [one for one in after if one not in before]

    def _cube(self, position: Sequence[float]) -> tuple[int, ...]:
        assert self._gate is not None
        return tuple(math.floor(x / self._gate) for x in position)

    def _connected(self, places: set[Hashable]) -> set[Hashable]:
        """These and all occupied cubes that are reached from one to the next."""
        found, rest = set(places), list(places)
        while rest and self._gate is not None:
            for near in _around(rest.pop()):
                if near not in found and near in self._places:
                    found.add(near)
                    rest.append(near)
        return found


def clustered(statements: Iterable[Embedding], gate_m: float | None) -> list[list[Embedding]]:
    """Statements by object, see the module's text; their order does not matter."""
    ordered = sorted(statements, key=lambda one: one.digest)
    if not ordered:
        return []
    if gate_m is None:
        by_id = itertools.groupby(sorted(ordered, key=_id), key=_id)
        return [list(group) for _, group in by_id]
    places = np.array([one.position for one in ordered])
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    deviations = np.array([one.deviation for one in ordered])
    fit = distances <= gate_between(deviations[:, None], deviations[None], gate_m)
    for i, j in itertools.combinations(range(len(ordered)), 2):
        if _met_both(ordered[i], ordered[j]):
            fit[i, j] = fit[j, i] = False
    if fit.all():
        return [ordered]
    group = [[i] for i in range(len(ordered))]
    pairs = np.argwhere(np.triu(fit, k=1))
    for i, j in pairs[np.argsort(distances[tuple(pairs.T)], kind="stable")].tolist():
        if group[i] is not group[j] and fit[np.ix_(group[i], group[j])].all():
            joined = group[i] + group[j]
            for member in joined:
                group[member] = joined
    return [[ordered[i] for i in members] for members in {id(g): g for g in group}.values()]


def _met_both(x: Embedding, y: Embedding) -> bool:
    """Whether one run of a program speaks of two objects."""
    return (x.sender, x.instance) == (y.sender, y.instance) and x.names.isdisjoint(y.names)


def _id(of: Embedding) -> str:
    return of.object_id


def _around(cube: Any) -> Iterator[Hashable]:
    """A cube and the 26 that touch it."""
    return itertools.product(*((n - 1, n, n + 1) for n in cube))
