# SPDX-License-Identifier: Apache-2.0
"""A lossy channel between two robots: what it makes of each message, and when it delivers it.

There is no clock and no thread in here: whoever uses it says what time it is. The same seed and the
same messages at the same times give the same deliveries.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields

HELD_BACK = 0.2
"""Seconds; a message that is to be reordered is late by this much, others overtake it."""

Distortion = Callable[[bytes, random.Random], bytes]
"""Makes another message of one."""


@dataclass(frozen=True)
class Rates:
    """What happens to messages.

    Attributes:
        loss: share that never arrives.
        doubled: share that arrives twice, each time with a delay of its own.
        reordered: share that is held back by `HELD_BACK`.
        corrupted: share of deliveries whose bytes are changed.
        forged: share of messages that a forged one accompanies.
        delay: seconds; each delivery is late by anything up to this.

    Raises:
        ValueError: a share is not within 0 and 1, or the delay is negative or no number.
    """

    loss: float = 0.0
    doubled: float = 0.0
    reordered: float = 0.0
    corrupted: float = 0.0
    forged: float = 0.0
    delay: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.delay < math.inf:
            raise ValueError(f"delay: {self.delay} s is negative, or no number")
        for share in fields(self)[:-1]:
            if not 0.0 <= (value := getattr(self, share.name)) <= 1.0:
                raise ValueError(f"{share.name}: {value} is not within 0 and 1")


CLEAN = Rates()
"""Every message arrives at once, as it was sent."""


class Channel:
    """One direction between two robots.

    Attributes:
        counts: of messages "sent", "lost", "doubled", "reordered", "forged", and of deliveries
            "corrupted" and "delivered".
    """

    def __init__(
        self, rates: Rates, generator: random.Random, corrupt: Distortion, forge: Distortion
    ) -> None:
        """Start empty.

        Args:
            rates: what happens to messages.
            generator: decides of which.
            corrupt: makes a corrupted message.
            forge: makes a forged one after the pattern of a genuine one.
        """
        self.counts: Counter[str] = Counter()
        self._rates = rates
        self._random = generator
        self._corrupt = corrupt
        self._forge = forge
        self._under_way: list[tuple[float, int, bytes]] = []
        self._number = 0

    def send(self, data: bytes, now: float) -> None:
        """Take a message in, at a time in seconds."""
        self._count("sent")
        if self._happens("forged"):
            self._deliver(self._forge(data, self._random), now)
        if self._happens("loss", "lost"):
            return
        if self._happens("reordered"):
            now += HELD_BACK
        for _ in range(2 if self._happens("doubled") else 1):
            self._deliver(data, now)

    def due(self, now: float) -> list[bytes]:
        """What arrives until this time, in the order of arrival; each once."""
        arrived = []
        while self._under_way and self._under_way[0][0] <= now:
            arrived.append(heapq.heappop(self._under_way)[-1])
        self.counts["delivered"] += len(arrived)
        return arrived

    @property
    def empty(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    def _deliver(self, data: bytes, now: float) -> None:
        if self._happens("corrupted"):
            data = self._corrupt(data, self._random)
        if self._rates.delay:
            now += self._random.uniform(0.0, self._rates.delay)
        self._number += 1  # what arrives at the same time arrives as it was sent
        heapq.heappush(self._under_way, (now, self._number, data))

    def _happens(self, rate: str, name: str = "") -> bool:
        share: float = getattr(self._rates, rate)
        happens = share > 0.0 and self._random.random() < share
        if happens:
            self._count(name or rate)
        return happens

    def _count(self, name: str) -> None:
        self.counts[name] += 1
