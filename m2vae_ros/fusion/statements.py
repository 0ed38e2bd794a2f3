# SPDX-License-Identifier: Apache-2.0
"""What everybody has said of objects: the part of a memory that all robots have in common.

A *statement* is an embedding as its sender published it. Of what one sender says under one id, only
that is kept which no other statement of its supersedes (`m2vae_ros.fusion.exchange`). What is kept
is therefore decided by which statements were heard, not by their order or how often they came: the
sets are a join-semilattice [Shapiro et al., Conflict-free replicated data types, 2011].

Nobody can displace what others say: every sender has room of its own, in which its oldest
statements go first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.exchange import supersedes
from m2vae_ros.fusion.validation import UnfitEmbedding

MOST_SENDERS = 64
"""Robots of which statements are kept."""

MOST_AT_ONE_PLACE = 8
"""Statements of one sender about one place."""


class Statements:
    """A set of statements that grows by single ones; nothing else changes it."""

    def __init__(self, owner: str, room: int, place: Callable[[Embedding], Hashable]) -> None:
        """An empty set.

        Args:
            owner: the robot whose statements there is always room for.
            room: how many statements of one sender are kept.
            place: of a statement; of one place, few statements of a sender are kept.
        """
        self._owner = owner
        self._room = room
        self._place = place
        self._by_digest: dict[int, Embedding] = {}
        self._by_sender: dict[str, set[Embedding]] = defaultdict(set)
        self._alike: dict[Hashable, set[Embedding]] = defaultdict(set)

    def __iter__(self) -> Iterator[Embedding]:
        return iter(self._by_digest.values())

    def __len__(self) -> int:
        return len(self._by_digest)

    def __contains__(self, digest: int) -> bool:
        return digest in self._by_digest

    def of(self, sender: str, object_id: str | None = None) -> set[Embedding]:
        """What one sender says, of all or under one id."""
        if object_id is not None:
            return set(self._alike.get((sender, object_id), ()))
        return set(self._by_sender.get(sender, ()))

    def add(self, new: Embedding) -> list[Embedding] | None:
        """Keep a statement.

        Returns:
            Those that go for it; None if it says nothing that is not held, and nothing has changed.

        Raises:
            UnfitEmbedding: there is no room ("full").
        """
        same = self._alike.get((new.sender, new.object_id), ())
        if new.digest in self or any(supersedes(old, new) for old in same):
            return None
        gone = [old for old in same if supersedes(new, old)]
        gone += self._displaced(new, gone)
        self.replace(gone, [new])
        return gone

    def replace(self, gone: Iterable[Embedding], new: Iterable[Embedding]) -> None:
        """Take statements away and put others in, whatever they say."""
        for one in gone:
            del self._by_digest[one.digest]
            for table, key in self._tables(one):
                table[key].discard(one)
                if not table[key]:
                    del table[key]
        for one in new:
            self._by_digest[one.digest] = one
            for table, key in self._tables(one):
                table[key].add(one)

    def _tables(self, one: Embedding) -> list[tuple[dict[Hashable, set[Embedding]], Hashable]]:
        return [
            (self._by_sender, one.sender),  # type: ignore[list-item]
            (self._alike, (one.sender, one.object_id)),
            (self._alike, (one.sender, None, self._place(one))),
        ]

    def _displaced(self, new: Embedding, gone: list[Embedding]) -> list[Embedding]:
        """What has to go for it where its sender has said a lot."""
        said = self._by_sender.get(new.sender, set())
        if not said and len(self._by_sender) >= MOST_SENDERS and new.sender != self._owner:
            raise UnfitEmbedding("full", f"{MOST_SENDERS} other senders are known")
        here = self._alike.get((new.sender, None, self._place(new)), set())
        for among, room in ((here, MOST_AT_ONE_PLACE), (said, self._room)):
            if len(among) - len(among.intersection(gone)) >= room:
                oldest = min(among.difference(gone), key=lambda one: one.age_key)
                if oldest.age_key > new.age_key:
                    raise UnfitEmbedding("full", f"{room} newer statements of its sender are held")
                return [oldest]
        return []
