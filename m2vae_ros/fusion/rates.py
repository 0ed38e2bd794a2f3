# SPDX-License-Identifier: Apache-2.0
"""How much one sender may say in a while, so that nobody keeps a robot from hearing the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.fusion.validation import UnfitEmbedding

MOST_KNOWN = 256
"""Senders whose allowance is remembered: more than any memory takes in."""

LOOKS = 10.0
"""Statements a second of one sender, for each modality of the model."""

STATEMENTS_AT_ONCE = 1000
"""As many as a memory keeps of one sender: who joins gets all of them at once."""

OBJECTS = 50.0
"""Objects a second, of which nothing was known, of one sender."""

OBJECTS_AT_ONCE = 100

ANSWERS = 1.0
"""Times a second that a robot answers who speaks in its name: two of one name that see things
otherwise do not answer each other without end."""

ANSWERS_AT_ONCE = 100


class Allowance:
    """A token bucket for each sender [Turner, New directions in communications, 1986]."""

    def __init__(self, rate: float, at_once: float) -> None:
        """All are full.

        Args:
            rate: tokens a second that come back.
            at_once: the most that one has.
        """
        self._rate = rate
        self._most = at_once
        self._left: dict[str, tuple[float, float]] = {}

    def has(self, sender: str, now: float) -> bool:
        """Whether a sender has a token left, at a time in seconds of a steady clock."""
        return self._now(sender, now) >= 1.0

    def spend(self, sender: str, now: float) -> None:
        """Take one of its tokens."""
        left = self._now(sender, now)
        self._left.pop(sender, None)
        self._left[sender] = (max(0.0, left - 1.0), now)
        if len(self._left) > MOST_KNOWN:  # the one that has not spoken for longest
            del self._left[next(iter(self._left))]

    def _now(self, sender: str, now: float) -> float:
        left, then = self._left.get(sender, (self._most, now))
        return min(self._most, left + self._rate * (now - then))


class _Outcome(Protocol):
    @property
    def kind(self) -> str:
        """As of `m2vae_ros.fusion.memory.Outcome`."""
        ...


OutcomeT = TypeVar("OutcomeT", bound=_Outcome)


class SenderRates:
    """What is taken in of each sender, whoever tells it; what is known or unfit costs nothing."""

    def __init__(self, memory: ObjectMemory) -> None:
        """Of a memory that takes it in."""
        self._memory = memory
        rate = LOOKS * len(memory.engine.modalities)
        self._statements = Allowance(rate, STATEMENTS_AT_ONCE)
        self._objects = Allowance(OBJECTS, OBJECTS_AT_ONCE)
        self._answers = Allowance(ANSWERS, ANSWERS_AT_ONCE)

    def take_in(self, told: Embedding, now: float, receive: Callable[[], OutcomeT]) -> OutcomeT:
        """Let a statement be received, unless its sender has said too much lately.

        Args:
            told: the statement.
            now: seconds of a steady clock.
            receive: takes it in, and says what became of it.

        Raises:
            UnfitEmbedding: too much was said ("rate"), it can be told again; or what `receive`
                raises.
        """
        if told.digest in self._memory:
            return receive()
        if not self._statements.has(told.sender, now):
            raise UnfitEmbedding("rate", "its sender has said more than a robot can sense")
        if told.sender == self._memory.owner and not self._answers.has(told.sender, now):
            raise UnfitEmbedding("rate", "somebody has said a lot in this robot's name lately")
        if not self._objects.has(told.sender, now) and self._is_new(told):
            raise UnfitEmbedding("rate", "its sender has told of too many new objects lately")
        outcome = receive()
        self._statements.spend(told.sender, now)
        if outcome.kind == "new":
            self._objects.spend(told.sender, now)
        if outcome.kind == "disowned":
            self._answers.spend(told.sender, now)
        return outcome

    def _is_new(self, told: Embedding) -> bool:
        try:
            return self._memory.nearest(told.position) is None
        except (ValueError, OverflowError):  # it is unfit, which others will say
            return False
