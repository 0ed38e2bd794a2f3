# SPDX-License-Identifier: Apache-2.0
"""What was said in the course of a bag, and when."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Generic, TypeVar

from m2vae_ros.sensors.messages import NANOSECONDS

T = TypeVar("T")


class Timeline(Generic[T]):
    """What holds from a time on, until something else is said."""

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._values: list[T] = []

    def add(self, stamp: int, value: T) -> None:
        """Remember a value; it may have been said before the last one, where files overlap."""
        place = bisect_right(self._stamps, stamp)
        self._stamps.insert(place, stamp)
        self._values.insert(place, value)

    def at(self, stamp: int, seconds: float = math.inf) -> T | None:
        """What holds at a time, if it was said so many seconds before it at most."""
        newest = bisect_right(self._stamps, stamp) - 1
        if newest < 0 or stamp - self._stamps[newest] > seconds * NANOSECONDS:
            return None
        return self._values[newest]

    def between(self, begin: int, end: int) -> list[T | None]:
        """All that holds at some time of a span, in order; None where nothing was said yet."""
        first, last = (bisect_right(self._stamps, stamp) for stamp in (begin, end))
        return [self.at(begin), *self._values[first:last]]
