# SPDX-License-Identifier: Apache-2.0
"""Until when what was sensed of objects is ignored, because a robot was told to forget them.

An object that was forgotten is known by its names, and by the places of all that had been said of
it: where others have the better claim to what it is called, no statement uses the name it has.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from m2vae_ros.fusion.association import Cluster, Position, gate_between
from m2vae_ros.fusion.consensus import NEVER

Key = TypeVar("Key", bound=Hashable)


class Resets:
    """Those of one robot."""

    def __init__(self, most: int) -> None:
        """None yet.

        Args:
            most: names, and places, that are kept; beyond that the oldest go.
        """
        self._most = most
        self._of_name: dict[str, int] = {}
        self._of_place: dict[tuple[Position, float], int] = {}
        self._found: WeakKeyDictionary[Cluster, int] = WeakKeyDictionary()

    def __len__(self) -> int:
        return max(len(self._of_name), len(self._of_place))

    def add(self, of: Cluster, names: Iterable[str], until: int) -> None:
        """Ignore what was sensed of an object, which has these names, until a time (ns)."""
        self._keep(self._of_name, names, until)
        places = ((one.position, one.deviation) for one in of.statements)
        self._keep(self._of_place, places, until)
        self._found.clear()

    def of_name(self, name: str | None) -> int:
        """Until when what is sensed by a name is ignored, ns; `NEVER` if it counts."""
        return self._of_name.get(name, NEVER) if name else NEVER

    def of(self, one: Cluster, gate_m: float | None) -> int:
        """Until when what is said of an object is ignored, ns; `NEVER` if all of it counts.

        Args:
            one: the object.
            gate_m: metres between two places that may be one; None if a place tells nothing.
        """
        if not self._of_name:
            return NEVER
        if one not in self._found:
            by_name = max(map(self.of_name, one.claims))
            by_place = NEVER if gate_m is None else self._at(one, gate_m)
            self._found[one] = max(by_name, by_place)
        return self._found[one]

    def _at(self, one: Cluster, gate_m: float) -> int:
        places = np.array([place for place, _ in self._of_place])
        deviations = np.array([deviation for _, deviation in self._of_place])
        within = np.zeros(len(places), dtype=bool)
        for statement in one.statements:
            distances = np.linalg.norm(places - statement.position, axis=1)
            within |= distances <= gate_between(deviations, statement.deviation, gate_m)
        return max(np.array(list(self._of_place.values()))[within].tolist(), default=NEVER)

    def _keep(self, known: dict[Key, int], keys: Iterable[Key], until: int) -> None:
        for key in keys:
            known.pop(key, None)
            known[key] = until
        while len(known) > self._most:
            del known[next(iter(known))]
