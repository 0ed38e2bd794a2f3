# SPDX-License-Identifier: Apache-2.0
"""What a node received, used and dropped, and why: no message ever stops a node."""

from __future__ import annotations

import re
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from m2vae_ros.fusion.validation import UnfitEmbedding
from m2vae_ros.sensors import ObservationError

REPEAT_AFTER = 30.0
"""Seconds until a reason that still occurs is reported again."""

MOST_REASONS = 200
"""A sender of ever new nonsense must not fill the memory."""

MOST_OF_A_KIND = 3
"""Reasons of one kind that are reported within `REPEAT_AFTER`: nor may it fill the log."""

LONGEST_REASON = 400
"""Characters of a reason that are kept and said."""

LONGEST_KIND = 80
"""Characters of a kind."""


class DropLog:
    """Counts messages, and says of each reason for a drop once what it is.

    Attributes:
        counts: "received TOPIC", "dropped TOPIC: KIND", and whatever the node adds.
        last_error: the last reason for a drop; empty if nothing was dropped.
    """

    def __init__(self, logger: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts: Counter[str] = Counter()
        self.last_error = ""
        self._logger = logger
        self._clock = clock
        self._said: dict[str, float] = {}
        self._kinds: dict[str, list[float]] = {}

    @property
    def dropped(self) -> int:
        """How many messages were dropped."""
        return sum(n for name, n in self.counts.items() if name.startswith("dropped "))

    def guarded(self, topic: str, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        """The callback of a subscription, counting what comes in, and within `guard`."""

        def receive(message: Any) -> None:
            self.counts[f"received {topic}"] += 1
            with self.guard(topic):
                callback(message)

        return receive

    @contextmanager
    def guard(self, topic: str) -> Iterator[None]:
        """Whatever goes wrong inside is a drop of a message of that topic, and ends there."""
        try:
            yield
        except Exception as error:
            self.refuse(topic, error)

    def refuse(self, topic: str, error: Exception) -> None:
        """Drop a message for what went wrong with it."""
        if isinstance(error, UnfitEmbedding):
            self.drop(topic, error.kind, error.reason)
        elif isinstance(error, ObservationError):
            self.drop(topic, str(error).split(":")[0], str(error))
        else:
            details = "".join(traceback.format_exception(error))
            self.drop(topic, "unexpected", f"{error!r}", details)

    def drop(self, topic: str, kind: str, reason: str, details: str = "") -> None:
        """Count a message that is not used, and warn unless the like was said lately."""
        kind, reason = _clipped(kind, LONGEST_KIND), _clipped(reason, LONGEST_REASON)
        self.counts[f"dropped {topic}: {kind}"] += 1
        self.last_error = f"{topic}: {reason}"
        self.warn(f"dropped a message of {topic}: {reason}", details, f"{topic}: {kind}")

    def warn(self, sentence: str, details: str = "", kind: str = "") -> None:
        """Say something, unless the like was said lately; numbers in it do not make it another.

        Args:
            sentence: to say.
            details: further lines.
            kind: of which only the first `MOST_OF_A_KIND` sentences are said; empty for none.
        """
        reason = re.sub("[-+.0-9]+", "#", sentence)
        now = self._clock()
        if now - self._said.get(reason, -REPEAT_AFTER) < REPEAT_AFTER:
            return
        lately = [said for said in self._kinds.get(kind, ()) if now - said < REPEAT_AFTER]
        if kind and len(lately) >= MOST_OF_A_KIND:
            return
        for table in (self._said, self._kinds):
            if len(table) >= MOST_REASONS:
                table.clear()
        self._said[reason] = now
        if kind:
            self._kinds[kind] = [*lately, now]
        self._logger.warning(sentence + f"\n{details}" * bool(details))


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
