# SPDX-License-Identifier: Apache-2.0
"""All readings of bags, on disk: what the model takes of each, and where that came from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from m2vae_ros.bags.pairing import Thing
from m2vae_ros.host.spill import Rows
from m2vae_ros.sensors import SensorSuite

ORIGIN = np.dtype(
    [(n, np.int32) for n in ("thing", "topic", "robot", "episode")] + [("stamp", "i8")]
)
"""Numbers of the thing, of the topic and of the robot, number of the robot's episode, and when the
reading was taken, in nanoseconds."""


class Shelf:
    """What was sensed, of what, by each modality.

    Args:
        suite: whose modalities they are.
    """

    def __init__(self, suite: SensorSuite) -> None:
        self._values = {name: Rows(view.shape, view.packed) for name, view in suite.views.items()}
        self._origins = {name: Rows((), ORIGIN) for name in suite}
        self._things: dict[Thing, int] = {}
        self._names: dict[str, int] = {}

    def put(
        self,
        modality: str,
        thing: Thing,
        values: np.ndarray,
        stamp: int,
        topic: str,
        robot: str,
        episode: int,
    ) -> None:
        """Keep a reading.

        Args:
            modality: of the sensor.
            thing: what was sensed.
            values: as the modality's view packs them.
            stamp: when it was taken, nanoseconds.
            topic: of the message.
            robot: whose, by its namespace.
            episode: number of the robot's episode.

        Raises:
            OSError: there is no room on disk.
        """
        number = self._things.setdefault(thing, len(self._things))
        names = [self._names.setdefault(name, len(self._names)) for name in (topic, robot)]
        self._values[modality].append(values)
        self._origins[modality].append(np.array((number, *names, episode, stamp), ORIGIN))

    def name(self, number: int) -> str:
        """The topic or robot of a number."""
        return list(self._names)[number]

    def values(self, modality: str) -> np.ndarray:
        """What the model takes of all readings of a modality, (N, *shape of its view)."""
        return self._values[modality].array()

    def origins(self, modality: str) -> np.ndarray:
        """Where they came from, `ORIGIN` (N,)."""
        return self._origins[modality].array()

    def things(self) -> Iterator[tuple[Thing, dict[str, np.ndarray]]]:
        """Each thing, by bag and name, and modality -> the numbers of its readings, if any."""
        rows, ends = {}, {}
        for modality in self._values:
            of = np.ascontiguousarray(self.origins(modality)["thing"])
            rows[modality] = np.argsort(of, kind="stable")
            ends[modality] = np.cumsum(np.bincount(of, minlength=len(self._things)))
        for thing in sorted(self._things, key=lambda thing: (thing.bag, thing.name)):
            number = self._things[thing]
            found = {
                m: rows[m][ends[m][number - 1] if number else 0 : ends[m][number]] for m in rows
            }
            yield thing, {m: mine for m, mine in found.items() if len(mine)}
