# SPDX-License-Identifier: Apache-2.0
"""Anti-entropy: robots tell each other what one of them has and another has not.

Once in a while each robot publishes a `Digest` of the statements it holds, whoever said them
[Demers et al., Epidemic algorithms for replicated database maintenance, 1987]. Who holds one that
is missing there tells it again, as it was said, after a random time, unless somebody else has
told it meanwhile: the most certain first, and of one sender no faster than it is taken in, so that
nobody's many words keep a newcomer from the others'. So whoever was lost, late, restarted or cut
off comes to know what the others know while one of them holds it, and nothing is told that nobody
lacks. Robots that hold the same tell each other nothing but one number.
"""

from __future__ import annotations

import functools
import operator
import random
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.rates import OBJECTS, OBJECTS_AT_ONCE, Allowance
from m2vae_ros.fusion.validation import UnfitEmbedding

PERIOD = 1.0
"""Seconds from one digest to the next."""

PATIENCE = 0.5
"""Seconds until the first digest: what writers keep for who joins late comes by itself."""

SPREAD = 0.5
"""Seconds within which somebody tells again what is missing."""

MOST_AT_ONCE = 20
"""Statements that one robot tells again in one moment."""

MOST_LISTED = 512
"""Statements that one digest lists; where there are more, the next one goes on."""

MOST_REFUSED = 4096
"""Statements that were refused and need not be told again."""

LAST = 2**64 - 1


@dataclass(frozen=True)
class Digest:
    """What one robot holds.

    Attributes:
        instance: of the robot's program.
        total: of all statements it holds, exclusive or of their digests.
        first: of the range that is listed.
        last: of the range that is listed; before `first` if nothing is.
        listed: the digests of all statements within the range that it holds, or has refused.
    """

    instance: int
    total: int
    first: int = LAST
    last: int = 0
    listed: tuple[int, ...] = ()


class Gossip:
    """What one robot tells again, and when; times are seconds of any steady clock."""

    def __init__(self, instance: int, now: float) -> None:
        """Of a robot that takes part from now on."""
        self._instance = instance
        self._draw = random.Random(instance)
        self._refused: OrderedDict[int, None] = OrderedDict()
        self._due: dict[int, float] = {}
        self._next_digest = now + PATIENCE
        self._allowance = Allowance(OBJECTS, OBJECTS_AT_ONCE)
        self._begin = 0
        self._total = 0
        self._differ = True

    def digest(self, held: Callable[[], Iterable[Embedding]], now: float) -> Digest | None:
        """What to publish now; None if it is not time yet.

        Lists nothing as long as all who were heard since the last one hold the same.

        Args:
            held: gives all statements that are held.
            now: seconds.
        """
        if now < self._next_digest:
            return None
        self._next_digest = now + PERIOD
        digests = sorted({one.digest for one in held()})
        total = functools.reduce(operator.xor, digests, 0)
        differ, self._differ = self._differ or total != self._total, False
        self._total = total
        if not differ:
            return Digest(self._instance, total)
        listed = sorted(d for d in {*digests, *self._refused} if d >= self._begin)[:MOST_LISTED]
        last = listed[-1] if len(listed) == MOST_LISTED else LAST
        page = Digest(self._instance, total, self._begin, last, tuple(listed))
        self._begin = 0 if last == LAST else last + 1
        return page

    def compare(self, theirs: Digest, held: Collection[Embedding], now: float) -> None:
        """Take in what another robot holds; what is missing there is due soon.

        Raises:
            UnfitEmbedding: it lists too much ("length").
        """
        if len(theirs.listed) > MOST_LISTED:
            raise UnfitEmbedding(
                "length", f"{len(theirs.listed)} statements listed, at most {MOST_LISTED}"
            )
        if theirs.instance == self._instance:
            return
        if theirs.total != functools.reduce(operator.xor, (one.digest for one in held), 0):
            self._differ = True
        known = set(theirs.listed)
        for one in held:
            if theirs.first <= one.digest <= theirs.last and one.digest not in known:
                self._due.setdefault(one.digest, now + self._draw.uniform(0.0, SPREAD))

    def heard(self, digest: int) -> None:
        """Somebody has told a statement: it need not be told again for now."""
        self._due.pop(digest, None)

    def refused(self, digest: int) -> None:
        """A statement was refused, and would be again."""
        self._refused[digest] = None
        if len(self._refused) > MOST_REFUSED:
            self._refused.popitem(last=False)

    @property
    def waits(self) -> bool:
        """Whether something is to be told again, now or soon."""
        return bool(self._due)

    def due(self, to_tell: Callable[[], Iterable[Embedding]], now: float) -> list[Embedding]:
        """What to tell again now, of what it gives, the first of that first."""
        if not self._due or min(self._due.values()) > now:
            return []
        waiting = {digest for digest, time in self._due.items() if time <= now}
        told: list[Embedding] = []
        for one in to_tell():
            if one.digest in waiting:
                waiting.remove(one.digest)
                if len(told) < MOST_AT_ONCE and self._allowance.has(one.sender, now):
                    self._allowance.spend(one.sender, now)
                    del self._due[one.digest]
                    told.append(one)
        for digest in waiting:  # nothing that is told any more
            del self._due[digest]
        return told
