# SPDX-License-Identifier: Apache-2.0
"""What a node that perceives has to say in its log, so that it is neither silent nor flooded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from m2vae_ros.fusion.belief import Belief
from m2vae_ros.fusion.embedding import Embedding

SUMMARY_PERIOD = 60.0
"""Seconds from one line that sums up to the next."""

QUIET = 10.0
"""Seconds for which nothing new is said of an object: what it is taken for may go to and fro."""

MOST_LINES = 10
"""Objects of which is told at once; a late joiner may get to know hundreds."""


class ActivityLog:
    """Says which objects become known, what they are taken for, and each minute what was done.

    Args:
        logger: of the node.
        counts: name -> how often, of whatever the node counts.
        clock: seconds.
    """

    def __init__(
        self, logger: Any, counts: Counter[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._counts = counts
        self._clock = clock
        self._classes: dict[str, tuple[str, str]] = {}
        self._said: dict[str, tuple[str, float]] = {}
        self.begin()

    def begin(self) -> None:
        """Sum up what is done from now on."""
        self._before, self._since = self._counts.copy(), self._clock()

    def learnt(
        self,
        embedding: Embedding,
        attributes: Mapping[str, Sequence[str]],
        probabilities: np.ndarray | None,
    ) -> None:
        """Take in what is now known of an object.

        Args:
            embedding: of the object.
            attributes: of the suite, name -> values; none where objects have no classes.
            probabilities: of each class; None if they are not known, or what they were.
        """
        if probabilities is None and embedding.object_id in self._classes:
            return
        name, said = "", embedding.object_id
        if attributes and probabilities is not None:
            belief = Belief(embedding, probabilities)
            name = belief.described(attributes, percent=False)
            said += f": {belief.described(attributes)}"
        self._classes[embedding.object_id] = name, f"{said}, by {', '.join(embedding.held)}"

    def look(self, held: Collection[str]) -> None:
        """Say what is new, if it is time to; `held` are the names of all objects that are known."""
        now = self._clock()
        for names in (self._classes, self._said):
            for object_id in [name for name in names if name not in held]:
                del names[object_id]
        news = [name for name in self._classes if self._is_news(name, now)]
        for object_id in news[:MOST_LINES]:
            self._logger.info(self._classes[object_id][1])
        if len(news) > MOST_LINES:
            self._logger.info(f"and {len(news) - MOST_LINES} more objects are known or changed")
        self._said |= {name: (self._classes[name][0], now) for name in news}
        if now - self._since >= SUMMARY_PERIOD:
            done = self._counts - self._before
            what = ", ".join(f"{name} {count}" for name, count in sorted(done.items()))
            seconds = f"{now - self._since:.0f} s"
            self._logger.info(f"in {seconds}: {what or 'nothing'}; objects held {len(held)}")
            self.begin()

    def _is_news(self, object_id: str, now: float) -> bool:
        if object_id not in self._said:
            return True
        before, when = self._said[object_id]
        return before != self._classes[object_id][0] and now - when >= QUIET
