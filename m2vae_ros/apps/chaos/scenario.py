# SPDX-License-Identifier: Apache-2.0
"""What a scenario is, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from m2vae_ros.apps.chaos.channel import Rates

BAD_NETWORK = Rates(loss=0.3, doubled=0.1, reordered=0.1, delay=1.0)
"""Of a radio at the edge of its range."""


@dataclass(frozen=True)
class Options:
    """How large a scenario is played.

    Attributes:
        robots: how many, or as many as the scenario is meant for.
        times: how often what it repeats is repeated, or as often as it is meant to be.
        minutes: for which what goes on goes on.
        rates: of the network, where it is bad.
        seed: of all that is drawn.
    """

    robots: int | None = None
    times: int | None = None
    minutes: float = 10.0
    rates: Rates = BAD_NETWORK
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of a scenario.

    Attributes:
        broken: what must hold and did not, in sentences; empty if all held.
        numbers: that were measured, by what they are.
        refused: messages that robots refused, by reason.
    """

    broken: list[str]
    numbers: Mapping[str, float] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)


Says = Callable[[str], None]


@dataclass(frozen=True)
class Scenario:
    """Something that happens to a team.

    Attributes:
        what: happens, in a line.
        must: hold, in a line.
        play: lets it happen; is told how large, and tells how it goes on.
    """

    what: str
    must: str
    play: Callable[[Options, Says], Outcome]
